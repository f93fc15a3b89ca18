"""Runs one worker for each webhook that this process owns."""

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
from pushd.notifications.ownership import OwnershipTerm
from pushd.notifications.webhooks.event_filter import SubscriptionFilter
from pushd.notifications.webhooks.event_sender import EventSender
from pushd.notifications.webhooks.worker import RETRY_STORE, WebhookWorker
from pushd.store.interface import IStore
from pushd.store.ownership import OwnedWebhooks

CHECKPOINT_SECONDS = 30.0
"""Seconds between two checkpoints: so late the cursor of a webhook moves past events that do not match it."""

FINISH_SECONDS = 2.0
"""Seconds for which a stop waits for attempts that are being made."""

_log = Logger()


@define(eq=False)
class WebhookDispatcher(Service):
    """Starts a worker for each webhook, and another one when the webhook is changed, or its worker fails.

    Processes that share a database each own some of the webhooks, and deliver these.
    """

    webhooks: Webhooks
    event_filter: SubscriptionFilter
    sender: EventSender
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
    _term: OwnershipTerm = field(init=False)
    """For how long this process owns the webhooks that have a worker."""

    def __attrs_post_init__(self) -> None:
        self._store, self._clocks = self.webhooks.store, self.webhooks.clocks
        self._term = OwnershipTerm(self._clocks, self._store.membership().is_shared(), self._lose_all)
        self._store.subscribe(self._handle)
        self.webhooks.subscribe(self._webhook_changed)
        self.webhooks.subscribe_to_foreign_changes(self._term.make_due)

    def startService(self) -> None:
        """Start the workers; the store must be open."""
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
        self._term.cancel()
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

    async def renew(self) -> None:
        """Renew the ownership of webhooks, and own more or fewer of them, when that is due.

        :raises Unavailable: if that is not possible; delivery stops before another process takes over.
        """
        if self.running and self._loading_since is None and self._term.is_due():
            await self._own()

    async def _own(self) -> None:
        """Own webhooks, and run a worker for each."""
        asked_at = self._term.ask()
        held = {
            webhook: worker.subscription.revision
            for webhook, worker in self._workers.items()
            if not worker.is_stopped or webhook in self.webhooks.failed_since  # that one waits for its restart
        }
        owned: OwnedWebhooks = await self._store.own_webhooks(held)
        if not self.running:
            return
        self._term.renew(asked_at)
        for webhook in self._workers.keys() - owned.ids:
            self._replace_worker(webhook, None)
        for subscription in owned.changed:
            worker = self._workers.get(subscription.webhook.id)
            if worker is None or worker.is_stopped or worker.subscription.revision < subscription.revision:
                self._replace_worker(subscription.webhook.id, subscription)
        if owned.share is not None and len(self._workers) > owned.share:
            await self._give_up(list(self._workers)[owned.share :])

    async def _give_up(self, webhooks: Sequence[str]) -> None:
        """Let other processes deliver these webhooks, after the attempts that are being made."""
        workers = [self._workers.pop(webhook) for webhook in webhooks]
        await DeferredList([Deferred.fromCoroutine(worker.finish(FINISH_SECONDS)) for worker in workers])
        await self._store.give_up_webhooks(webhooks)

    def _lose_all(self) -> None:
        """The ownership was not renewed in time: other processes may deliver the webhooks."""
        _log.warn("Webhook delivery stopped: the store could not be reached in time, other processes may take over")
        for webhook in tuple(self._workers):
            self._replace_worker(webhook, None)
        self._term.make_due()

    async def _load(self) -> None:
        await self._own_with_retries()
        self._loading_since = None

    async def _own_with_retries(self) -> None:
        while True:
            try:
                self._newest = max(self._newest, await self._store.last_event())
                return await self._own()
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
            is_owned=lambda: not self._term.has_ended(),
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
        if self._workers.get(webhook) is failed:
            del self._workers[webhook]
            await self._own_with_retries()
            self.webhooks.failed_since.pop(webhook, None)

    def _webhook_changed(self, webhook: str, subscription: Subscription | None) -> None:
        if self._term.is_shared and webhook not in self._workers:
            self._term.make_due()  # it may be free
        else:
            self._replace_worker(webhook, subscription)

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
