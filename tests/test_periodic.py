"""Tests of :mod:`pushd.periodic`."""

from collections.abc import Awaitable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from pushd.periodic import PeriodicTask


def test_round_comes_back(clock: Clock) -> None:
    """The work is done every few seconds, from the first interval on until the service stops."""
    done: list[float] = []

    async def work() -> None:
        done.append(clock.seconds())

    start = clock.seconds()
    rounds = PeriodicTask("work", 3, work, clock)
    rounds.startService()
    clock.pump([1] * 7)
    assert done == [start + 3, start + 6]
    rounds.stopService()
    clock.advance(10)
    assert len(done) == 2


def test_failure_does_not_end_the_rounds(clock: Clock, no_logged_failure: list[Any]) -> None:
    """A round that fails is logged, and the next one comes."""
    calls: list[int] = []

    async def work() -> None:
        calls.append(1)
        raise ZeroDivisionError

    rounds = PeriodicTask("work", 1, work, clock)
    rounds.startService()
    clock.pump([1] * 3)
    rounds.stopService()
    assert len(calls) == 3
    assert [failure.type for failure in no_logged_failure] == [ZeroDivisionError] * 3
    no_logged_failure.clear()


def test_slow_round_is_not_overtaken(clock: Clock) -> None:
    """A round that takes longer than the interval is waited for."""
    slow: list[Deferred[None]] = []

    async def work() -> None:
        slow.append(Deferred())
        await slow[-1]

    rounds = PeriodicTask("work", 1, work, clock)
    rounds.startService()
    clock.pump([1] * 5)
    assert len(slow) == 1
    slow[0].callback(None)
    clock.advance(1)
    assert len(slow) == 2
    rounds.stopService()
    slow[1].callback(None)


def test_work_that_makes_no_progress_is_noticed(clock: Clock, no_logged_failure: list[Any]) -> None:
    """Whether rounds end well can be asked: one that hangs does not, nor one that fails each time."""
    works: list[Awaitable[object]] = []

    def work() -> Awaitable[object]:
        return works.pop()

    rounds = PeriodicTask("work", 10, work, clock)
    rounds.startService()
    clock.advance(10)
    assert not rounds.stuck(0)
    clock.pump([10] * 3)
    assert rounds.stuck(29)
    assert not rounds.stuck(30)
    no_logged_failure.clear()
    works.append(succeed(None))
    clock.advance(10)
    assert not rounds.stuck(0)
    hanging: Deferred[None] = Deferred()
    works.append(hanging)
    clock.pump([10] * 4)
    assert rounds.stuck(29)
    hanging.callback(None)
    assert not rounds.stuck(0)
    rounds.stopService()


def test_round_that_was_not_started_stops(clock: Clock) -> None:
    """Stopping before the start does nothing."""

    async def work() -> None:
        raise AssertionError("nobody started it")

    PeriodicTask("work", 1, work, clock).stopService()
    clock.advance(5)
