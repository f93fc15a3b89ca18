"""The audience: everybody who follows the feed, told in rounds, so that many of them never keep a poll waiting."""

from collections import deque

from attrs import define, field
from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from pushd.core.events.follower import BATCH, PULSE, IReader, Subscriber
from pushd.core.events.recent_events import RecentEvents
from pushd.store.filters import EventFilter, EventPage
from pushd.store.interface import IStore

SLICE = 32
"""Followers that are visited in one turn of the reactor."""

HANDFUL = 16
"""So many followers, and fewer, are told of each event at once."""

DELAY = 0.0002
"""Seconds per follower that a round waits for further events: a thousand are told five times in a second."""

LONGEST_DELAY = 1.0
"""Seconds."""


@define(eq=False)
class Broadcaster:
    """Visits each follower after each event, and every second."""

    store: IStore
    tail: RecentEvents
    clock: IReactorTime
    _followers: dict[Subscriber, None] = field(factory=dict, init=False)
    _unvisited: deque[Subscriber] = field(factory=deque, init=False)
    _stirred: bool = field(default=False, init=False)
    """Whether something has happened since the last round began."""
    _round: IDelayedCall | None = field(default=None, init=False)
    """What begins the next round, or goes on with this one."""
    _pulse: IDelayedCall | None = field(default=None, init=False)
    _one_reads: DeferredLock = field(factory=DeferredLock, init=False)
    _closed: bool = field(default=False, init=False)

    def admit(self, which: EventFilter, after: int, reader: IReader) -> Subscriber:
        """Let somebody follow the feed from behind an event; it begins when it is resumed."""
        follower = Subscriber(which, after, reader, self)
        if self._closed:
            reader.end()
            return follower
        self._followers[follower] = None
        if self._pulse is None:
            self._pulse = self.clock.callLater(PULSE, self._beat)
        return follower

    def dismiss(self, follower: Subscriber) -> None:
        self._followers.pop(follower, None)
        if not self._followers:
            self._rest()

    def stir(self) -> None:
        self._stirred = True
        if self._followers and self._round is None and not self._unvisited:
            self._round = self.clock.callLater(self._delay(), self._begin)

    async def read(self, which: EventFilter, after: int) -> EventPage:
        """See :meth:`pushd.core.events.follower.IAudience.read`; one after the other, so that many who are far behind
        are not in memory with all that they have missed.
        """
        async with self._one_reads:
            page = await self.store.events(which, after, BATCH)
        if len(page.items) < BATCH:
            self.tail.learn(page.next)
        return page

    def drain(self) -> None:
        """Let everybody go, now and from now on."""
        self._closed = True
        for follower in list(self._followers):
            follower.end()

    def __len__(self) -> int:
        return len(self._followers)

    def _delay(self) -> float:
        count = len(self._followers)
        return 0 if count <= HANDFUL else min(count * DELAY, LONGEST_DELAY)

    def _begin(self) -> None:
        self._stirred = False
        self._unvisited = deque(self._followers)
        self._visit()

    def _visit(self) -> None:
        self._round = None
        for _ in range(min(SLICE, len(self._unvisited))):
            follower = self._unvisited.popleft()
            if follower in self._followers:
                follower.visit()
        if self._unvisited:
            self._round = self.clock.callLater(0, self._visit)
        elif self._stirred:
            self.stir()

    def _beat(self) -> None:
        self._pulse = self.clock.callLater(PULSE, self._beat)
        if self._round is None:
            self._begin()

    def _rest(self) -> None:
        for call in (self._round, self._pulse):
            if call is not None and call.active():
                call.cancel()
        self._round = self._pulse = None
        self._unvisited.clear()
