"""Tests of the transitions that time causes: leases that run out, commands that expire."""

import pytest
from twisted.internet.task import Clock

from pushd.core.commands import command_queue
from pushd.model.event import EventType
from pushd.model.lifecycle import Delivery, State
from tests.core.harness import CONTAINER, READER, CoreHarness

LEASE = 30.0


def sweep_for(harness: CoreHarness, clock: Clock, seconds: int) -> None:
    """Let time pass with a sweep each second."""
    for _ in range(seconds):
        clock.advance(1)
        harness.sweep()


def test_a_lease_that_runs_out_makes_the_result_unknown(harness: CoreHarness, clock: Clock) -> None:
    """A command without a result is neither called failed nor sent again: its state is unknown."""
    command = harness.send(CONTAINER)
    sweep_for(harness, clock, 29)
    assert harness.command(command).state is State.SENT
    sweep_for(harness, clock, 1)
    assert harness.command(command).state is State.UNKNOWN
    assert harness.poll(CONTAINER).held
    assert harness.event_types(CONTAINER)[-1] == EventType.COMMAND_UNKNOWN


def test_an_acknowledgement_renews_the_lease(harness: CoreHarness, clock: Clock) -> None:
    """A container that acknowledges every 15 seconds may work for minutes."""
    command = harness.send(CONTAINER)
    for _ in range(12):
        sweep_for(harness, clock, 15)
        harness.result(harness.core.command_queue.acknowledge(CONTAINER, command))
    assert harness.command(command).state is State.ACKNOWLEDGED
    sweep_for(harness, clock, 30)
    assert harness.command(command).state is State.UNKNOWN


def test_no_attempt_outlives_its_deadline(harness: CoreHarness, clock: Clock) -> None:
    """Acknowledgements do not extend an attempt beyond its deadline."""
    command = harness.send(CONTAINER, deadline=40)
    sweep_for(harness, clock, 20)
    harness.result(harness.core.command_queue.acknowledge(CONTAINER, command))
    sweep_for(harness, clock, 20)
    assert harness.command(command).state is State.UNKNOWN


def test_a_command_that_may_run_twice_is_sent_until_its_last_attempt(harness: CoreHarness, clock: Clock) -> None:
    """Each attempt has its own lease; after the last one the result is unknown."""
    command = harness.put(CONTAINER, delivery=Delivery.AT_LEAST_ONCE, max_attempts=3)
    for attempt in (1, 2, 3):
        assert harness.poll(CONTAINER).commands == [command]
        assert harness.command(command).attempts == attempt
        sweep_for(harness, clock, 30)
    assert harness.command(command).state is State.UNKNOWN
    assert harness.poll(CONTAINER).held


def test_nothing_is_sent_again_after_it_expired(harness: CoreHarness, clock: Clock) -> None:
    """A command that may run twice is not sent again after its time to live."""
    command = harness.send(CONTAINER, delivery=Delivery.AT_LEAST_ONCE, ttl=LEASE)
    sweep_for(harness, clock, 30)
    assert harness.command(command).state is State.UNKNOWN


def test_what_was_never_sent_expires(harness: CoreHarness, clock: Clock) -> None:
    """A command that its device did not fetch in time expires without an attempt."""
    command = harness.put(READER, ttl=10)
    sweep_for(harness, clock, 9)
    assert harness.command(command).state is State.QUEUED
    sweep_for(harness, clock, 1)
    found = harness.command(command)
    assert (found.state, found.attempts, found.finished_at) == (State.EXPIRED, 0, harness.wall_ms_in(0))


def test_nothing_is_sent_late_even_before_the_sweep(harness: CoreHarness, clock: Clock) -> None:
    """A poll that arrives before the sweep does not get an expired command."""
    harness.put(READER, ttl=10)
    clock.advance(10)
    assert harness.poll(READER).held


def test_a_command_between_two_attempts_becomes_unknown(harness: CoreHarness, clock: Clock) -> None:
    """A command that may have run once is not called expired."""
    command = harness.send(CONTAINER, delivery=Delivery.AT_LEAST_ONCE, ttl=60)
    sweep_for(harness, clock, 30)
    assert harness.command(command).state is State.QUEUED
    sweep_for(harness, clock, 30)
    assert harness.command(command).state is State.UNKNOWN


def test_a_stall_of_the_server_ends_no_lease(harness: CoreHarness, clock: Clock) -> None:
    """If the server did not run for an hour, results may have been lost: the lease is extended by that hour."""
    command = harness.send(CONTAINER)
    sweep_for(harness, clock, 10)
    clock.advance(3600)
    harness.sweep()
    assert harness.command(command).state is State.SENT
    sweep_for(harness, clock, 18)
    assert harness.command(command).state is State.SENT
    sweep_for(harness, clock, 2)
    assert harness.command(command).state is State.UNKNOWN


@pytest.mark.parametrize("step", [86400.0, -86400.0])
def test_setting_the_wall_clock_ends_no_lease(harness: CoreHarness, clock: Clock, step: float) -> None:
    """A lease runs on a clock that cannot be set."""
    command = harness.send(CONTAINER, ttl=10 * 86400)
    sweep_for(harness, clock, 1)
    harness.wall.offset += step
    sweep_for(harness, clock, 28)
    assert harness.command(command).state is State.SENT
    sweep_for(harness, clock, 1)
    assert harness.command(command).state is State.UNKNOWN


def test_many_commands_are_swept_at_once(harness: CoreHarness, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sweep ends all commands that are due, a few in each transaction."""
    monkeypatch.setattr(command_queue, "SWEEP_LIMIT", 3)
    late = [harness.put(READER, ttl=10) for _ in range(7)]
    lost = [harness.send(CONTAINER, lease=10) for _ in range(6)]
    clock.advance(10)
    harness.core.clocks.tick()
    harness.sweep()
    assert {harness.command(command).state for command in late} == {State.EXPIRED}
    assert {harness.command(command).state for command in lost} == {State.UNKNOWN}
