"""Tests of :mod:`pushd.periodic`."""

from collections.abc import Awaitable
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from pushd.model.errors import Unavailable
from pushd.periodic import PeriodicTask


def test_task_is_repeated(clock: Clock) -> None:
    """The work is done at the end of each interval until the service stops."""
    done: list[float] = []

    async def work() -> None:
        done.append(clock.seconds())

    start = clock.seconds()
    task = PeriodicTask("work", 3, work, clock)
    task.startService()
    clock.pump([1] * 7)
    assert done == [start + 3, start + 6]
    task.stopService()
    clock.advance(10)
    assert len(done) == 2


def test_failure_does_not_end_the_task(clock: Clock, no_logged_failure: list[Any]) -> None:
    """A failure is logged, and the work is done again after the interval."""
    calls: list[int] = []

    async def work() -> None:
        calls.append(1)
        raise ZeroDivisionError

    task = PeriodicTask("work", 1, work, clock)
    task.startService()
    clock.pump([1] * 3)
    task.stopService()
    assert len(calls) == 3
    assert [failure.type for failure in no_logged_failure] == [ZeroDivisionError] * 3
    no_logged_failure.clear()


@pytest.mark.parametrize(("stopped", "errors"), [(False, 1), (True, 0)])
def test_a_stop_during_a_run_logs_no_error(clock: Clock, stopped: bool, errors: int) -> None:
    """A stop closes the store; a run that fails because of that is nothing to report, any other failure is."""
    failing: Deferred[None] = Deferred()
    task = PeriodicTask("work", 1, lambda: failing, clock)
    task.startService()
    clock.advance(1)
    if stopped:
        task.stopService()
    with capturedLogs() as logged:
        failing.errback(Unavailable("The store is closed."))
    assert len(logged) == errors
    if not stopped:
        task.stopService()


def test_runs_do_not_overlap(clock: Clock) -> None:
    """Work that takes longer than the interval is not started again before it ends."""
    slow: list[Deferred[None]] = []

    async def work() -> None:
        slow.append(Deferred())
        await slow[-1]

    task = PeriodicTask("work", 1, work, clock)
    task.startService()
    clock.pump([1] * 5)
    assert len(slow) == 1
    slow[0].callback(None)
    clock.advance(1)
    assert len(slow) == 2
    task.stopService()
    slow[1].callback(None)


def test_task_that_makes_no_progress_is_stuck(clock: Clock, no_logged_failure: list[Any]) -> None:
    """A task is stuck if no run has succeeded for long enough: if one hangs, or each one fails."""
    works: list[Awaitable[object]] = []

    def work() -> Awaitable[object]:
        return works.pop()

    task = PeriodicTask("work", 10, work, clock)
    task.startService()
    clock.advance(10)
    assert not task.stuck(0)
    clock.pump([10] * 3)
    assert task.stuck(29)
    assert not task.stuck(30)
    no_logged_failure.clear()
    works.append(succeed(None))
    clock.advance(10)
    assert not task.stuck(0)
    hanging: Deferred[None] = Deferred()
    works.append(hanging)
    clock.pump([10] * 4)
    assert task.stuck(29)
    hanging.callback(None)
    assert not task.stuck(0)
    task.stopService()


def test_task_that_was_not_started_can_be_stopped(clock: Clock) -> None:
    """A stop before the start does nothing."""

    async def work() -> None:
        raise AssertionError("the task was not started")

    PeriodicTask("work", 1, work, clock).stopService()
    clock.advance(5)
