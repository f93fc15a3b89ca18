"""Tests of what the clock ends: leases, and times to live."""

import pytest
from twisted.internet.task import Clock

from pushd.core.commands import command_queue
from pushd.model.event import EventType
from pushd.model.lifecycle import Delivery, State
from tests.core.harness import CONTAINER, READER, CoreHarness

LEASE = 30.0


def serve(harness: CoreHarness, clock: Clock, seconds: int) -> None:
    """Let time pass as it does while all is well: a sweep each second."""
    for _ in range(seconds):
        clock.advance(1)
        harness.sweep()


def test_a_lease_that_runs_out_leaves_doubt(harness: CoreHarness, clock: Clock) -> None:
    """A command without a result is not called failed, nor sent again: nobody knows, and we say so."""
    command = harness.send(CONTAINER)
    serve(harness, clock, 29)
    assert harness.command(command).state is State.SENT
    serve(harness, clock, 1)
    assert harness.command(command).state is State.UNKNOWN
    assert harness.poll(CONTAINER).held
    assert harness.event_types(CONTAINER)[-1] == EventType.COMMAND_UNKNOWN


def test_an_acknowledgement_keeps_work_alive(harness: CoreHarness, clock: Clock) -> None:
    """A container that acknowledges every 15 seconds may work for minutes."""
    command = harness.send(CONTAINER)
    for _ in range(12):
        serve(harness, clock, 15)
        harness.result(harness.core.command_queue.acknowledge(CONTAINER, command))
    assert harness.command(command).state is State.ACKNOWLEDGED
    serve(harness, clock, 30)
    assert harness.command(command).state is State.UNKNOWN


def test_no_work_outlives_its_deadline(harness: CoreHarness, clock: Clock) -> None:
    """Not even acknowledgements keep an attempt alive for longer than was allowed."""
    command = harness.send(CONTAINER, deadline=40)
    serve(harness, clock, 20)
    harness.result(harness.core.command_queue.acknowledge(CONTAINER, command))
    serve(harness, clock, 20)
    assert harness.command(command).state is State.UNKNOWN


def test_a_command_that_may_run_twice_is_sent_until_its_last_attempt(harness: CoreHarness, clock: Clock) -> None:
    """Each attempt has its own lease; after the last one nobody knows."""
    command = harness.put(CONTAINER, delivery=Delivery.AT_LEAST_ONCE, max_attempts=3)
    for attempt in (1, 2, 3):
        assert harness.poll(CONTAINER).commands == [command]
        assert harness.command(command).attempts == attempt
        serve(harness, clock, 30)
    assert harness.command(command).state is State.UNKNOWN
    assert harness.poll(CONTAINER).held


def test_nothing_is_sent_again_after_its_time(harness: CoreHarness, clock: Clock) -> None:
    """A command that may run twice is not sent again once its time to live is over."""
    command = harness.send(CONTAINER, delivery=Delivery.AT_LEAST_ONCE, ttl=LEASE)
    serve(harness, clock, 30)
    assert harness.command(command).state is State.UNKNOWN


def test_what_was_never_sent_expires(harness: CoreHarness, clock: Clock) -> None:
    """A command that its device did not come for in time is ended, and was never sent."""
    command = harness.put(READER, ttl=10)
    serve(harness, clock, 9)
    assert harness.command(command).state is State.QUEUED
    serve(harness, clock, 1)
    found = harness.command(command)
    assert (found.state, found.attempts, found.finished_at) == (State.EXPIRED, 0, harness.wall_ms_in(0))


def test_nothing_is_sent_late_even_before_the_sweep(harness: CoreHarness, clock: Clock) -> None:
    """A poll that comes in the very second is not handed what is too old."""
    harness.put(READER, ttl=10)
    clock.advance(10)
    assert harness.poll(READER).held


def test_what_waits_for_another_attempt_expires_in_doubt(harness: CoreHarness, clock: Clock) -> None:
    """A command that may have run once is not called expired."""
    command = harness.send(CONTAINER, delivery=Delivery.AT_LEAST_ONCE, ttl=60)
    serve(harness, clock, 30)
    assert harness.command(command).state is State.QUEUED
    serve(harness, clock, 30)
    assert harness.command(command).state is State.UNKNOWN


def test_an_outage_of_ours_ends_no_lease(harness: CoreHarness, clock: Clock) -> None:
    """If we did not turn for an hour, the device may have reported in vain: its lease gets that hour back."""
    command = harness.send(CONTAINER)
    serve(harness, clock, 10)
    clock.advance(3600)
    harness.sweep()
    assert harness.command(command).state is State.SENT
    serve(harness, clock, 18)
    assert harness.command(command).state is State.SENT
    serve(harness, clock, 2)
    assert harness.command(command).state is State.UNKNOWN


@pytest.mark.parametrize("step", [86400.0, -86400.0])
def test_setting_the_wall_clock_ends_no_lease(harness: CoreHarness, clock: Clock, step: float) -> None:
    """A lease runs on a clock that nobody can set."""
    command = harness.send(CONTAINER, ttl=10 * 86400)
    serve(harness, clock, 1)
    harness.wall.offset += step
    serve(harness, clock, 28)
    assert harness.command(command).state is State.SENT
    serve(harness, clock, 1)
    assert harness.command(command).state is State.UNKNOWN


def test_a_crowd_is_swept_in_one_go(harness: CoreHarness, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many end in one moment, the sweep ends them all, a few in each transaction."""
    monkeypatch.setattr(command_queue, "SWEEP_LIMIT", 3)
    late = [harness.put(READER, ttl=10) for _ in range(7)]
    lost = [harness.send(CONTAINER, lease=10) for _ in range(6)]
    clock.advance(10)
    harness.core.clocks.tick()
    harness.sweep()
    assert {harness.command(command).state for command in late} == {State.EXPIRED}
    assert {harness.command(command).state for command in lost} == {State.UNKNOWN}
