"""Wall time, a steady time that leaves out stalls of the server, and an elapsed time that no step moves."""

from collections.abc import Callable
from math import inf

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from pushd.model.timestamps import Now, milliseconds

STALL = 2.0
"""Seconds that a tick may be late; if it is later, the server has stalled."""

STEP = 1.0
"""Seconds by which the wall clock may deviate; more is a step: someone, or NTP, has set it."""


@define(eq=False)
class Clocks:
    """Wall time; steady time, which is the monotonic ``clock`` less the stalls of the server; and elapsed time, which
    is the monotonic clock, continued from the previous process.

    ``wall`` gives seconds since the epoch. :meth:`tick` must be called every ``interval`` seconds.
    """

    clock: IReactorTime
    wall: Callable[[], float]
    interval: float = 1.0
    uptime: Callable[[], float] = field()
    """Seconds of a monotonic clock that also counts while the machine is suspended."""
    _ticked: tuple[float, float] = field(default=(inf, 0.0), init=False)
    """When the last tick was, infinite before the first, and the seconds of all stalls so far: one value, as other
    threads read it.
    """
    _followed: tuple[float, int] | None = field(default=None, init=False)
    """Steady time in seconds, and that of all processes in milliseconds, at the same moment."""
    _origin: float = field(init=False)
    """Elapsed time when the monotonic clock was 0, in seconds."""
    _wall_origin: float = field(init=False)
    """The same of wall time, as far as its steps were accepted."""

    @uptime.default
    def _never_suspended(self) -> Callable[[], float]:
        return self.clock.seconds

    def __attrs_post_init__(self) -> None:
        self._origin = self._wall_origin = self.wall() - self.clock.seconds()

    def resume(self, now: Now) -> None:
        """Continue elapsed time from a previous process: this was its moment on all clocks."""
        self._origin = (now.elapsed - now.steady) / 1000 - self.stalled
        self.accept_step()

    def now(self) -> Now:
        """The current moment on all clocks; any thread may ask."""
        seconds, wall = self.clock.seconds(), self.wall()
        steady, elapsed = self._steady_at(seconds), seconds + self._origin
        return Now(round(wall * 1000), round(steady * 1000), round(elapsed * 1000))

    def wall_now(self) -> int:
        """Wall milliseconds."""
        return round(self.wall() * 1000)

    def elapsed_now(self) -> int:
        """Milliseconds of elapsed time."""
        return round((self._origin + self.clock.seconds()) * 1000)

    def to_wall(self, elapsed: int) -> int:
        """A moment of elapsed time in wall milliseconds, by what both clocks show now."""
        return elapsed + self.wall_now() - self.elapsed_now()

    def steady(self) -> float:
        """Seconds in which the server was running."""
        return self._steady_at(self.clock.seconds())

    def _steady_at(self, seconds: float) -> float:
        """Steady time at a moment of the monotonic clock, without the stall that the next tick would detect then."""
        ticked_at, stalled = self._ticked
        if seconds - ticked_at > self.interval + STALL:
            seconds = ticked_at + self.interval
        return seconds - stalled

    @property
    def stalled(self) -> float:
        """Seconds of all stalls that ticks have detected."""
        return self._ticked[1]

    def tick(self) -> float:
        """Detect a stall since the last tick, and leave it out of steady time; returns its seconds."""
        now, (before, stalled) = self.clock.seconds(), self._ticked
        stall = now - before - self.interval if now - before > self.interval + STALL else 0.0
        self._ticked = now, stalled + stall
        return stall

    def follow(self, shared: Now | None) -> None:
        """Keep to the time of all processes; None: there is no other one.

        What they know to be lost is left out of steady time, too. Elapsed time is that of the database, whose clock
        may deviate from this machine's, a little at each of its steps.
        """
        if shared is None:
            return
        own, before = self.steady(), self._followed
        self._followed = own, shared.steady
        if before is not None:
            lost = own - before[0] - (shared.steady - before[1]) / 1000
            if lost > STALL:
                self._ticked = self._ticked[0], self._ticked[1] + lost
                self._followed = self.steady(), shared.steady
        ahead = (self.elapsed_now() - shared.elapsed) / 1000
        if abs(ahead) > STEP:
            self._origin -= ahead

    @property
    def step(self) -> int:
        """Milliseconds by which the wall clock was set forward since :meth:`accept_step`; negative: back."""
        step = self.wall() - self.clock.seconds() - self._wall_origin
        return milliseconds(step) if abs(step) > STEP else 0

    def accept_step(self) -> None:
        """Measure further steps from the present wall time."""
        self._wall_origin = self.wall() - self.clock.seconds()
