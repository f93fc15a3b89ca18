"""
The feed: what happened, in order, missing nothing.
"""

from attrs import define, field

from pushd.core.bells import Bells
from pushd.core.clocks import Clocks
from pushd.model.events import Event
from pushd.store.interface import EventFilter, EventPage, IStore


@define(eq=False)
class Feed:
    """
    Reads the feed, and waits for it to go on.
    """

    store: IStore
    clocks: Clocks
    _grown: Bells[None] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._grown = Bells(self.clocks.clock)
        self.store.subscribe(self._heard)

    async def read(self, which: EventFilter, after: int, limit: int, seconds: float = 0) -> EventPage:
        """
        Up to ``limit`` events after the one with this ``seq``; waits up to ``seconds`` for the first of them.

        :raises EventsPurged: if some of those are no longer kept.
        """
        clock = self.clocks.clock
        until = clock.seconds() + seconds
        while True:
            grown = self._grown.listen(None, max(until - clock.seconds(), 0))
            try:
                page = await self.store.events(which, after, limit)
                if page.items or not await grown:
                    return page
            finally:
                grown.cancel()
            after = page.next

    async def last(self) -> int:
        """
        The ``seq`` of the newest event.
        """
        return await self.store.last_event()

    def drain(self) -> None:
        """
        Let everybody who waits go.
        """
        self._grown.silence()

    def _heard(self, _event: Event) -> None:
        self._grown.ring(None)
