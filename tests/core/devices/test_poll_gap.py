"""Tests of for how long devices are deaf between their polls."""

from twisted.internet.task import Clock

from tests.core.harness import READER, CoreHarness

HOLD = 10.0


def poll_idle(harness: CoreHarness, clock: Clock, gap: float) -> None:
    """Poll until the idle answer, and rest for a while."""
    poll = harness.poll(READER)
    clock.advance(HOLD)
    assert poll.idle
    clock.advance(gap)


def test_no_gap_is_known_before_a_device_came_back(harness: CoreHarness, clock: Clock) -> None:
    """One poll does not tell for how long its device rests."""
    poll_idle(harness, clock, 5)
    assert harness.device(READER).poll_gap is None


def test_the_gap_is_the_median(harness: CoreHarness, clock: Clock) -> None:
    """One night in which a device was switched off does not hide that it usually rests for five seconds."""
    for gap in (5, 5, 40_000, 5.5, 4):
        poll_idle(harness, clock, gap)
    harness.poll(READER)
    assert harness.device(READER).poll_gap == 5


def test_the_gap_follows_a_device_that_was_set_otherwise(harness: CoreHarness, clock: Clock) -> None:
    """What counts are the latest polls."""
    for gap in [60.0] * 9 + [1.0] * 5:
        poll_idle(harness, clock, gap)
    harness.poll(READER)
    assert harness.device(READER).poll_gap == 1


def test_only_an_idle_answer_opens_a_gap(harness: CoreHarness, clock: Clock) -> None:
    """The time that a command takes, or that a device needs to come back after it hung up, is no rest between
    polls.
    """
    harness.put(READER)
    harness.poll(READER)
    clock.advance(30)
    harness.poll(READER).disconnect()
    clock.advance(30)
    harness.poll(READER)
    assert harness.device(READER).poll_gap is None


def test_the_gap_is_stored(harness: CoreHarness, clock: Clock) -> None:
    """It is written with the sightings, and not lost when there is nothing new to say."""
    poll_idle(harness, clock, 5)
    harness.poll(READER).disconnect()
    harness.result(harness.core.presence.flush())
    assert harness.stored(READER).poll_gap == 5


def test_a_deaf_device_is_expected(harness: CoreHarness, clock: Clock) -> None:
    """While a device rests we can tell when it will probably be back, and while it is here there is nothing to
    tell.
    """
    poll_idle(harness, clock, 8)
    poll_idle(harness, clock, 3)
    assert harness.core.presence.next_poll_in(READER) == 5
    clock.advance(6)
    assert harness.core.presence.next_poll_in(READER) is None
    harness.poll(READER)
    assert harness.core.presence.next_poll_in(READER) is None
