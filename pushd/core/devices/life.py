"""A life: what memory holds of a device's presence."""

from math import inf
from statistics import median

from attrs import define, field

from pushd.core.timers import Slot
from pushd.model.device import PresenceState

GAPS_KEPT = 9
"""Gaps between polls that the median is made of."""


@define(eq=False)
class DevicePresence:
    """What memory holds of a device; ``last_seen_at`` in wall milliseconds, ``idle_since`` in the clock's seconds."""

    device: str
    state: PresenceState = PresenceState.NEVER_SEEN
    spoke_at: float = 0.0
    """When it last gave a sign of life, in steady seconds."""
    timeout: float = inf
    """For how many seconds its silence is normal; without end until it is recorded."""
    slot: Slot["DevicePresence"] | None = field(
        default=None, repr=False
    )  # which names all others in it, and each of them it
    """Where the watchdog looks at it next; of those that came up before, it is the last."""
    polls: int = 0
    last_seen_at: int | None = None
    address: str | None = None
    idle_since: float | None = None
    gaps: tuple[float, ...] = ()
    written: bool = True
    """Whether the store was told of the state, or is about to be."""

    @property
    def poll_gap(self) -> float | None:
        """Median seconds from our idle answer to the next poll."""
        return round(median(self.gaps), 3) if self.gaps else None

    def end_gap(self, now: float) -> None:
        """A poll has come: since the one before was answered idle, if it was, the device was deaf until ``now``."""
        if self.idle_since is not None:
            self.gaps = (*self.gaps, now - self.idle_since)[-GAPS_KEPT:]
            self.idle_since = None
