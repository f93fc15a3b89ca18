"""Runs one worker for each webhook subscription."""

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from pushd.core.clocks import Clocks
from pushd.core.webhooks import Webhooks
from pushd.lib.background import in_background
from pushd.lib.backoff import MAX_BACKOFF, Backoff
from pushd.model.errors import Unavailable
from pushd.model.event import Event
from pushd.model.webhook import Subscription
from pushd.notifications.webhooks.event_filter import SubscriptionFilter
from pushd.notifications.webhooks.sender import WebhookSender
from pushd.notifications.webhooks.worker import RETRY_STORE, WebhookWorker
from pushd.store.interface import IStore

CHECKPOINT_SECONDS = 30.0
"""Seconds between two checkpoints: so late the cursor of a webhook moves past events that do not match it."""

FINISH_SECONDS = 2.0
"""Seconds for which a stop waits for attempts that are being made."""

_log = Logger()


@define(eq=False)
class WebhookDispatcher(Service):
    """Starts a worker for each subscription, and another one when the subscription is changed, or its worker fails."""

    webhooks: Webhooks
    event_filter: SubscriptionFilter
    sender: WebhookSender
    rand: Callable[[], float]
    _store: IStore = field(init=False)
    _clocks: Clocks = field(init=False)
    _workers: dict[str, WebhookWorker] = field(factory=dict, init=False)
    """By the webhook's id."""
    _newest: int = field(default=0, init=False)
    """The ``seq`` of the newest event."""
    _loading: Deferred[None] | None = field(default=None, init=False)
    _loading_since: float | None = field(default=None, init=False)
    """Since when, in seconds of the clock, the subscriptions are being loaded; None if they are loaded."""
    _restarts: dict[str, Deferred[None]] = field(factory=dict, init=False)
    _backoffs: dict[str, Backoff] = field(factory=dict, init=False)
    """Of restarts, by the webhook's id."""

    def __attrs_post_init__(self) -> None:
        self._store, self._clocks = self.webhooks.store, self.webhooks.clocks
        self._store.subscribe(self._handle)
        self.webhooks.subscribe(self._replace_worker)

    def startService(self) -> None:
        """Load the subscriptions and start their workers; the store must be open."""
        super().startService()
        self._loading_since = self._clocks.clock.seconds()
        self._loading = in_background(self._load())

    def stopService(self) -> Deferred[Any]:
        """Stop all workers; fires when attempts that are being made have ended, or are abandoned."""
        super().stopService()
        if self._loading is not None:
            self._loading.cancel()
        for restart in tuple(self._restarts.values()):
            restart.cancel()
        workers, self._workers = self._workers, {}
        return DeferredList([Deferred.fromCoroutine(worker.finish(FINISH_SECONDS)) for worker in workers.values()])

    def stuck(self, seconds: float) -> bool:
        """Whether loading, or any worker, has made no progress for longer than ``seconds``."""
        if self._loading_since is not None:
            return self._clocks.clock.seconds() - self._loading_since > seconds
        if any(self._clocks.clock.seconds() - since > seconds for since in self.webhooks.failed_since.values()):
            return True
        return any(worker.stuck(seconds) for worker in self._workers.values())

    async def checkpoint(self) -> None:
        """Move the cursors past events that did not match, and save them.

        :raises Unavailable: if they cannot be saved.
        """
        for worker in tuple(self._workers.values()):
            await worker.checkpoint(self._newest)

    async def _load(self) -> None:
        subscriptions = await self._read_subscriptions()
        self._loading_since = None
        for subscription in subscriptions:
            if subscription.webhook.id not in self._workers:
                self._start_worker(subscription)

    async def _read_subscriptions(self) -> Sequence[Subscription]:
        while True:
            try:
                self._newest = max(self._newest, await self._store.last_event())
                subscriptions: Sequence[Subscription] = await self._store.subscriptions()
                return subscriptions
            except Unavailable as error:
                _log.warn("Webhook delivery not started, store unavailable, retrying: {error}", error=str(error))
            except Exception as error:
                if not self.running and isinstance(error, CancelledError):
                    raise
                _log.failure("Webhook delivery not started, retrying: {error}", error=repr(error))
            await deferLater(self._clocks.clock, RETRY_STORE)

    def _start_worker(self, subscription: Subscription) -> None:
        if subscription.webhook.disabled_at is not None or not self.running:
            return
        worker = WebhookWorker(
            subscription=subscription,
            store=self._store,
            clocks=self._clocks,
            sender=self.sender,
            event_filter=self.event_filter,
            rand=self.rand,
            rules=self.webhooks.rules,
            on_failure=self._worker_failed,
        )
        self._workers[subscription.webhook.id] = worker
        worker.start()

    def _worker_failed(self, worker: WebhookWorker) -> None:
        webhook, now = worker.subscription.webhook.id, self._clocks.clock.seconds()
        if self._workers.get(webhook) is not worker:  # it was replaced meanwhile
            return
        self.webhooks.failed_since[webhook] = now
        backoff = self._backoffs.setdefault(webhook, Backoff(self._clocks.clock, self.rand))
        if now - worker.started_at > MAX_BACKOFF:
            backoff.reset()
        backoff.record_failure()
        self._restarts[webhook] = in_background(self._restart(worker, backoff.remaining))

    async def _restart(self, failed: WebhookWorker, delay: float) -> None:
        """Start another worker in place of one that failed, from the progress that was saved."""
        await deferLater(self._clocks.clock, delay)
        webhook = failed.subscription.webhook.id
        subscriptions = {each.webhook.id: each for each in await self._read_subscriptions()}
        if self._workers.get(webhook) is failed:
            self._replace_worker(webhook, subscriptions.get(webhook))

    def _replace_worker(self, webhook: str, subscription: Subscription | None) -> None:
        self.webhooks.failed_since.pop(webhook, None)
        worker = self._workers.pop(webhook, None)
        if worker is not None:
            worker.abort()
        if subscription is None:
            self._backoffs.pop(webhook, None)
        else:
            self._start_worker(subscription)

    def _handle(self, event: Event) -> None:
        self._newest = event.seq
        for worker in tuple(self._workers.values()):
            try:
                worker.handle(event)
            except Exception:
                worker.fail(Failure())
