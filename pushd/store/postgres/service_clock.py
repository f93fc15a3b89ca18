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
    _last: Beat | None = field(default=None, init=False)

    def follow(self, beat: Beat) -> None:
        """Go by a beat from now on."""
        self._last = beat

    def now(self) -> Now:
        """The current time."""
        last = self._last
        if last is None:
            return Now(milliseconds(self.machine()), milliseconds(self.uptime()))
        passed = milliseconds(self.uptime()) - (last.sent + last.received) // 2
        return Now(last.now.wall + passed, last.now.steady + passed, last.now.elapsed + passed)

    def wall(self) -> float:
        """Seconds since the epoch."""
        return self.now().wall / 1000
