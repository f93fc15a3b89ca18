"""The feed: what happened, in order, missing nothing."""

from attrs import define, field

from pushd.core.clocks import Clocks
from pushd.core.events.broadcaster import Broadcaster
from pushd.core.events.follower import IReader, Subscriber
from pushd.core.events.recent_events import RecentEvents, passes
from pushd.core.waiters import Waiters
from pushd.model.event import Event
from pushd.store.filters import EventFilter, EventPage
from pushd.store.interface import IStore


@define(eq=False)
class Feed:
    """Reads the feed, waits for it to go on, and follows it."""

    store: IStore
    clocks: Clocks
    _grown: Waiters[None] = field(init=False)
    _tail: RecentEvents = field(factory=RecentEvents, init=False)
    _audience: Broadcaster = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._grown = Waiters(self.clocks.clock)
        self._audience = Broadcaster(self.store, self._tail, self.clocks.clock)
        self.store.subscribe(self._heard)

    async def read(self, which: EventFilter, after: int, limit: int, seconds: float = 0) -> EventPage:
        """Up to ``limit`` events after the one with this ``seq``; waits up to ``seconds`` for the first of them.

        :raises EventsPurged: if some of those are no longer kept.
        """
        clock = self.clocks.clock
        until = clock.seconds() + seconds
        page = None
        while True:
            grown = self._grown.listen(None, max(until - clock.seconds(), 0))
            try:
                if page is None or not self._tail.reaches(page.next):
                    page = await self.store.events(which, page.next if page else after, limit)
                else:
                    page = self._from_tail(which, page.next, limit)
                if page.items or not await grown:
                    return page
            finally:
                grown.cancel()

    async def last_seq(self) -> int:
        """The ``seq`` of the newest event."""
        newest = await self.store.last_event()
        self._tail.learn(newest)
        return newest

    async def check_position(self, after: int) -> None:
        """Whether the feed can be followed from behind the event with this ``seq``.

        :raises EventsPurged: if some of what follows is no longer kept.
        :raises InvalidQuery: if there is no such event yet.
        """
        await self.store.events(EventFilter(), after, 1)

    def follow(self, which: EventFilter, after: int, reader: IReader) -> Subscriber:
        """Let somebody be told of all that comes after an event, from when it is first resumed until it leaves."""
        return self._audience.admit(which, after, reader)

    def drain(self) -> None:
        """Let everybody who waits or follows go."""
        self._grown.silence()
        self._audience.drain()

    def _from_tail(self, which: EventFilter, after: int, limit: int) -> EventPage:
        new = self._tail.after(after)
        items = tuple(event for event in new if passes(which, event))[:limit]
        newest = new[-1].seq if new else after
        return EventPage(items=items, next=items[-1].seq if len(items) == limit else newest)

    def _heard(self, event: Event) -> None:
        self._tail.hear(event)
        self._audience.stir()
        self._grown.ring(None)
