"""A receiver of webhooks that fails as often as it works: it refuses, hangs up, says nothing, or is slow."""

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

OFTEN = 0.5
"""How much of what comes it fails to take."""

SLOW = 0.1
"""How much of the rest it takes its time for."""

TIME = 0.4
"""Seconds that it takes then."""


class Fate(StrEnum):
    """What becomes of a request."""

    TAKEN = "taken"
    REFUSED = "refused"
    CUT = "hung up on"
    HELD = "not answered"
    LEFT = "left before it was answered"


_FAILURES = (Fate.REFUSED, Fate.CUT, Fate.HELD)


@define(eq=False, kw_only=True)
class Delivery:
    """One request, and what became of it."""

    id: str
    event: dict[str, Any]
    genuine: bool
    """Whether the reference library says that it is signed with our secret."""
    fate: Fate = Fate.LEFT


@define(eq=False, slots=False)
class Receiver(Resource):
    """Takes what it is sent, or does not; calls ``failed`` when it did not."""

    clock: IReactorTime
    chance: Random
    failed: Callable[[], None]
    secret: str = ""
    deliveries: list[Delivery] = field(factory=list)

    isLeaf = True  # noqa: N815 - Twisted's name

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    @property
    def taken(self) -> set[str]:
        """The ``seq`` of each event that it thanked for."""
        return {one.event["seq"] for one in self.deliveries if one.fate is Fate.TAKEN}

    def render_POST(self, request: Request) -> int:
        """Take a message, or do not."""
        delivery = self._read(request)
        self.deliveries.append(delivery)
        if self.chance.random() < OFTEN:
            self._fail(request, delivery)
        elif self.chance.random() < SLOW:
            late = self.clock.callLater(TIME, self._take, request, delivery)
            request.notifyFinish().addErrback(_forget, late)
        else:
            self._take(request, delivery)
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
            genuine = False
        else:
            genuine = True
        return Delivery(id=headers.get("webhook-id", ""), event=json.loads(body)["data"], genuine=genuine)

    def _take(self, request: Request, delivery: Delivery) -> None:
        delivery.fate = Fate.TAKEN
        request.setResponseCode(204)
        request.finish()

    def _fail(self, request: Request, delivery: Delivery) -> None:
        delivery.fate = self.chance.choice(_FAILURES)
        if delivery.fate is Fate.REFUSED:
            request.setResponseCode(500)
            request.finish()
        else:
            request.notifyFinish().addErrback(lambda _: None)
        if delivery.fate is Fate.CUT:
            request.channel.transport.abortConnection()  # type: ignore[union-attr]
        self.failed()


def _forget(_gone: Failure, late: IDelayedCall) -> None:
    if late.active():
        late.cancel()
