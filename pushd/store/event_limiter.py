"""A limit on the events that a device itself can cause, so that no device fills the event log."""

from collections.abc import Mapping
from typing import Any

from attrs import define, field

from pushd.model.event import EventType

MAX_PER_MINUTE = 60
"""Events of one type and device that are written in a minute; the rest are counted."""

MINUTE = 60_000
"""Milliseconds."""

LIMITED = frozenset(
    {EventType.DEVICE_ONLINE, EventType.DEVICE_SIGNED_OFF, EventType.DEVICE_CONFLICT, EventType.RESULT_ORPHANED}
)

Key = tuple[str, EventType]


@define
class Suppressed:
    """The events of one type and device that were not written in a minute: how many, and the data of the latest."""

    count: int
    data: Mapping[str, Any]


@define(eq=False)
class EventLimiter:
    """Counts events by device and type, in fixed minutes of elapsed time."""

    _minute: int = field(default=0, init=False)
    _written: dict[Key, int] = field(factory=dict, init=False)
    _suppressed: dict[Key, Suppressed] = field(factory=dict, init=False)
    _ended: dict[Key, Suppressed] = field(factory=dict, init=False)
    """Of earlier minutes, until it is reported."""

    def allow(self, device: str, kind: EventType, data: Mapping[str, Any], elapsed: int) -> bool:
        """Whether an event may be written; if not, it is counted."""
        self._advance(elapsed)
        key = (device, kind)
        written = self._written.get(key, 0)
        if written < MAX_PER_MINUTE:
            self._written[key] = written + 1
            return True
        before = self._suppressed.get(key)
        self._suppressed[key] = Suppressed(1 if before is None else before.count + 1, data)
        return False

    def take_ended(self, elapsed: int) -> Mapping[Key, Suppressed]:
        """What was suppressed in minutes that have ended; it is reported once."""
        self._advance(elapsed)
        ended, self._ended = self._ended, {}
        return ended

    def _advance(self, elapsed: int) -> None:
        """Begin another minute if one has ended."""
        if elapsed // MINUTE != self._minute:
            self._minute = elapsed // MINUTE
            self._ended |= self._suppressed
            self._written, self._suppressed = {}, {}
