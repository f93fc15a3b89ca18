"""The time of the service, as a node knows it between two beats."""

from collections.abc import Callable

from attrs import define, field

from pushd.model.timestamps import Now, milliseconds
from pushd.store.postgres.node import Beat


@define(eq=False)
class ServiceClock:
    """The database's time as of the last beat, and what has passed since then by the clock of the machine.

    Nothing that is stored is computed from it: transactions read the database's clock. Any thread may ask.
    ``uptime`` gives seconds of a clock that counts while the machine is suspended, ``machine`` wall seconds of the
    machine, which count until the first beat.
    """

    uptime: Callable[[], float]
    machine: Callable[[], float]
    _last: tuple[Beat, int] | None = field(default=None, init=False)
    """The last beat, and when it was answered as if it had taken no time, in milliseconds of ``uptime``."""

    def follow(self, beat: Beat) -> None:
        """Go by a beat from now on. The database's clock was read while it was on its way, which may have been long:
        what was known before stays, as far as it is possible still.
        """
        read_at = (beat.sent + beat.received) // 2
        if self._last is not None:
            before, at = self._last
            read_at = min(max(at + beat.wall - before.wall, beat.sent), beat.received)
        self._last = beat, read_at

    def now(self) -> Now:
        """The current time."""
        if self._last is None:
            return Now(milliseconds(self.machine()), milliseconds(self.uptime()))
        last, read_at = self._last
        passed = milliseconds(self.uptime()) - read_at
        return Now(last.now.wall + passed, last.now.steady + passed, last.now.elapsed + passed)

    def wall(self) -> float:
        """Seconds since the epoch."""
        return self.now().wall / 1000
