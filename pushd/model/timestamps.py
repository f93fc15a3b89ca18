"""Timestamps: wall time for people, steady time for timeouts, elapsed time for durations that outlive the process.

All are whole milliseconds. Wall time counts from the Unix epoch, and jumps when the clock is set. Steady time counts
only while this process serves: it does not jump, and does not run while the server is down or stalls, so that no lease
or heartbeat timeout ends because of that. It can be compared only within one process. Elapsed time equals wall time
when a database is created; from then on it never jumps with the wall clock and never goes back, not even over a
restart, and it counts the time while the server is down. So it is stored, but not shown to people.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from attrs import field, frozen

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)

_FORM = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
"""Python reads more of ISO 8601 than RFC 3339 allows: weeks, commas, hours alone."""

MIN_MOMENT = -62135596800000
MAX_MOMENT = 253402300799999
"""The first millisecond of the year 1 and the last of 9999: the limits of RFC 3339 and of Python."""


DAY = 86_400_000
"""Milliseconds."""

LARGE_STEP = 60_000
"""Milliseconds: after a larger step of the wall clock, retention waits until the clock can be believed again."""


@frozen
class Now:
    """The current time on all clocks, in milliseconds; ``elapsed`` equals ``wall`` until the wall clock is set."""

    wall: int
    steady: int
    elapsed: int = field()

    @elapsed.default
    def _no_step(self) -> int:
        return self.wall

    def elapsed_at(self, wall: int) -> int:
        """A moment of wall time as elapsed time, by what both clocks show now."""
        return self.elapsed + wall - self.wall


def milliseconds(seconds: float) -> int:
    """A duration in seconds as whole milliseconds."""
    return round(seconds * 1000)


def to_rfc3339(moment: int) -> str:
    """Wall milliseconds as RFC 3339 in UTC with milliseconds, ``2026-01-02T03:04:05.678Z``."""
    second, rest = divmod(moment, 1000)
    return f"{_second(second)}.{rest:03}Z"


@lru_cache(maxsize=1024)  # timestamps that are shown together are mostly within few seconds
def _second(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).isoformat(timespec="seconds").removesuffix("+00:00")


def from_rfc3339(text: str) -> int:
    """RFC 3339 (section 5.6) as wall milliseconds; the first or last one, if the offset leads before or after it.

    :raises ValueError: if it is no timestamp, or has no offset from UTC.
    """
    if not _FORM.fullmatch(text):
        raise ValueError("not an RFC 3339 time")
    moment = (datetime.fromisoformat(text.upper()) - _EPOCH) // _MS
    return min(max(moment, MIN_MOMENT), MAX_MOMENT)
