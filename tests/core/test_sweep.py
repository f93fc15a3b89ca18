"""Tests of what the clock ends: leases, and times to live."""

import pytest
from twisted.internet.task import Clock

from pushd.core.commands import command_queue
from pushd.model.event import EventType
from pushd.model.lifecycle import Delivery, State
from tests.core.harness import CONTAINER, READER, Rooms

LEASE = 30.0


def serve(rooms: Rooms, clock: Clock, seconds: int) -> None:
    """Let time pass as it does while all is well: a sweep each second."""
    for _ in range(seconds):
        clock.advance(1)
        rooms.sweep()


def test_a_lease_that_runs_out_leaves_doubt(rooms: Rooms, clock: Clock) -> None:
    """A command without a result is not called failed, nor sent again: nobody knows, and we say so."""
    command = rooms.send(CONTAINER)
    serve(rooms, clock, 29)
    assert rooms.command(command).state is State.SENT
    serve(rooms, clock, 1)
    assert rooms.command(command).state is State.UNKNOWN
    assert rooms.poll(CONTAINER).held
    assert rooms.words(CONTAINER)[-1] == EventType.COMMAND_UNKNOWN


def test_an_acknowledgement_keeps_work_alive(rooms: Rooms, clock: Clock) -> None:
    """A container that acknowledges every 15 seconds may work for minutes."""
    command = rooms.send(CONTAINER)
    for _ in range(12):
        serve(rooms, clock, 15)
        rooms.result(rooms.core.command_queue.acknowledge(CONTAINER, command))
    assert rooms.command(command).state is State.ACKNOWLEDGED
    serve(rooms, clock, 30)
    assert rooms.command(command).state is State.UNKNOWN


def test_no_work_outlives_its_deadline(rooms: Rooms, clock: Clock) -> None:
    """Not even acknowledgements keep an attempt alive for longer than was allowed."""
    command = rooms.send(CONTAINER, deadline=40)
    serve(rooms, clock, 20)
    rooms.result(rooms.core.command_queue.acknowledge(CONTAINER, command))
    serve(rooms, clock, 20)
    assert rooms.command(command).state is State.UNKNOWN


def test_a_command_that_may_run_twice_is_sent_until_its_last_attempt(rooms: Rooms, clock: Clock) -> None:
    """Each attempt has its own lease; after the last one nobody knows."""
    command = rooms.put(CONTAINER, delivery=Delivery.AT_LEAST_ONCE, max_attempts=3)
    for attempt in (1, 2, 3):
        assert rooms.poll(CONTAINER).commands == [command]
        assert rooms.command(command).attempts == attempt
        serve(rooms, clock, 30)
    assert rooms.command(command).state is State.UNKNOWN
    assert rooms.poll(CONTAINER).held


def test_nothing_is_sent_again_after_its_time(rooms: Rooms, clock: Clock) -> None:
    """A command that may run twice is not sent again once its time to live is over."""
    command = rooms.send(CONTAINER, delivery=Delivery.AT_LEAST_ONCE, ttl=LEASE)
    serve(rooms, clock, 30)
    assert rooms.command(command).state is State.UNKNOWN


def test_what_was_never_sent_expires(rooms: Rooms, clock: Clock) -> None:
    """A command that its device did not come for in time is ended, and was never sent."""
    command = rooms.put(READER, ttl=10)
    serve(rooms, clock, 9)
    assert rooms.command(command).state is State.QUEUED
    serve(rooms, clock, 1)
    found = rooms.command(command)
    assert (found.state, found.attempts, found.finished_at) == (State.EXPIRED, 0, rooms.in_wall_ms(0))


def test_nothing_is_sent_late_even_before_the_sweep(rooms: Rooms, clock: Clock) -> None:
    """A poll that comes in the very second is not handed what is too old."""
    rooms.put(READER, ttl=10)
    clock.advance(10)
    assert rooms.poll(READER).held


def test_what_waits_for_another_attempt_expires_in_doubt(rooms: Rooms, clock: Clock) -> None:
    """A command that may have run once is not called expired."""
    command = rooms.send(CONTAINER, delivery=Delivery.AT_LEAST_ONCE, ttl=60)
    serve(rooms, clock, 30)
    assert rooms.command(command).state is State.QUEUED
    serve(rooms, clock, 30)
    assert rooms.command(command).state is State.UNKNOWN


def test_an_outage_of_ours_ends_no_lease(rooms: Rooms, clock: Clock) -> None:
    """If we did not turn for an hour, the device may have reported in vain: its lease gets that hour back."""
    command = rooms.send(CONTAINER)
    serve(rooms, clock, 10)
    clock.advance(3600)
    rooms.sweep()
    assert rooms.command(command).state is State.SENT
    serve(rooms, clock, 18)
    assert rooms.command(command).state is State.SENT
    serve(rooms, clock, 2)
    assert rooms.command(command).state is State.UNKNOWN


@pytest.mark.parametrize("step", [86400.0, -86400.0])
def test_setting_the_wall_clock_ends_no_lease(rooms: Rooms, clock: Clock, step: float) -> None:
    """A lease runs on a clock that nobody can set."""
    command = rooms.send(CONTAINER, ttl=10 * 86400)
    serve(rooms, clock, 1)
    rooms.wall.offset += step
    serve(rooms, clock, 28)
    assert rooms.command(command).state is State.SENT
    serve(rooms, clock, 1)
    assert rooms.command(command).state is State.UNKNOWN


def test_a_crowd_is_swept_in_one_go(rooms: Rooms, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many end in one moment, the sweep ends them all, a few in each transaction."""
    monkeypatch.setattr(command_queue, "SWEEP_LIMIT", 3)
    late = [rooms.put(READER, ttl=10) for _ in range(7)]
    lost = [rooms.send(CONTAINER, lease=10) for _ in range(6)]
    clock.advance(10)
    rooms.core.clocks.tick()
    rooms.sweep()
    assert {rooms.command(command).state for command in late} == {State.EXPIRED}
    assert {rooms.command(command).state for command in lost} == {State.UNKNOWN}
