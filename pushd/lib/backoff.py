"""When to try again what has failed: exponential backoff with jitter, and ``Retry-After``."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

FIRST_RETRY = 5.0
"""Seconds to the first retry of :func:`retry_delay`; from then on, the time since the first failure doubles."""

MAX_RETRY_DELAY = 6 * 3600.0
"""Seconds between two attempts at most, whatever ``Retry-After`` says."""

JITTER = 0.2
"""By how much of itself a :func:`retry_delay` varies, so that retries of many senders spread out."""

MAX_BACKOFF = 300.0
"""Seconds of a :class:`Backoff` at most."""

_MAX_DOUBLINGS = 16
"""2.0 ** 1024 would raise OverflowError."""


@define(eq=False)
class Backoff:
    """Exponential backoff: one second after the first failure, doubled after each further one, up to ``longest``.

    Each delay is shortened by up to a half of it at random (``rand`` gives 0 to 1), so that clients that fail together
    do not return together.
    """

    clock: IReactorTime
    rand: Callable[[], float]
    longest: float = MAX_BACKOFF
    _failures: int = field(default=0, init=False)
    _until: float = field(default=0.0, init=False)

    @property
    def remaining(self) -> float:
        """Seconds until the next attempt; 0 if it may be made now."""
        return max(self._until - self.clock.seconds(), 0.0)

    def record_failure(self) -> None:
        """An attempt has failed: begin the next delay."""
        longest = min(2.0 ** min(self._failures, _MAX_DOUBLINGS), self.longest)
        self._failures += 1
        self._until = self.clock.seconds() + longest * (1 - self.rand() / 2)

    def reset(self) -> None:
        """An attempt has succeeded: the next failure is a first one again."""
        self._failures, self._until = 0, 0.0


def retry_delay(elapsed: float, retry_after: float | None, rand: float) -> float:
    """Seconds to the next attempt, ``elapsed`` seconds after the first failure.

    It needs no count of the attempts, so it goes on over a restart. ``retry_after`` is a lower bound that the receiver
    asked for, in seconds; ``rand`` is from 0 to 1.
    """
    delay = (FIRST_RETRY + max(elapsed, 0.0)) * (1 - JITTER + 2 * JITTER * rand)
    return min(max(delay, retry_after or 0.0), MAX_RETRY_DELAY)


def read_retry_after(text: str | None, now: float) -> float | None:
    """``Retry-After`` (RFC 9110 section 10.2.3) in seconds from ``now``, which is seconds since the epoch; None if the
    header is missing or invalid.
    """
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - now, 0.0)
    except (ValueError, OverflowError):
        return None
