"""A webhook receiver that sometimes fails: it refuses, closes the connection, does not answer, or never ends."""

import json
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from random import Random
from typing import Any

from attrs import define, field
from standardwebhooks import Webhook, WebhookVerificationError
from twisted.internet.interfaces import IDelayedCall, IPullProducer, IReactorTime
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from tests.hostile_server import HEADERS

SLOW_PROBABILITY = 0.1
"""The share of the other requests that are answered after ``SLOW_SECONDS``."""

SLOW_SECONDS = 0.4


class Outcome(StrEnum):
    """How a request ended."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    CLOSED = "connection closed"
    UNANSWERED = "not answered"
    ENDLESS = "endless headers"
    ABORTED = "aborted by the server"


_LABELS = {"name", "site", "tags"}
"""What messages about a device have beyond its events."""

_FAILURES = (Outcome.REFUSED, Outcome.CLOSED, Outcome.UNANSWERED, Outcome.ENDLESS)


@define(eq=False, kw_only=True)
class Delivery:
    """One request, and how it ended."""

    id: str
    event: dict[str, Any]
    is_signed: bool
    """Whether the reference library accepts the signature."""
    outcome: Outcome = Outcome.ABORTED


@define(eq=False, slots=False)
class FlakyReceiver(Resource):
    """Accepts a request or fails, at random; calls ``failed`` after a failure."""

    clock: IReactorTime
    chance: Random
    failure_probability: float
    failed: Callable[[], None]
    secret: str = ""
    deliveries: list[Delivery] = field(factory=list)

    isLeaf = True  # noqa: N815 - Twisted's name

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    @property
    def accepted(self) -> set[str]:
        """The ``seq`` of each event that was accepted."""
        return {delivery.event["seq"] for delivery in self.deliveries if delivery.outcome is Outcome.ACCEPTED}

    def render_POST(self, request: Request) -> int:
        """Accept a message, or fail."""
        delivery = self._read(request)
        self.deliveries.append(delivery)
        if self.chance.random() < self.failure_probability:
            self._fail(request, delivery)
        elif self.chance.random() < SLOW_PROBABILITY:
            delayed = self.clock.callLater(SLOW_SECONDS, self._accept, request, delivery)
            request.notifyFinish().addErrback(_cancel, delayed)
        else:
            self._accept(request, delivery)
        return NOT_DONE_YET

    def _read(self, request: Request) -> Delivery:
        assert request.content is not None
        body = request.content.read()
        headers = {
            name.decode().lower(): values[0].decode() for name, values in request.requestHeaders.getAllRawHeaders()
        }
        try:
            Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError:
            is_signed = False
        else:
            is_signed = True
        return Delivery(id=headers.get("webhook-id", ""), event=json.loads(body)["data"], is_signed=is_signed)

    def _accept(self, request: Request, delivery: Delivery) -> None:
        delivery.outcome = Outcome.ACCEPTED
        request.setResponseCode(204)
        request.finish()

    def _fail(self, request: Request, delivery: Delivery) -> None:
        delivery.outcome = self.chance.choice(_FAILURES)
        if delivery.outcome is Outcome.REFUSED:
            request.setResponseCode(500)
            request.finish()
        else:
            request.notifyFinish().addErrback(lambda _: None)
            _spoil(delivery.outcome, request.channel.transport)
        self.failed()


def _spoil(outcome: Outcome, transport: Any) -> None:
    if outcome is Outcome.CLOSED:
        transport.abortConnection()
    elif outcome is Outcome.ENDLESS:
        transport.unregisterProducer()
        transport.write(b"HTTP/1.1 204 No Content\r\n")
        transport.registerProducer(_EndlessHeaders(transport), False)


@implementer(IPullProducer)
@define(eq=False)
class _EndlessHeaders:
    """Sends headers until the connection is closed."""

    transport: Any

    def resumeProducing(self) -> None:
        self.transport.write(HEADERS)

    def stopProducing(self) -> None:
        pass


def missing_deliveries(events: Iterable[dict[str, Any]], deliveries: Iterable[Delivery]) -> Iterator[str]:
    """Each event that a receiver did not accept, and each message that is no such event, or is not signed."""
    deliveries, by_seq = list(deliveries), {event["seq"]: event for event in events}
    accepted = {delivery.event["seq"] for delivery in deliveries if delivery.outcome is Outcome.ACCEPTED}
    for seq in by_seq.keys() - accepted:
        yield f"{by_seq[seq]} did not arrive"
    for delivery in deliveries:
        seq = delivery.event["seq"]
        is_event = seq in by_seq and _shows(delivery.event, by_seq[seq])
        if not delivery.is_signed or not is_event or delivery.id != f"evt_{seq}":
            yield f"{delivery.id} is not an event of the server, or not signed"


def _shows(sent: dict[str, Any], event: dict[str, Any]) -> bool:
    """Whether a message shows an event, with nothing but what its device is called in addition."""
    labels = {name: value for name, value in sent.get("data", {}).items() if name in _LABELS}
    return sent in (event, {**event, "data": labels | event.get("data", {})})


def is_in_order(events: Iterable[dict[str, Any]], deliveries: Iterable[Delivery]) -> bool:
    """Whether the messages arrived first in the order of their events."""
    sent = dict.fromkeys(delivery.event["seq"] for delivery in deliveries)
    return list(sent) == [event["seq"] for event in events if event["seq"] in sent]


def _cancel(_failure: Failure, delayed: IDelayedCall) -> None:
    if delayed.active():
        delayed.cancel()
