"""Retries: when an event that could not be delivered is tried again. Pure."""

from email.utils import parsedate_to_datetime

FIRST = 5.0
"""Seconds to the second attempt; from then on, the time since the first failure doubles with each."""

LONGEST = 6 * 3600.0
"""Seconds between two attempts, whatever the receiver asks for."""

PATIENCE = 3 * 86400.0
"""Seconds after the first failure of an event, after which its webhook is disabled."""

JITTER = 0.2
"""How much a delay varies, as a part of it, so that receivers who were down are not run down together."""


def delay(elapsed: float, asked: float | None, chance: float) -> float:
    """Seconds to the next attempt, ``elapsed`` seconds after the first failure; ``chance`` is from 0 to 1.

    ``asked`` is what the receiver said in ``Retry-After``.
    """
    backoff = (FIRST + max(elapsed, 0.0)) * (1 - JITTER + 2 * JITTER * chance)
    return min(max(backoff, asked or 0.0), LONGEST)


def read_retry_after(text: str | None, now: float) -> float | None:
    """``Retry-After`` (RFC 9110 section 10.2.3) as seconds from ``now``, seconds since the epoch; None if it says
    nothing that we understand.
    """
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - now, 0.0)
    except (ValueError, OverflowError):
        return None
