"""Tests of :mod:`pushd.lib.backoff`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from pushd.lib.backoff import Backoff, read_retry_after, retry_delay
from tests.in_memory_server import START


def delays(backoff: Backoff, clock: Clock, count: int) -> list[float]:
    """The delays after so many failures, each recorded when the delay before it is over."""
    found = []
    for _ in range(count):
        backoff.record_failure()
        found.append(backoff.remaining)
        clock.advance(backoff.remaining)
        assert backoff.remaining == 0
    return found


def test_delay_doubles_up_to_a_limit(clock: Clock) -> None:
    """The delay after each failure is twice the one before, up to five minutes, however often it fails."""
    backoff = Backoff(clock, lambda: 0.0)
    assert backoff.remaining == 0
    assert delays(backoff, clock, 10) == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert set(delays(backoff, clock, 2000)) == {300}


def test_success_resets_the_delay(clock: Clock) -> None:
    """After a success nothing waits, and the next failure costs one second again."""
    backoff = Backoff(clock, lambda: 0.0, longest=30)
    assert delays(backoff, clock, 7)[-2:] == [30, 30]
    backoff.record_failure()
    backoff.reset()
    assert backoff.remaining == 0
    assert delays(backoff, clock, 1) == [1]


def test_jitter_shortens_a_delay_by_up_to_a_half(clock: Clock) -> None:
    """Clients that fail together return at different times."""
    assert delays(Backoff(clock, lambda: 1.0), clock, 3) == [0.5, 1, 2]


def test_retry_delay() -> None:
    """The delay follows the time since the first failure, varies by a fifth, and is never longer than six hours."""
    assert [retry_delay(elapsed, None, 0.5) for elapsed in (0, 5, 15, 35)] == [5, 10, 20, 40]
    assert [round(retry_delay(95, None, rand)) for rand in (0, 1)] == [80, 120]
    assert retry_delay(86400.0, None, 1) == retry_delay(0, 1e9, 0) == 6 * 3600
    assert retry_delay(-1e9, None, 0.5) == 5


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("120", 120),
        ("Fri, 15 Jan 2027 08:01:00 GMT", 60),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0),
        ("-5", None),
        ("soon", None),
        ("9" * 5000, None),
        ("", None),
        ("Fri, 99 Jan 99999 08:01:00 GMT", None),
    ],
)
def test_reading_retry_after(text: str | None, seconds: float | None) -> None:
    """``Retry-After`` is a number of seconds or a date; anything else says nothing."""
    assert read_retry_after(text, START) == seconds


@given(st.text() | st.text("0123456789 ,:-+()GMTFriJan"))
def test_any_retry_after_can_be_read(text: str) -> None:
    """Whatever a receiver sends is a delay that is not negative, or ignored."""
    seconds = read_retry_after(text, START)
    assert seconds is None or seconds >= 0


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, ?\d+ [A-Z][a-z]{2} \d+ \d+:\d+(:\d+)? [-+A-Z0-9]*"))
def test_any_retry_after(text: str) -> None:
    """No text that a receiver sends raises an exception, and the result is not negative."""
    seconds = read_retry_after(text, START)
    assert seconds is None or seconds >= 0
