"""Ticks: things that may happen a moment later than asked share one timer, for there are ten thousands of them."""

from math import ceil
from typing import Protocol

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

GRAIN = 0.25
"""Seconds between two ticks: so much later, at most, something happens."""


class ICoarseTimed(Protocol):
    """What waits for a tick."""

    def tick(self) -> None:
        """It is time."""


@define(eq=False)
class CoarseTimer:
    """A moment at which something is to happen, for all of these."""

    waiting: set[ICoarseTimed]
    timer: IDelayedCall


@define(eq=False)
class CoarseTimers:
    """One timer for each tick that somebody waits for."""

    clock: IReactorTime
    _ticks: dict[int, CoarseTimer] = field(factory=dict, init=False)

    def put(self, thing: ICoarseTimed, moment: float) -> int:
        """Have a thing ticked once at this moment of the clock, or a little later; by which tick."""
        number = ceil(moment / GRAIN)
        tick = self._ticks.get(number)
        if tick is None:
            left = max(number * GRAIN - self.clock.seconds(), 0)
            tick = self._ticks[number] = CoarseTimer(set(), self.clock.callLater(left, self._ring, number))
        tick.waiting.add(thing)
        return number

    def remove(self, thing: ICoarseTimed, number: int) -> None:
        """Have a thing ticked no more."""
        tick = self._ticks.get(number)
        if tick is None:
            return
        tick.waiting.discard(thing)
        if not tick.waiting:
            tick.timer.cancel()
            del self._ticks[number]

    def _ring(self, number: int) -> None:
        for thing in self._ticks.pop(number).waiting:
            thing.tick()
