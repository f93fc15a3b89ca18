"""Wall time, a steady time that leaves out stalls of the server, and an elapsed time that no step moves."""

from collections.abc import Callable

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
    stalled: float = field(default=0.0, init=False)
    """Seconds of all stalls so far."""
    _ticked_at: float | None = field(default=None, init=False)
    _origin: float = field(init=False)
    """Elapsed time when the monotonic clock was 0, in seconds."""
    _wall_origin: float = field(init=False)
    """The same of wall time, as far as its steps were accepted."""

    @uptime.default
    def _never_suspended(self) -> Callable[[], float]:
        return self.clock.seconds

    def __attrs_post_init__(self) -> None:
        self._origin = self._wall_origin = self.wall() - self.clock.seconds()

    def resume(self, elapsed: int, at: Now) -> None:
        """Continue elapsed time from a previous process: it was ``elapsed`` ``at`` this moment."""
        self._origin = (elapsed - at.steady) / 1000 - self.stalled
        self.accept_step()

    def now(self) -> Now:
        """The current moment on all clocks."""
        seconds, wall = self.clock.seconds(), self.wall()
        steady, elapsed = seconds - self.stalled, seconds + self._origin
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
        return self.clock.seconds() - self.stalled

    def tick(self) -> float:
        """Detect a stall since the last tick, and leave it out of steady time; returns its seconds."""
        now, before = self.clock.seconds(), self._ticked_at
        self._ticked_at = now
        if before is None or now - before <= self.interval + STALL:
            return 0.0
        stall = now - before - self.interval
        self.stalled += stall
        return stall

    @property
    def step(self) -> int:
        """Milliseconds by which the wall clock was set forward since :meth:`accept_step`; negative: back."""
        step = self.wall() - self.clock.seconds() - self._wall_origin
        return milliseconds(step) if abs(step) > STEP else 0

    def accept_step(self) -> None:
        """Measure further steps from the present wall time."""
        self._wall_origin = self.wall() - self.clock.seconds()
