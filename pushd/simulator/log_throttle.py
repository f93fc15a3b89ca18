"""What devices complain of: a line now and then, however many complain at once."""

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pushd.simulator.http import HungUp

_log = Logger()


@define(eq=False, kw_only=True)
class Complaints:
    """Logs the first complaint, then one in ``every`` so many seconds, with the number of those that were not
    logged.
    """

    clock: IReactorTime
    every: float = 5.0
    _silent_until: float = field(default=0.0, init=False)
    _others: int = field(default=0, init=False)

    def hear(self, device: str, what: str, problem: Exception) -> None:
        """Log, or count, that a device had no answer to its poll or the like; that we hung up ourselves is no
        complaint.
        """
        if isinstance(problem, HungUp):
            return
        now = self.clock.seconds()
        if now < self._silent_until:
            self._others += 1
            return
        _log.warn(
            "{device} had no answer to its {what}: {problem} (and {others} such since the last of these lines)",
            device=device,
            what=what,
            problem=problem,
            others=self._others,
        )
        self._silent_until, self._others = now + self.every, 0
