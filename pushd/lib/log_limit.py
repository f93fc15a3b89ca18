"""A limit of what is logged about requests, so that no client can fill the disk through the log."""

from collections.abc import Callable

from attrs import define, field

BURST = 100
"""How many lines may be logged at once."""

REFILL_SECONDS = 10.0
"""How long it takes until one more line may be logged."""


@define(eq=False)
class LogLimit:
    """Counts log lines; ``now`` gives monotonic seconds."""

    now: Callable[[], float]
    _left: float = field(default=BURST, init=False)
    _counted_at: float = field(default=0.0, init=False)
    _dropped: int = field(default=0, init=False)

    def allows(self) -> bool:
        """Whether one more line may be logged now."""
        now = self.now()
        self._left = min(BURST, self._left + (now - self._counted_at) / REFILL_SECONDS)
        self._counted_at = now
        if self._left < 1:
            self._dropped += 1
            return False
        self._left -= 1
        return True

    def take_dropped(self) -> int:
        """How many lines were not logged since the last call."""
        dropped, self._dropped = self._dropped, 0
        return dropped
