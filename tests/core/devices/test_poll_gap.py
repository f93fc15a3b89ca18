"""Tests of the poll gap: how long a device is not connected between two polls."""

from twisted.internet.task import Clock

from tests.core.harness import READER, CoreHarness

HOLD = 10.0


def poll_idle(harness: CoreHarness, clock: Clock, gap: float) -> None:
    """Poll until the idle answer, and pause."""
    poll = harness.poll(READER)
    clock.advance(HOLD)
    assert poll.idle
    clock.advance(gap)


def test_no_gap_is_known_after_one_poll(harness: CoreHarness, clock: Clock) -> None:
    """One poll does not show how long its device pauses."""
    poll_idle(harness, clock, 5)
    assert harness.device(READER).poll_gap is None


def test_the_gap_is_the_median(harness: CoreHarness, clock: Clock) -> None:
    """One long outage does not hide that the device usually pauses for five seconds."""
    for gap in (5, 5, 40_000, 5.5, 4):
        poll_idle(harness, clock, gap)
    harness.poll(READER)
    assert harness.device(READER).poll_gap == 5


def test_the_gap_follows_a_change_of_the_device(harness: CoreHarness, clock: Clock) -> None:
    """Only the latest polls count."""
    for gap in [60.0] * 9 + [1.0] * 5:
        poll_idle(harness, clock, gap)
    harness.poll(READER)
    assert harness.device(READER).poll_gap == 1


def test_only_an_idle_answer_begins_a_gap(harness: CoreHarness, clock: Clock) -> None:
    """The time in which a device runs a command, or returns after a disconnect, is not a poll gap."""
    harness.put(READER)
    harness.poll(READER)
    clock.advance(30)
    harness.poll(READER).disconnect()
    clock.advance(30)
    harness.poll(READER)
    assert harness.device(READER).poll_gap is None


def test_the_gap_is_stored(harness: CoreHarness, clock: Clock) -> None:
    """The gap is saved with the last-seen time, and kept when no new one was measured."""
    poll_idle(harness, clock, 5)
    harness.poll(READER).disconnect()
    harness.result(harness.core.presence.flush())
    assert harness.stored(READER).poll_gap == 5


def test_the_next_poll_is_predicted(harness: CoreHarness, clock: Clock) -> None:
    """During a gap the next poll is predicted; while a poll is held there is no prediction."""
    poll_idle(harness, clock, 8)
    poll_idle(harness, clock, 3)
    assert harness.core.presence.next_poll_in(READER) == 5
    clock.advance(6)
    assert harness.core.presence.next_poll_in(READER) is None
    harness.poll(READER)
    assert harness.core.presence.next_poll_in(READER) is None
