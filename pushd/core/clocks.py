"""Wall time, and a steady time that leaves out stalls of the server."""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from pushd.model.timestamps import Now

STALL = 2.0
"""Seconds that a tick may be late; if it is later, the server has stalled."""


@define(eq=False)
class Clocks:
    """Wall time, and steady time: the seconds of the monotonic ``clock``, less those in which the server was stalled.

    ``wall`` gives seconds since the epoch. :meth:`tick` must be called every ``interval`` seconds.
    """

    clock: IReactorTime
    wall: Callable[[], float]
    interval: float = 1.0
    _stalled: float = field(default=0.0, init=False)
    """Seconds of all stalls so far."""
    _ticked_at: float | None = field(default=None, init=False)

    def now(self) -> Now:
        """The current moment on both clocks."""
        return Now(self.wall_now(), round(self.steady() * 1000))

    def wall_now(self) -> int:
        """Wall milliseconds."""
        return round(self.wall() * 1000)

    def steady(self) -> float:
        """Seconds in which the server was running."""
        return self.clock.seconds() - self._stalled

    def tick(self) -> float:
        """Detect a stall since the last tick, and leave it out of steady time; returns its seconds."""
        now, before = self.clock.seconds(), self._ticked_at
        self._ticked_at = now
        if before is None or now - before <= self.interval + STALL:
            return 0.0
        stall = now - before - self.interval
        self._stalled += stall
        return stall
