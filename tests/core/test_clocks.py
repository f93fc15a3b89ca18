"""Tests of wall time and steady time."""

import pytest
from attrs import evolve
from twisted.internet.task import Clock

from pushd.core.clocks import STALL, STEP, Clocks
from pushd.model.timestamps import Now
from tests.core.harness import EPOCH, Wall

INTERVAL = 1.0


@pytest.fixture
def wall(clock: Clock) -> Wall:
    """A wall clock that can be set."""
    return Wall(clock)


@pytest.fixture
def clocks(clock: Clock, wall: Wall) -> Clocks:
    """Clocks that tick once a second, and have ticked once."""
    clocks = Clocks(clock, wall, INTERVAL)
    clocks.tick()
    return clocks


def test_both_clocks_count_milliseconds(clocks: Clocks, clock: Clock) -> None:
    """Wall time counts from 1970, steady time from any moment."""
    before = clocks.now()
    clock.advance(1.5)
    assert before.wall == round((EPOCH + clock.seconds() - 1.5) * 1000)
    assert clocks.now() == Now(before.wall + 1500, before.steady + 1500)


def test_the_first_tick_is_no_stall(clock: Clock, wall: Wall) -> None:
    """The time before the first tick does not count as a stall."""
    clocks = Clocks(clock, wall, INTERVAL)
    clock.advance(1000)
    assert clocks.tick() == 0


@pytest.mark.parametrize("seconds", [INTERVAL, INTERVAL + STALL])
def test_a_late_tick_is_no_stall(clocks: Clocks, clock: Clock, seconds: float) -> None:
    """A tick that is late by a second or two is normal."""
    before = clocks.steady()
    clock.advance(seconds)
    assert clocks.tick() == 0
    assert clocks.steady() == pytest.approx(before + seconds)


def test_a_stall_is_noticed(clocks: Clocks, clock: Clock) -> None:
    """A tick after a minute reports a stall."""
    clock.advance(INTERVAL + 60)
    assert clocks.tick() == pytest.approx(60)


@pytest.mark.parametrize("deviation", [-20_000, 20_000])
def test_elapsed_time_is_that_of_all_processes(clocks: Clocks, clock: Clock, deviation: int) -> None:
    """Where the clock of a database that others share has gone another way, elapsed time follows it, in any steps."""
    shared = clocks.now()
    for _ in range(20):
        clock.advance(INTERVAL)
        shared = Now(shared.wall + 1000, shared.steady + 1000, shared.elapsed + 1000 + deviation // 20)
        clocks.follow(shared)
    assert clocks.elapsed_now() == pytest.approx(shared.elapsed, abs=STEP * 1000)


def test_steady_time_leaves_a_stall_out(clocks: Clocks, clock: Clock) -> None:
    """A stall does not count in steady time; wall time continues."""
    before = clocks.now()
    clock.advance(INTERVAL + 60)
    clocks.tick()
    clock.advance(INTERVAL)
    clocks.tick()
    assert clocks.now() == Now(before.wall + 62_000, before.steady + 2_000)


def test_a_stall_does_not_count_before_it_is_noticed(clocks: Clocks, clock: Clock) -> None:
    """What is read before the tick that detects a stall has the same steady time as after it."""
    clock.advance(INTERVAL + 60)
    before = clocks.now()
    clocks.tick()
    assert clocks.now() == before


def test_stalls_add_up(clocks: Clocks, clock: Clock) -> None:
    """Steady time leaves out all stalls."""
    before = clocks.steady()
    for _ in range(3):
        clock.advance(INTERVAL + 60)
        clocks.tick()
    assert clocks.steady() == pytest.approx(before + 3 * INTERVAL)


@pytest.mark.parametrize("step", [86400.0, -86400.0])
def test_setting_the_wall_clock_is_no_stall(clocks: Clocks, clock: Clock, wall: Wall, step: float) -> None:
    """Setting the wall clock by a day changes timestamps, but no duration."""
    before = clocks.now()
    wall.offset += step
    clock.advance(INTERVAL)
    assert clocks.tick() == 0
    after = clocks.now()
    assert after == Now(before.wall + round(step * 1000) + 1000, before.steady + 1000, before.elapsed + 1000)


def test_elapsed_time_continues_from_when_it_was_read(clocks: Clocks, clock: Clock) -> None:
    """The time that it takes to open the database counts, so that durations are exact over a restart."""
    opened_at = clocks.now()
    clock.advance(0.25)
    clocks.resume(evolve(opened_at, elapsed=opened_at.elapsed + 5000))
    assert clocks.now().elapsed == opened_at.elapsed + 5250
