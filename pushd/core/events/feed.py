"""The event log: read it from any position, wait for the next events, or subscribe to it."""

from collections.abc import Callable, Sequence

from attrs import define, field

from pushd.core.clocks import Clocks
from pushd.core.events.broadcaster import Broadcaster, Subscriber
from pushd.core.events.recent_events import RecentEvents, select
from pushd.core.waiters import Waiters, Waits
from pushd.model.epochs import Epochs
from pushd.model.event import Event
from pushd.store.filters import EventFilter, EventPage
from pushd.store.interface import IStore

NEVER = 2**62
"""The ``seq`` of no event."""


@define(eq=False)
class Feed:
    """All events in the order of their commits, without gaps."""

    store: IStore
    clocks: Clocks
    epochs: Epochs
    _waiters: Waiters[None] = field(init=False)
    _recent: RecentEvents = field(factory=RecentEvents, init=False)
    _broadcaster: Broadcaster = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._waiters = Waiters(self.clocks.clock)
        self._broadcaster = Broadcaster(self.store, self._recent, self.clocks.clock)
        self.store.subscribe(self._on_event)

    async def read(
        self, event_filter: EventFilter, after: int, limit: int, seconds: float = 0, among: Waits | None = None
    ) -> EventPage:
        """Up to ``limit`` events after the one with this ``seq``; waits up to ``seconds`` for the first of them.

        ``among``: see :meth:`Waiters.wait`.

        :raises EventsPurged: if some of them are no longer kept.
        """
        clock = self.clocks.clock
        until = clock.seconds() + seconds
        page = None
        while True:
            changed = self._waiters.wait(None, max(until - clock.seconds(), 0), among)
            try:
                if page is None or not self._recent.covers(page.next):
                    page = await self.store.events(event_filter, page.next if page else after, limit)
                else:
                    page = self._recent_page(event_filter, page.next, limit)
                if page.items or not await changed:
                    return page
            finally:
                changed.cancel()

    async def last_seq(self) -> int:
        """The ``seq`` of the newest event."""
        newest = await self.store.last_event()
        self._recent.set_newest(newest)
        return newest

    async def position_before(self, since: int) -> int:
        """The position of all events since a time, in wall milliseconds; as :meth:`IStore.event_before`."""
        return await self.store.event_before(since)

    @property
    def newest(self) -> int | None:
        """The ``seq`` of the newest event of this process; None if there was none."""
        return self._recent.newest

    async def position(self, event_id: str) -> int:
        """The ``seq`` of the event with this id.

        :raises EventsPurged: if this database never had it.
        """
        number = self.epochs.event_number(event_id)
        if number is None:
            await self.check_position(NEVER)
        assert number is not None
        return number

    async def check_position(self, after: int) -> None:
        """Check that events can be read from behind the one with this ``seq``.

        :raises EventsPurged: if some of the events that follow are no longer kept, or there is no such event.
        """
        await self.store.events(EventFilter(), after, 1)

    def subscribe(
        self,
        event_filter: EventFilter,
        after: int,
        *,
        on_events: Callable[[Sequence[Event]], None],
        on_keep_alive: Callable[[int], None],
        on_end: Callable[[], None],
        on_abort: Callable[[], None],
    ) -> Subscriber:
        """Push all events after the one with this ``seq``, from the first :meth:`Subscriber.resume` on."""
        subscriber = Subscriber(
            event_filter=event_filter,
            position=after,
            on_events=on_events,
            on_keep_alive=on_keep_alive,
            on_end=on_end,
            on_abort=on_abort,
            broadcaster=self._broadcaster,
        )
        self._broadcaster.add(subscriber)
        return subscriber

    def end_streams(self) -> None:
        """Disconnect all streams; their clients may connect again."""
        self._broadcaster.end_all()

    def drain(self) -> None:
        """End all waits and subscriptions."""
        self._waiters.close()
        self._broadcaster.drain()

    def _recent_page(self, event_filter: EventFilter, after: int, limit: int) -> EventPage:
        new = self._recent.after(after)
        items = tuple(select(event_filter, new)[:limit])
        newest = new[-1].seq if new else after
        return EventPage(items=items, next=items[-1].seq if len(items) == limit else newest)

    def _on_event(self, event: Event) -> None:
        self._recent.append(event)
        if self._broadcaster.subscribers:
            self._broadcaster.schedule_flush()
        if self._waiters.waiting:
            self._waiters.notify(None)
