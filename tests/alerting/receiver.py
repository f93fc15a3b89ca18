"""A webhook receiver that fails half of the time: it refuses, closes the connection, does not answer, or is slow."""

import json
from collections.abc import Callable
from enum import StrEnum
from random import Random
from typing import Any

from attrs import define, field
from standardwebhooks import Webhook, WebhookVerificationError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

FAILURE_PROBABILITY = 0.5
"""The share of requests that fail."""

SLOW_PROBABILITY = 0.1
"""The share of the other requests that are answered after ``SLOW_SECONDS``."""

SLOW_SECONDS = 0.4


class Outcome(StrEnum):
    """How a request ended."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    CLOSED = "connection closed"
    UNANSWERED = "not answered"
    ABORTED = "aborted by the server"


_FAILURES = (Outcome.REFUSED, Outcome.CLOSED, Outcome.UNANSWERED)


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
        if self.chance.random() < FAILURE_PROBABILITY:
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
        if delivery.outcome is Outcome.CLOSED:
            request.channel.transport.abortConnection()  # type: ignore[union-attr]
        self.failed()


def _cancel(_failure: Failure, delayed: IDelayedCall) -> None:
    if delayed.active():
        delayed.cancel()
