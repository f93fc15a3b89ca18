"""Tests of sending, of waiting for the end, and of taking back."""

from uuid import UUID

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from pushd.core.commands.command_queue import MAX_QUEUED
from pushd.core.devices.admission import ClientIdentity
from pushd.model.device import Admission
from pushd.model.errors import IllegalMove, QueueFull, Unavailable, UnknownDevice
from pushd.model.lifecycle import Delivery, State
from tests.core.harness import CONTAINER, READER, Rooms, result_of
from tests.stepped import SteppedLane
from tests.store.samples import Said


def test_a_command_is_accepted_when_it_is_durable(stepped: Rooms, lane: SteppedLane) -> None:
    """A sender hears nothing before the commit, and the command rings nobody before it either."""
    poll = stepped.take(READER)
    putting = Deferred.fromCoroutine(stepped.putting(READER))
    lane.commit()
    assert not putting.called
    assert poll.held
    lane.tell()
    command, created = result_of(putting)
    assert (command.state, created) == (State.QUEUED, True)


def test_a_command_that_cannot_be_written_is_refused(stepped: Rooms, lane: SteppedLane) -> None:
    """A full disk is no reason to promise anything."""
    putting = Deferred.fromCoroutine(stepped.putting(READER))
    lane.lose()
    lane.tell()
    with pytest.raises(Unavailable):
        result_of(putting)
    assert stepped.take(READER).held


def test_a_sender_that_leaves_may_have_sent(stepped: Rooms, lane: SteppedLane) -> None:
    """Hanging up before the answer takes nothing back: the command is queued, and reaches its device."""
    poll = stepped.take(READER)
    putting = Deferred.fromCoroutine(stepped.putting(READER))
    putting.cancel()
    stepped.run()
    with pytest.raises(CancelledError):
        result_of(putting)
    assert len(poll.commands) == 1


def test_the_ids_of_commands_ascend(rooms: Rooms) -> None:
    """Each is a UUID, greater than the one before."""
    commands = [rooms.put(READER) for _ in range(5)]
    assert commands == sorted(commands)
    assert {UUID(command).version for command in commands} == {7}


@pytest.mark.parametrize(("device", "lease"), [(READER, 60.0), (CONTAINER, 30.0)])
def test_the_lease_is_the_dialects_unless_it_is_chosen(rooms: Rooms, device: str, lease: float) -> None:
    """How long a device may take to answer depends on its kind."""
    assert rooms.command(rooms.put(device)).lease == lease
    assert rooms.command(rooms.put(device, lease=7.5)).lease == 7.5


def test_nothing_is_sent_to_who_is_not_known(rooms: Rooms) -> None:
    """A device must have polled, or be registered."""
    with pytest.raises(UnknownDevice):
        rooms.put("controlid:99")


def test_a_queue_has_an_end(rooms: Rooms) -> None:
    """A device that does not come for its commands is not sent any number of them; others are not concerned."""
    rooms.register("controlid:8", Admission.PENDING)
    for _ in range(MAX_QUEUED):
        rooms.put("controlid:8")
    with pytest.raises(QueueFull):
        rooms.put("controlid:8")
    rooms.put(READER)


def test_what_was_sent_once_cannot_be_taken_back(rooms: Rooms) -> None:
    """A command that may have run already, and would not be sent again, is out of our hands."""
    command = rooms.send(CONTAINER)
    with pytest.raises(IllegalMove):
        rooms.result(rooms.core.command_queue.cancel(command))


def test_cancelling_ends_the_attempts(rooms: Rooms, clock: Clock) -> None:
    """A command that may run several times is not sent again once it was cancelled."""
    command = rooms.put(CONTAINER, delivery=Delivery.AT_LEAST_ONCE)
    rooms.poll(CONTAINER)
    assert rooms.result(rooms.core.command_queue.cancel(command)).state is State.SENT
    poll = rooms.poll(CONTAINER)
    clock.advance(30)
    rooms.sweep()
    assert poll.held
    assert rooms.command(command).state is State.UNKNOWN


def test_a_large_result_is_expected_of_who_has_something_out(rooms: Rooms) -> None:
    """A device is heard out while a command of its own is out or in doubt, and only then."""
    expects = rooms.core.device_service.expects_result
    command = rooms.put(CONTAINER)
    assert not expects(CONTAINER)
    rooms.poll(CONTAINER)
    assert expects(CONTAINER)
    assert not expects(READER)
    rooms.result(rooms.core.device_service.settle(ClientIdentity(device=CONTAINER), Said(message=command)))
    assert not expects(CONTAINER)


def test_a_result_is_still_expected_of_what_is_in_doubt(rooms: Rooms, clock: Clock) -> None:
    """A device that was given up may still report."""
    command = rooms.send(CONTAINER)
    clock.advance(30)
    rooms.sweep()
    assert rooms.command(command).state is State.UNKNOWN
    assert rooms.core.device_service.expects_result(CONTAINER)
    rooms.report(CONTAINER, message=command)
    assert not rooms.core.device_service.expects_result(CONTAINER)


def test_a_poll_that_waits_looks_right_behind_what_is_put(stepped: Rooms, lane: SteppedLane) -> None:
    """Command and claim become durable together, and nobody hears of either before."""
    poll = stepped.take(READER)
    putting = Deferred.fromCoroutine(stepped.putting(READER))
    assert len(lane.submitted) == 2
    lane.commit()
    lane.commit()
    assert poll.held
    lane.tell()
    command, _ = result_of(putting)
    assert poll.held
    lane.tell()
    assert poll.commands == [command.id]


def test_a_poll_that_looked_for_what_was_refused_is_held_on(stepped: Rooms, lane: SteppedLane) -> None:
    """A command that could not be put is handed to nobody, and the next is."""
    poll = stepped.take(READER)
    putting = Deferred.fromCoroutine(stepped.putting(READER))
    lane.lose()
    stepped.run()
    with pytest.raises(Unavailable):
        result_of(putting)
    assert poll.held
    later = Deferred.fromCoroutine(stepped.putting(READER))
    stepped.run()
    assert poll.commands == [result_of(later)[0].id]
