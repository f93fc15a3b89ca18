"""The receivers of webhooks and the mail server: both fail now and then until the load has ended."""

from collections.abc import Iterator
from random import Random
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import LoopingCall
from twisted.web.server import Site

from pushd.demo.layout import HOST
from pushd.model.event import EventType
from tests.harness.admin_api import AdminApi, Json
from tests.harness.receiver import FlakyReceiver
from tests.notifications.mail_server import MailServer
from tests.soak.observations import WebhookDeliveries, of_types

MAIL_REFUSAL = "451 Try again later"
MAIL_REFUSAL_INTERVAL = 40.0
"""Seconds after which the mail server may refuse one more mail."""


@frozen
class Subscription:
    """What a webhook subscribes to, and how often its receiver fails."""

    types: frozenset[str]
    """All if empty."""
    parallel: int
    failure_probability: float


SUBSCRIPTIONS = (
    Subscription(frozenset(each for each in EventType if each.startswith(("device.", "alert."))), 1, 0.1),
    Subscription(frozenset(), 16, 0.05),
)


@define(eq=False)
class Receivers:
    """A receiver for each of :data:`SUBSCRIPTIONS`."""

    reactor: Any
    chance: Random
    _webhooks: dict[str, tuple[Subscription, FlakyReceiver]] = field(factory=dict, init=False)
    """By id."""
    _ports: list[IListeningPort] = field(factory=list, init=False)

    async def subscribe(self, api: AdminApi) -> None:
        """Listen, and create the webhooks."""
        for subscription in SUBSCRIPTIONS:
            receiver = FlakyReceiver(
                clock=self.reactor,
                chance=self.chance,
                failure_probability=subscription.failure_probability,
                failed=lambda: None,
            )
            port = self.reactor.listenTCP(0, Site(receiver), interface=HOST)
            self._ports.append(port)
            url = f"http://{HOST}:{port.getHost().port}/hook"
            body = {"url": url, "types": sorted(subscription.types), "parallel": subscription.parallel}
            status, answer = await api.post("webhooks", body=body)
            assert status == 201, answer
            receiver.secret = answer["secret"]
            self._webhooks[answer["id"]] = subscription, receiver

    def stop_failing(self) -> None:
        """Accept all further messages."""
        for _, receiver in self._webhooks.values():
            receiver.failure_probability = 0.0

    def count_missing(self, events: list[Json]) -> int:
        """How many deliveries of these events were not accepted yet."""
        return sum(
            len({event["seq"] for event in of_types(events, subscription.types)} - receiver.accepted)
            for subscription, receiver in self._webhooks.values()
        )

    async def request_redelivery(self, api: AdminApi) -> None:
        """Ask for what was not accepted, without waiting for the next retry."""
        for webhook in self._webhooks:
            await api.post("webhooks", webhook, "redeliver", body={})

    def deliveries(self) -> Iterator[WebhookDeliveries]:
        """What has arrived at each."""
        for subscription, receiver in self._webhooks.values():
            yield WebhookDeliveries(
                types=subscription.types, parallel=subscription.parallel, deliveries=tuple(receiver.deliveries)
            )

    async def close(self) -> None:
        """Stop to listen."""
        for port in self._ports:
            await maybeDeferred(port.stopListening)


@define(eq=False)
class MailRefusals:
    """Lets a mail server refuse one mail now and then."""

    server: MailServer
    reactor: Any
    count: int = field(default=0, init=False)
    _loop: LoopingCall = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._loop = LoopingCall(self._refuse)
        self._loop.clock = self.reactor

    def start(self) -> None:
        """Refuse the first mail."""
        self._loop.start(MAIL_REFUSAL_INTERVAL)

    def stop(self) -> None:
        """Refuse no more."""
        if self._loop.running:
            self._loop.stop()
        self.server.replies.clear()

    def _refuse(self) -> None:
        replies = self.server.replies.setdefault("DATA", [])
        if not replies:
            replies.append(MAIL_REFUSAL)
            self.count += 1
