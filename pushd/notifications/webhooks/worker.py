"""Delivers the events of one webhook: reads, sends, retries and saves progress."""

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from pushd.core.clocks import Clocks
from pushd.lib.backoff import MAX_RETRY_DELAY, read_retry_after, retry_delay
from pushd.lib.webhook_sender import GONE, PostOutcome
from pushd.model.alert import AlertRules
from pushd.model.errors import EventsPurged, PushdError
from pushd.model.event import Event
from pushd.model.timestamps import milliseconds
from pushd.model.webhook import Attempt, Subscription
from pushd.notifications.webhooks.delivery_window import DeliveryWindow, InFlight
from pushd.notifications.webhooks.event_filter import SubscriptionFilter
from pushd.notifications.webhooks.event_sender import EventSender
from pushd.store.filters import EventFilter, EventPage
from pushd.store.interface import IStore

PAGE = 200
"""Events that are read at once."""

READ_INTERVAL = 0.1
"""Seconds between two reads while events keep coming."""

RETRY_STORE = 1.0
"""Seconds after which an operation of the store that failed is tried again."""

DISABLE_AFTER = 3 * 86400.0
"""Seconds after the first failure of an event, after which its webhook is disabled."""

_PURGED = "Events before this one are no longer kept, and were not delivered."

_log = Logger()


@define(eq=False, kw_only=True)
class WebhookWorker:
    """Delivers one subscription's events, at least once each, up to ``parallel`` at the same time.

    :meth:`_run` reads events into the window, from where the deliveries take them. With one delivery at a time, it
    keeps an event until it has arrived, so that events arrive in order; otherwise an event that waits for its retry
    leaves its place to others. A worker that finds its subscription changed or disabled stops; the dispatcher starts
    another one. ``on_failure`` is called if the worker ends for any other reason.
    """

    subscription: Subscription
    store: IStore
    clocks: Clocks
    sender: EventSender
    event_filter: SubscriptionFilter
    rand: Callable[[], float]
    rules: AlertRules
    on_failure: Callable[["WebhookWorker"], None]
    is_owned: Callable[[], bool] = lambda: True
    """Whether this process delivers the webhook, and no other one."""
    started_at: float = field(init=False)
    """In seconds of the clock."""
    _now: Callable[[], float] = field(init=False)
    """Seconds of the clock."""
    _window: DeliveryWindow = field(init=False)
    _tasks: set[Deferred[None]] = field(factory=set, init=False)
    """What is going on: reading, deliveries, and events that wait for their retry."""
    _change: Deferred[None] | None = field(default=None, init=False)
    """Fires when there is something to read again; None while nothing waits for that."""
    _newest: int = field(default=0, init=False)
    """The ``seq`` up to which there are events that may match."""
    _behind_since: float | None = field(init=False)
    """Since when, in seconds of the clock, events may wait to be read; None if all are read."""
    _next_read_at: float = field(default=0.0, init=False)
    _deliveries: set[Deferred[None]] = field(factory=set, init=False)
    """At most ``parallel`` of the tasks."""
    _attempts: dict[InFlight, float] = field(factory=dict, init=False)
    """The attempts that are being made, and when they began, in seconds of the clock."""
    _sleeps: set[Deferred[None]] = field(factory=set, init=False)
    _stopped: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._now = self.clocks.clock.seconds
        self._window = DeliveryWindow(self.subscription)
        self._behind_since = self.started_at = self._now()

    @property
    def is_stopped(self) -> bool:
        """Whether it starts nothing more."""
        return self._stopped

    def start(self) -> None:
        """Start reading and delivering."""
        self._start_task(self._run())

    def handle(self, event: Event) -> None:
        """Deliver an event that was just published.

        A worker that keeps up takes it as it is, without reading the store; else the event is read in its turn.
        """
        if self._stopped or event.seq <= self._window.top:  # a page may contain events before they are published
            return
        matches = self.event_filter.match_now(self.subscription.webhook, event)
        keeps_up = self._behind_since is None and event.seq == self._window.top + 1 and not self._window.full
        if keeps_up and matches is not None:
            self._window.add((event,) if matches else (), event.seq)
            self._start_deliveries()
        elif matches is not False:
            self._read_up_to(event.seq)

    async def checkpoint(self, newest: int) -> None:
        """Advance past events that do not match, up to ``newest``, and save the cursor if no delivery will.

        :raises Unavailable: if it cannot be saved.
        """
        if self._stopped:
            return
        if newest > self._window.top:
            self._read_up_to(newest)
        if self._window.unsaved and not self._deliveries and not await self._save(None):
            self._stop()

    def stuck(self, seconds: float) -> bool:
        """Whether a read or an attempt makes no progress for longer than ``seconds``; a backoff does not count."""
        since = list(self._attempts.values())
        if self._behind_since is not None and not self._window.full and not self._stopped:
            since.append(self._behind_since)
        return self._now() - min(since, default=self._now()) > seconds

    def abort(self) -> None:
        """Stop at once. Attempts that are being made are abandoned: they may arrive, and will be made again."""
        self._stop()
        for task in tuple(self._tasks):
            task.cancel()

    def fail(self, failure: Failure) -> None:
        """Stop at once, because of an exception that nothing has handled."""
        if not self._stopped:
            webhook = self.subscription.webhook.id
            _log.failure("Webhook {webhook_id}: delivery failed, starting it again", failure, webhook_id=webhook)
            self.abort()
            self.on_failure(self)
        elif not failure.check(CancelledError):
            _log.failure("Unhandled exception while a webhook's delivery was stopped", failure)

    async def finish(self, seconds: float) -> None:
        """Start nothing more; abort attempts that are still being made after so many seconds."""
        self._stop()
        for task in self._tasks - self._deliveries:
            task.cancel()
        timeout = self.clocks.clock.callLater(seconds, self.abort)
        try:
            await DeferredList(tuple(self._deliveries))
        finally:
            if timeout.active():
                timeout.cancel()

    def _stop(self) -> None:
        """Start no more reads and no more attempts."""
        self._stopped = True
        self._changed()
        for sleep in tuple(self._sleeps):
            sleep.cancel()

    def _start_task(self, work: Coroutine[Deferred[Any], Any, None]) -> Deferred[None]:
        task = Deferred.fromCoroutine(work)
        self._tasks.add(task)
        task.addBoth(self._task_ended, task)
        return task

    def _task_ended(self, result: Failure | None, task: Deferred[None]) -> None:
        self._tasks.discard(task)
        self._deliveries.discard(task)
        if isinstance(result, Failure):
            self.fail(result)

    async def _sleep(self, seconds: float) -> None:
        """Wait.

        :raises CancelledError: if the worker stops meanwhile.
        """
        sleep: Deferred[None] = deferLater(self.clocks.clock, seconds)
        self._sleeps.add(sleep)
        try:
            await sleep
        finally:
            self._sleeps.discard(sleep)

    # Reading

    async def _run(self) -> None:
        """Read events until the worker stops, whatever goes wrong."""
        while not self._stopped:
            if self._behind_since is None or self._window.full:
                await self._wait_for_change()
                continue
            await self._sleep(max(self._next_read_at - self._now(), 0))
            try:
                more = await self._read_page()
                self._behind_since = self._now() if more or self._window.full else None
                self._start_deliveries()
            except Exception as error:
                if self._stopped:
                    raise
                self._log_error("cannot read events", error)
                self._next_read_at = self._now() + RETRY_STORE

    async def _wait_for_change(self) -> None:
        full = self._window.full
        self._change = Deferred()
        try:
            await self._change
        finally:
            self._change = None
        if full:
            self._behind_since = self._now()

    def _changed(self) -> None:
        if self._change is not None:
            self._change.callback(None)

    def _read_up_to(self, seq: int) -> None:
        self._newest = max(self._newest, seq)
        if self._behind_since is None:
            self._behind_since = self._now()
        self._changed()

    async def _read_page(self) -> bool:
        """Add the next page's events to the window; whether there are more to read."""
        page = await self._next_page()
        last = len(page.items) < PAGE
        self._next_read_at = self._now() + (READ_INTERVAL if last else 0)
        webhook = self.subscription.webhook
        matching = [event for event in page.items if await self.event_filter.match(webhook, event)]
        self._window.add(matching, page.next)
        return not last or page.next < self._newest

    async def _next_page(self) -> EventPage:
        which = EventFilter(types=self.subscription.webhook.types)
        try:
            page: EventPage = await self.store.events(which, self._window.top, PAGE)
        except EventsPurged as purged:
            oldest = purged.oldest or self._window.top + 1
            self._window.add((), oldest - 1)
            await self._save_with_retries(Attempt(seq=oldest, at=self.clocks.wall_now(), error=_PURGED))
            page = await self.store.events(which, self._window.top, PAGE)
        return page

    # Delivering

    def _start_deliveries(self) -> None:
        parallel = self.subscription.webhook.parallel
        while not self._stopped and self._window.pending and len(self._deliveries) < parallel:
            self._deliveries.add(self._start_task(self._deliver_next()))

    async def _deliver_next(self) -> None:
        """Deliver one event after the other while there are any."""
        await deferLater(self.clocks.clock, 0)  # the caller may be in the middle of publishing events
        while not self._stopped and self._window.pending:
            await self._deliver(self._window.pending.popleft())

    async def _deliver(self, in_flight: InFlight) -> None:
        """Send an event when it is due, again and again until it is delivered or the worker stops.

        If more than one may be delivered at the same time, one that is not due yet leaves its place to others.
        """
        delivered = False
        while not delivered:
            if in_flight.due:  # it has failed before
                if self.subscription.webhook.parallel > 1 and in_flight.due > self.clocks.elapsed_now():
                    self._start_task(self._deliver_later(in_flight))
                    return
                await self._sleep_until(in_flight.due)
            if not self.is_owned():  # the process was stopped until another one could take over
                self._stop()
                raise CancelledError
            self._attempts[in_flight] = self._now()
            try:
                delivered = await self._attempt(in_flight)
            finally:
                del self._attempts[in_flight]

    async def _deliver_later(self, in_flight: InFlight) -> None:
        """Wait until an event is due, and let a delivery take it."""
        await self._sleep_until(in_flight.due)
        self._window.pending.appendleft(in_flight)
        self._start_deliveries()

    async def _sleep_until(self, due: int) -> None:
        """Wait until a moment of elapsed time.

        :raises CancelledError: if the worker has stopped.
        """
        if self._stopped:
            raise CancelledError
        seconds = min((due - self.clocks.elapsed_now()) / 1000, MAX_RETRY_DELAY)
        if seconds > 0:
            await self._sleep(seconds)

    async def _attempt(self, in_flight: InFlight) -> bool:
        """Send an event once, and save what became of it; whether it was delivered."""
        at, began = self.clocks.wall_now(), self._now()
        try:
            outcome = await self.sender.send(self.subscription, in_flight.event, at)
        except Exception as error:
            if self._stopped and isinstance(error, CancelledError):
                raise
            self._log_error(f"cannot send event {in_flight.event.seq}", error)
            outcome = PostOutcome(error=type(error).__name__)
        duration = milliseconds(self._now() - began)
        attempt = Attempt(
            seq=in_flight.event.seq, at=at, duration=duration, status=outcome.status, error=outcome.error
        )
        if outcome.delivered:
            was_full = self._window.full
            self._window.remove(in_flight)
            if was_full:
                self._changed()
            await self._save_with_retries(attempt)
        else:
            await self._save_with_retries(attempt, self._schedule_retry(in_flight, outcome))
        return outcome.delivered

    def _schedule_retry(self, in_flight: InFlight, outcome: PostOutcome) -> str | None:
        """Set when a failed event is due again; returns why the webhook must be disabled, if it must."""
        now = self.clocks.elapsed_now()
        since = in_flight.failing_since = now if in_flight.failing_since is None else in_flight.failing_since
        deadline = since + milliseconds(DISABLE_AFTER)
        retry_after = read_retry_after(outcome.retry_after, self.clocks.wall())
        delay = retry_delay((now - since) / 1000, retry_after, self.rand())
        in_flight.due = min(now + milliseconds(delay), deadline)
        if outcome.status == GONE:
            return "the receiver answered 410 Gone"
        return "an event could not be delivered for 3 days" if now >= deadline else None

    # Saving

    async def _save_with_retries(self, attempt: Attempt, disable: str | None = None) -> None:
        """Save an attempt, trying again as long as the store fails; ``disable`` says why to disable the webhook.

        :raises CancelledError: if the worker has stopped.
        """
        while True:
            try:
                current = await self._save(attempt, disable)
                break
            except Exception as error:
                if self._stopped and isinstance(error, CancelledError):
                    raise
                self._log_error("cannot save progress", error)
            if self._stopped:
                raise CancelledError
            await deferLater(self.clocks.clock, RETRY_STORE)
        if not current:
            self._stop()
            raise CancelledError

    async def _save(self, attempt: Attempt | None, disable: str | None = None) -> bool:
        """Save the progress; False if this worker must stop: the webhook was changed, disabled, or taken over."""
        progress = self._window.progress
        if disable is not None:
            assert attempt is not None
            await self.store.disable_webhook(progress, attempt, disable, self.rules)
            _log.warn("Webhook {webhook_id} is disabled: {reason}", webhook_id=progress.webhook, reason=disable)
            return False
        current: bool = await self.store.save_progress(progress, attempt)
        self._window.saved(progress)
        return current

    def _log_error(self, problem: str, error: Exception) -> None:
        """Log an exception that is being handled; with its traceback if nothing should have raised it."""
        text = "Webhook {webhook_id}: {problem}, retrying: {error}"
        webhook = self.subscription.webhook.id
        if isinstance(error, PushdError):
            _log.warn(text, webhook_id=webhook, problem=problem, error=str(error))
        else:
            _log.failure(text, webhook_id=webhook, problem=problem, error=repr(error))
