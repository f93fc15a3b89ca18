"""Push events to many subscribers, a slice of them in each reactor turn, so that polls never wait for all of them."""

from collections import deque
from collections.abc import Callable, Sequence

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pushd.core.events.recent_events import RecentEvents, select
from pushd.model.errors import PushdError
from pushd.model.event import Event
from pushd.store.filters import EventFilter, EventPage
from pushd.store.interface import IStore

SLICE_SIZE = 32
"""Subscribers that are served in one reactor turn."""

IMMEDIATE_UP_TO = 16
"""With at most so many subscribers, each event is pushed at once."""

DELAY_PER_SUBSCRIBER = 0.0002
"""Seconds that a flush waits for further events, per subscriber: a thousand are written to five times a second."""

MAX_DELAY = 1.0
"""Seconds."""

KEEP_ALIVE = 15.0
"""Seconds without an event after which a subscriber gets a keep-alive, at most :data:`TICK` early."""

MAX_PAUSE = 30.0
"""Seconds for which a subscriber may be paused before it is disconnected."""

TICK = 1.0
"""Seconds between two flushes at most: each also checks for keep-alives and for pauses that last too long."""

BATCH_SIZE = 100
"""Events that a subscriber gets in one call."""


@define(eq=False, kw_only=True)
class Subscriber:
    """A client of the event stream. It is paused until :meth:`resume` is called for the first time.

    ``on_events`` gets events in their order, ``on_keep_alive`` the ``seq`` up to which there are no others. The server
    ends a subscription by ``on_end``, or by ``on_abort`` if the client still has not received earlier events.
    """

    event_filter: EventFilter
    position: int
    """The ``seq`` of the last event that was pushed, or that the filter left out."""
    on_events: Callable[[Sequence[Event]], None]
    on_keep_alive: Callable[[int], None]
    on_end: Callable[[], None]
    on_abort: Callable[[], None]
    _broadcaster: "Broadcaster"
    _active_at: float = field(init=False)
    """When something was last pushed or, while it is paused, when the pause began; in the clock's seconds."""
    _paused: Deferred[None] | None = field(factory=Deferred, init=False)
    """Fires when it is resumed; None if it is not paused."""
    _catching_up: Deferred[None] | None = field(default=None, init=False)
    """Runs while older events are read from the store; None if the ring buffer is enough."""
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._active_at = self._broadcaster.clock.seconds()

    def pause(self) -> None:
        """The client cannot receive more for now."""
        if self._paused is None:
            self._paused, self._active_at = Deferred(), self._broadcaster.clock.seconds()

    def resume(self) -> None:
        """The client can receive more."""
        paused, self._paused = self._paused, None
        self._active_at = self._broadcaster.clock.seconds()
        if paused is not None:
            paused.callback(None)
        self._push()

    def flush(self) -> None:
        """Push new events, or a keep-alive if one is due; disconnect the client if it is too slow."""
        if self._paused is not None:
            self._check_pause()
            return
        self._push()
        if self._paused is None and self._idle_for() > KEEP_ALIVE - TICK:
            self._active_at = self._broadcaster.clock.seconds()
            self.on_keep_alive(self.position)

    def end(self) -> None:
        """Disconnect the client; it may connect again and continue where it stopped."""
        self.unsubscribe()
        if self._paused is not None:
            self.on_abort()
        else:
            self.on_end()

    def unsubscribe(self) -> None:
        """Push nothing any more: the client has disconnected."""
        self._broadcaster.remove(self)
        if self._catching_up is not None:
            self._catching_up.cancel()

    def _idle_for(self) -> float:
        return self._broadcaster.clock.seconds() - self._active_at

    def _check_pause(self) -> None:
        """Disconnect a client that is paused for too long, or that has missed events which the ring buffer had."""
        missed = self._catching_up is None and not self._broadcaster.recent.covers(self.position)
        if missed or self._idle_for() >= MAX_PAUSE:
            self.end()

    def _push(self) -> None:
        """Push from the ring buffer; if that does not reach back far enough, read from the store first."""
        if self._catching_up is not None:
            return
        if self._broadcaster.recent.covers(self.position):
            self._push_recent()
        else:
            catching_up = Deferred.fromCoroutine(self._catch_up())
            if not catching_up.called:
                self._catching_up = catching_up

    def _push_recent(self) -> None:
        new = self._broadcaster.recent.after(self.position)
        batch = new[:BATCH_SIZE]
        if batch:
            self._deliver(select(self.event_filter, batch), batch[-1].seq)
        if len(new) > BATCH_SIZE:
            self._broadcaster.schedule_flush()

    async def _catch_up(self) -> None:
        try:
            await self._read_missed()
        except CancelledError:
            return
        except PushdError as error:
            self._log.warn("Event stream client disconnected: {error}", error=str(error))
        except Exception:
            self._log.failure("Event stream client disconnected: unhandled exception")
        else:
            self._catching_up = None
            self._push()
            return
        self._catching_up = None
        self.end()

    async def _read_missed(self) -> None:
        """Push page by page from the store, until the ring buffer has all that follows and the client is not paused.

        A page that arrives during a pause is dropped and read again, so that slow clients hold no memory.
        """
        while True:
            if self._paused is not None:
                await self._paused
            if self._broadcaster.recent.covers(self.position):
                return
            page = await self._broadcaster.read(self.event_filter, self.position)
            if self._paused is None:
                self._deliver(page.items, page.next)

    def _deliver(self, events: Sequence[Event], position: int) -> None:
        self.position = position
        if events:
            self._active_at = self._broadcaster.clock.seconds()
            self.on_events(events)


@define(eq=False)
class Broadcaster:
    """Flushes all subscribers after each event, and if there is none for a second."""

    store: IStore
    recent: RecentEvents
    clock: IReactorTime
    subscribers: dict[Subscriber, None] = field(factory=dict, init=False)
    _unflushed: deque[Subscriber] = field(factory=deque, init=False)
    """Those that the current flush has not reached yet."""
    _requested: bool = field(default=False, init=False)
    """Whether another flush was requested since the last one began."""
    _next: IDelayedCall | None = field(default=None, init=False)
    """Begins the next flush, or continues this one; None if there are no subscribers."""
    _reading: DeferredLock = field(factory=DeferredLock, init=False)
    _closed: bool = field(default=False, init=False)

    def add(self, subscriber: Subscriber) -> None:
        """Serve a subscriber from now on."""
        if self._closed:
            subscriber.on_end()
            return
        self.subscribers[subscriber] = None
        if self._next is None:
            self._call_after(TICK)

    def remove(self, subscriber: Subscriber) -> None:
        """Serve a subscriber no more."""
        self.subscribers.pop(subscriber, None)
        if not self.subscribers:
            self._cancel_call()
            self._unflushed.clear()
            self._requested = False

    def schedule_flush(self) -> None:
        """There is something to push: flush all subscribers soon."""
        if self._next is not None and not self._requested:
            self._requested = True
            if not self._unflushed:
                self._call_after(self._delay())

    async def read(self, event_filter: EventFilter, after: int) -> EventPage:
        """Up to :data:`BATCH_SIZE` stored events; one page at a time, so that many clients that are far behind do not
        fill the memory.
        """
        async with self._reading:
            page = await self.store.events(event_filter, after, BATCH_SIZE)
        if len(page.items) < BATCH_SIZE:
            self.recent.set_newest(page.next)
        return page

    def drain(self) -> None:
        """Disconnect all subscribers, now and from now on."""
        self._closed = True
        self.end_all()

    def end_all(self) -> None:
        """Disconnect all subscribers."""
        for subscriber in list(self.subscribers):
            subscriber.end()

    def __len__(self) -> int:
        return len(self.subscribers)

    def _delay(self) -> float:
        count = len(self.subscribers)
        return 0 if count <= IMMEDIATE_UP_TO else min(count * DELAY_PER_SUBSCRIBER, MAX_DELAY)

    def _flush_slice(self) -> None:
        """Flush some subscribers; then the others, or all again after the next event or :data:`TICK`."""
        self._call_after(TICK)  # for the case that a subscriber raises
        if not self._unflushed:
            self._requested, self._unflushed = False, deque(self.subscribers)
        for _ in range(SLICE_SIZE):
            if self._unflushed and (subscriber := self._unflushed.popleft()) in self.subscribers:
                subscriber.flush()
        if self._unflushed:
            self._call_after(0)
        elif self.subscribers:
            self._call_after(self._delay() if self._requested else TICK)

    def _call_after(self, seconds: float) -> None:
        self._cancel_call()
        self._next = self.clock.callLater(seconds, self._flush_slice)

    def _cancel_call(self) -> None:
        call, self._next = self._next, None
        if call is not None and call.active():
            call.cancel()
