"""Tests of :mod:`pushd.lib.log_limit`."""

from twisted.internet.task import Clock

from pushd.lib.log_limit import BURST, REFILL_SECONDS, LogLimit


def test_lines_are_limited(clock: Clock) -> None:
    """A burst is logged, then a line now and then; the others are counted."""
    limit = LogLimit(clock.seconds)
    assert [limit.allows() for _ in range(BURST + 3)] == [True] * BURST + [False] * 3
    clock.advance(REFILL_SECONDS)
    assert [limit.allows() for _ in range(2)] == [True, False]
    assert (limit.take_dropped(), limit.take_dropped()) == (4, 0)
    clock.advance(10 * BURST * REFILL_SECONDS)
    assert sum(limit.allows() for _ in range(2 * BURST)) == BURST
