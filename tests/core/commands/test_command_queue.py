"""Tests of enqueueing, cancelling, and of the results that are expected."""

from uuid import UUID

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from pushd.core.commands.command_queue import MAX_QUEUED
from pushd.model.device import Admission
from pushd.model.errors import IllegalMove, QueueFull, Unavailable, UnknownDevice
from pushd.model.lifecycle import Delivery, State
from tests.core.harness import CONTAINER, READER, CoreHarness, StubClient
from tests.results import result_of
from tests.stepped import SteppedExecutor
from tests.store.samples import StubResult


def test_a_command_is_accepted_when_it_is_durable(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """Before the commit neither the sender gets an answer nor a held poll the command."""
    poll = stepped.take(READER)
    putting = stepped.putting(READER)
    executor.commit()
    assert not putting.called
    assert poll.held
    executor.notify()
    command, created = result_of(putting)
    assert (command.state, created) == (State.QUEUED, True)


def test_a_command_that_cannot_be_written_is_refused(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """On a full disk the sender gets an error, and no command is queued."""
    putting = stepped.putting(READER)
    executor.fail()
    executor.notify()
    with pytest.raises(Unavailable):
        result_of(putting)
    assert stepped.take(READER).held


def test_a_sender_that_disconnects_may_have_sent(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """A sender that disconnects before the answer cancels nothing: the command is queued, and reaches its device."""
    poll = stepped.take(READER)
    putting = stepped.putting(READER)
    putting.cancel()
    stepped.run()
    with pytest.raises(CancelledError):
        result_of(putting)
    assert len(poll.commands) == 1


def test_the_ids_of_commands_ascend(harness: CoreHarness) -> None:
    """Each id is a UUID, greater than the one before."""
    commands = [harness.put(READER) for _ in range(5)]
    assert commands == sorted(commands)
    assert {UUID(command).version for command in commands} == {7}


@pytest.mark.parametrize(("device", "lease"), [(READER, 60.0), (CONTAINER, 30.0)])
def test_the_lease_is_the_default_of_the_dialect(harness: CoreHarness, device: str, lease: float) -> None:
    """Without a lease of its own, a command gets the one of its dialect."""
    assert harness.command(harness.put(device)).lease == lease
    assert harness.command(harness.put(device, lease=7.5)).lease == 7.5


def test_an_unknown_device_cannot_be_sent_commands(harness: CoreHarness) -> None:
    """A device must have polled or be registered."""
    with pytest.raises(UnknownDevice):
        harness.put("controlid:99")


def test_a_queue_is_limited(harness: CoreHarness) -> None:
    """Beyond a number of queued commands further ones are refused; other devices are not affected."""
    harness.register("controlid:8", Admission.PENDING)
    for _ in range(MAX_QUEUED):
        harness.put("controlid:8")
    with pytest.raises(QueueFull):
        harness.put("controlid:8")
    harness.put(READER)


def test_a_sent_command_cannot_be_cancelled(harness: CoreHarness) -> None:
    """A command that may have run, and would not be sent again, cannot be cancelled."""
    command = harness.send(CONTAINER)
    with pytest.raises(IllegalMove):
        harness.result(harness.core.command_queue.cancel(command))


def test_cancelling_ends_further_attempts(harness: CoreHarness, clock: Clock) -> None:
    """A command that may run several times is not sent again after it was cancelled."""
    command = harness.put(CONTAINER, delivery=Delivery.AT_LEAST_ONCE)
    harness.poll(CONTAINER)
    assert harness.result(harness.core.command_queue.cancel(command)).state is State.SENT
    poll = harness.poll(CONTAINER)
    clock.advance(30)
    harness.sweep()
    assert poll.held
    assert harness.command(command).state is State.UNKNOWN


def test_a_large_result_is_expected_while_a_command_is_in_flight(harness: CoreHarness) -> None:
    """A large body is read only while a command of the device is in flight or unknown."""
    expects = harness.core.command_queue.result_index.__contains__
    command = harness.put(CONTAINER)
    assert not expects(CONTAINER)
    harness.poll(CONTAINER)
    assert expects(CONTAINER)
    assert not expects(READER)
    harness.result(harness.core.device_service.settle(StubClient(), CONTAINER, StubResult(message=command)))
    assert not expects(CONTAINER)


def test_a_result_is_expected_of_an_unknown_command(harness: CoreHarness, clock: Clock) -> None:
    """A device may still report after the lease has ended."""
    command = harness.send(CONTAINER)
    clock.advance(30)
    harness.sweep()
    assert harness.command(command).state is State.UNKNOWN
    assert CONTAINER in harness.core.command_queue.result_index
    harness.report(CONTAINER, message=command)
    assert CONTAINER not in harness.core.command_queue.result_index


def test_a_held_poll_claims_right_behind_the_put(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """Command and claim are committed together, and neither sender nor device gets an answer before."""
    poll = stepped.take(READER)
    putting = stepped.putting(READER)
    assert len(executor.submitted) == 2
    executor.commit()
    executor.commit()
    assert poll.held
    executor.notify()
    command, _ = result_of(putting)
    assert poll.held
    executor.notify()
    assert poll.commands == [command.id]


def test_a_poll_that_claimed_for_a_failed_put_is_held(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """A command that could not be stored is not sent, and the poll gets the next one."""
    poll = stepped.take(READER)
    putting = stepped.putting(READER)
    executor.fail()
    stepped.run()
    with pytest.raises(Unavailable):
        result_of(putting)
    assert poll.held
    later = stepped.putting(READER)
    stepped.run()
    assert poll.commands == [result_of(later)[0].id]
