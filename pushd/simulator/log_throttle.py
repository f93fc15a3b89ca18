"""Log lines about failed requests, at a limited rate however many devices fail."""

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

_log = Logger()


@define(eq=False, kw_only=True)
class LogThrottle:
    """Logs the first failed request, then at most one per ``interval`` seconds, with the number of those between."""

    clock: IReactorTime
    interval: float = 5.0
    _next_at: float = field(default=0.0, init=False)
    _suppressed: int = field(default=0, init=False)

    def warn(self, device_id: str, problem: str, error: Exception) -> None:
        """Log or count a failed request; ``problem`` says which and what follows, as in "poll failed, will retry"."""
        now = self.clock.seconds()
        if now < self._next_at:
            self._suppressed += 1
            return
        _log.warn(
            "{device_id}: {problem}: {error} ({suppressed} more failed requests since the last such line)",
            device_id=device_id,
            problem=problem,
            error=error,
            suppressed=self._suppressed,
        )
        self._next_at, self._suppressed = now + self.interval, 0
