"""Webhooks: one courier for each subscription, for as long as the server runs."""

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.iweb import IAgent

from pushd.core.clocks import Clocks
from pushd.core.egress_policy import EgressPolicy
from pushd.core.webhooks import Webhooks
from pushd.lib.background import in_background
from pushd.model.errors import Unavailable
from pushd.model.event import Event
from pushd.model.webhook import MAX_PARALLEL, Subscription
from pushd.notifications.webhooks.event_filter import SubscriptionFilter
from pushd.notifications.webhooks.guarded_agent import GuardedEndpoints
from pushd.notifications.webhooks.reading import AGAIN
from pushd.notifications.webhooks.sender import WebhookSender
from pushd.notifications.webhooks.worker import WebhookWorker
from pushd.store.interface import IStore

GLANCE_SECONDS = 30.0
"""How late it is written down that what came since was not wanted."""

LAST_SECONDS = 2.0
"""How long, when we stop, what is on its way may take to arrive."""

CACHED_SECONDS = 4.0
"""How long a connection is kept for the next message: shorter than most servers do, so that we close it, not they."""

_log = Logger()


@define(eq=False)
class WebhookDispatcher(Service):
    """Sends out couriers, and calls back those whose subscription was changed."""

    webhooks: Webhooks
    wants: SubscriptionFilter
    poster: WebhookSender
    chance: Callable[[], float]
    _store: IStore = field(init=False)
    _clocks: Clocks = field(init=False)
    _couriers: dict[str, WebhookWorker] = field(factory=dict, init=False)
    _last: int = field(default=0, init=False)
    _recalling: Deferred[None] | None = field(default=None, init=False)
    _waits_since: float | None = field(default=None, init=False)
    """Since when we would know what webhooks there are, while we do not."""

    def __attrs_post_init__(self) -> None:
        self._store, self._clocks = self.webhooks.store, self.webhooks.clocks
        self._store.subscribe(self._heard)
        self.webhooks.subscribe(self._changed)

    def startService(self) -> None:
        """Send out a courier for each subscription; the store must be open."""
        super().startService()
        self._waits_since = self._clocks.clock.seconds()
        self._recalling = in_background(self._recall())

    def stopService(self) -> Deferred[Any]:
        """Call all back; what is on its way has a little time to arrive."""
        super().stopService()
        if self._recalling is not None:
            self._recalling.cancel()
        dispatcher, self._couriers = self._couriers, {}
        return DeferredList([Deferred.fromCoroutine(worker.finish(LAST_SECONDS)) for worker in dispatcher.values()])

    def stuck(self, seconds: float) -> bool:
        """Whether something has been due for longer than that, and was not even tried."""
        if self._waits_since is not None:
            return self._clocks.clock.seconds() - self._waits_since > seconds
        return any(worker.stuck(seconds) for worker in self._couriers.values())

    async def glance(self) -> None:
        """Now and then: pass over what was not wanted."""
        for worker in tuple(self._couriers.values()):
            await worker.glance(self._last)

    async def _recall(self) -> None:
        while True:
            try:
                self._last = max(self._last, await self._store.last_event())
                subscriptions = await self._store.subscriptions()
                break
            except Unavailable as error:
                _log.warn("Webhooks cannot be begun yet: {error}", error=str(error))
                await deferLater(self._clocks.clock, AGAIN)
        self._waits_since = None
        for subscription in subscriptions:
            if subscription.webhook.id not in self._couriers:
                self._send_out(subscription)

    def _send_out(self, subscription: Subscription) -> None:
        if subscription.webhook.disabled_at is not None or not self.running:
            return
        worker = WebhookWorker(
            subscription, self._store, self._clocks, self.poster, self.wants, self.chance, self.webhooks.rules
        )
        self._couriers[subscription.webhook.id] = worker
        worker.begin()

    def _changed(self, webhook: str, subscription: Subscription | None) -> None:
        worker = self._couriers.pop(webhook, None)
        if worker is not None:
            worker.drop()
        if subscription is not None:
            self._send_out(subscription)

    def _heard(self, event: Event) -> None:
        self._last = event.seq
        for worker in self._couriers.values():
            worker.heard(event)


def build_agent(reactor: Any, targets: EgressPolicy) -> IAgent:
    """What posts for real: pooled connections, to no address but those that webhooks may be sent to."""
    pool = HTTPConnectionPool(reactor)
    pool.maxPersistentPerHost = MAX_PARALLEL
    pool.cachedConnectionTimeout = CACHED_SECONDS  # type: ignore[assignment]  # it is any number of seconds
    agent: IAgent = Agent.usingEndpointFactory(reactor, GuardedEndpoints(reactor, targets), pool)
    return agent
