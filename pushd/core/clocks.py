"""The clocks that the core lives by."""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from pushd.model.timestamps import Now

STALL = 2.0
"""Seconds without a tick, beyond the interval, after which the time counts as lost by us."""


@define(eq=False)
class Clocks:
    """Wall time, and steady time: seconds of ``clock``, a monotonic one, less those in which we were stalled.

    ``wall`` gives seconds since the epoch. Somebody calls :meth:`tick` every ``interval`` seconds.
    """

    clock: IReactorTime
    wall: Callable[[], float]
    interval: float = 1.0
    _lost: float = field(default=0.0, init=False)
    _ticked: float | None = field(default=None, init=False)

    def now(self) -> Now:
        """The instant that it is."""
        return Now(self.wall_now(), round(self.steady() * 1000))

    def wall_now(self) -> int:
        """Wall milliseconds."""
        return round(self.wall() * 1000)

    def steady(self) -> float:
        """Seconds in which we served."""
        return self.clock.seconds() - self._lost

    def tick(self) -> float:
        """Notice a stall of ours, and take it out of steady time; how many seconds it was."""
        now, before = self.clock.seconds(), self._ticked
        self._ticked = now
        if before is None or now - before <= self.interval + STALL:
            return 0.0
        stalled = now - before - self.interval
        self._lost += stalled
        return stalled
