"""The killer: chooses the moments at which the server dies."""

from collections import Counter
from enum import StrEnum
from random import Random

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from tests.crash.server import Server

KILLS_PER_LULL = 16
LULL = 7.0
"""Seconds without a kill, so that leases of 5 lapse and are swept: no lease lapses before the server is up so long."""

_OBSTRUCTION = (0.5, 6.5)
"""Seconds of a lull in which nothing can be written: the server waits 5 before it says that it cannot serve."""

_LONGEST_WAIT = 2.0
"""Seconds to wait for an occasion before the server is killed without one."""


class Occasion(StrEnum):
    """A moment at which losing something would be noticed."""

    ANY = "at any moment"
    STARTING = "while it started"
    ACCEPTED = "right after a 201"
    HANDED = "right after a device got a command"
    REPORTED = "right after a result's 200"


_AWAITED = (Occasion.ACCEPTED, Occasion.HANDED, Occasion.REPORTED)


@define(eq=False)
class Killer:
    """Kills the server and starts it again, as often as there is time for."""

    server: Server
    clock: IReactorTime
    chance: Random
    struck: Counter[Occasion] = field(factory=Counter, init=False)
    obstructions: int = field(default=0, init=False)
    _deck: list[Occasion] = field(factory=list, init=False)
    _awaited: Occasion | None = field(default=None, init=False)
    _seen: Deferred[Occasion] | None = field(default=None, init=False)

    def saw(self, occasion: Occasion) -> None:
        """Told by whoever sees it, in that very call: if it is the awaited one, the server dies before this
        returns.
        """
        if occasion is self._awaited and self._seen is not None:
            self.server.kill()
            self._tell(occasion)

    async def rage(self, kills: int, until: float) -> None:
        """Kill so many times, or until that moment; the server runs in the end."""
        for number in range(kills):
            if number % KILLS_PER_LULL == KILLS_PER_LULL // 2:
                await self._lull()
            left = until - self.clock.seconds()
            if left <= 0:
                break
            lulls = _lulls(kills) - _lulls(number + 1)
            pause = max((left - lulls * LULL) / (kills - number) - self.server.startup, 0.0)
            await self._strike(min(self.chance.uniform(0, 2 * pause), left))
            self.server.start()
        await self.server.up()

    async def _strike(self, pause: float) -> None:
        occasion = self._draw()
        if occasion is Occasion.STARTING:
            await deferLater(self.clock, self.chance.uniform(0, self.server.startup))
        else:
            await self.server.up()
            await deferLater(self.clock, pause)
            self.server.check()
        if occasion in _AWAITED:
            occasion = await self._await(occasion)
        await self.server.end()
        self.struck[occasion] += 1

    async def _lull(self) -> None:
        obstruction = self.chance.uniform(*_OBSTRUCTION)
        await self.server.up()
        await self.server.obstruct(obstruction)
        self.obstructions += 1
        await deferLater(self.clock, LULL - obstruction)

    def _draw(self) -> Occasion:
        """Each occasion once, in any order, then all over again."""
        if not self._deck:
            self._deck = self.chance.sample(list(Occasion), len(Occasion))
        return self._deck.pop()

    async def _await(self, occasion: Occasion) -> Occasion:
        self._awaited, self._seen = occasion, Deferred()
        late = self.clock.callLater(_LONGEST_WAIT, self._tell, Occasion.ANY)
        try:
            return await self._seen
        finally:
            if late.active():
                late.cancel()

    def _tell(self, occasion: Occasion) -> None:
        seen, self._awaited, self._seen = self._seen, None, None
        if seen is not None:
            seen.callback(occasion)


def _lulls(kills: int) -> int:
    """How many lulls there are among so many kills: one halfway through each lot."""
    return (kills + KILLS_PER_LULL // 2 - 1) // KILLS_PER_LULL
