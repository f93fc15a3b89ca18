"""The receivers of webhooks, which sometimes fail."""

from collections.abc import Iterable
from typing import Any

from attrs import define, field
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.web.server import Site

from pushd.demo.layout import HOST
from tests.cluster.alert_promises import Subscription
from tests.harness.admin_api import AdminApi, Json
from tests.harness.receiver import FlakyReceiver

SUBSCRIPTIONS = (
    (("alert.raised", "alert.cleared"), 0.05),
    (("command.failed", "command.unknown"), 0.01),
    (("command.succeeded",), 0.0),
)
"""The types of each webhook, and how often its receiver fails: each failure holds up what is behind for seconds."""


@define(eq=False)
class Receivers:
    """One receiver for each webhook."""

    reactor: Any
    chance: Any
    receivers: dict[str, FlakyReceiver] = field(factory=dict, init=False)
    """By the webhook's id."""
    _listening: list[IListeningPort] = field(factory=list, init=False)

    async def start(self, api: AdminApi) -> None:
        """Listen, and subscribe."""
        for types, failures in SUBSCRIPTIONS:
            receiver = FlakyReceiver(
                clock=self.reactor, chance=self.chance, failure_probability=failures, failed=lambda: None
            )
            listening = self.reactor.listenTCP(0, Site(receiver), interface=HOST)
            self._listening.append(listening)
            body = {"url": f"http://{HOST}:{listening.getHost().port}/hook", "types": list(types)}
            status, answer = await api.post("webhooks", body=body)
            assert status == 201, answer
            receiver.secret = answer["secret"]
            self.receivers[answer["id"]] = receiver

    def stop_failures(self) -> None:
        """Accept everything from now on."""
        for receiver in self.receivers.values():
            receiver.failure_probability = 0.0

    def subscriptions(self, webhooks: Iterable[Json]) -> list[Subscription]:
        """What each was sent so far; ``webhooks`` are as the server shows them."""
        shown = {webhook["id"]: webhook for webhook in webhooks}
        return [
            Subscription(types=types, deliveries=tuple(receiver.deliveries), webhook=shown[webhook])
            for (types, _), (webhook, receiver) in zip(SUBSCRIPTIONS, self.receivers.items(), strict=True)
        ]

    async def stop(self) -> None:
        """Listen no more."""
        for listening in self._listening:
            await maybeDeferred(listening.stopListening)
