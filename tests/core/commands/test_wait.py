"""Tests of waiting for the end of a command."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pushd.model.command import Command
from pushd.model.errors import UnknownCommand
from pushd.model.lifecycle import State
from pushd.rules.outcomes import Settlement
from tests.core.harness import CONTAINER, READER, CoreHarness
from tests.results import result_of
from tests.stepped import SteppedExecutor
from tests.store.samples import FAILURE, GARBLED


def waiting(harness: CoreHarness, command: str, seconds: float = 60.0) -> Deferred[Command]:
    """Start to wait for the end of a command."""
    return Deferred.fromCoroutine(harness.core.command_queue.wait(command, seconds))


@pytest.mark.parametrize(
    ("verdict", "state"), [(None, State.SUCCEEDED), (FAILURE, State.FAILED), (GARBLED, State.UNKNOWN)]
)
def test_a_result_ends_the_wait(harness: CoreHarness, clock: Clock, verdict: object, state: State) -> None:
    """A sender that waits gets an answer when the device has reported, whatever the result."""
    command = harness.send(CONTAINER)
    wait = waiting(harness, command)
    assert not wait.called
    harness.report(CONTAINER, message=command, **({} if verdict is None else {"verdict": verdict}))
    assert result_of(wait).state is state
    assert not clock.getDelayedCalls()


def test_a_cancellation_ends_the_wait(harness: CoreHarness) -> None:
    """Another operator may cancel the command meanwhile."""
    command = harness.put(READER)
    wait = waiting(harness, command)
    harness.result(harness.core.command_queue.cancel(command))
    assert result_of(wait).state is State.CANCELLED


def test_an_unknown_result_ends_the_wait(harness: CoreHarness, clock: Clock) -> None:
    """A wait also ends when a lease runs out or a command expires."""
    lost, late = harness.send(CONTAINER), harness.put(READER, ttl=5)
    waits = [waiting(harness, lost), waiting(harness, late)]
    clock.advance(30)
    harness.sweep()
    assert [result_of(wait).state for wait in waits] == [State.UNKNOWN, State.EXPIRED]


def test_an_acknowledgement_is_not_the_end(harness: CoreHarness) -> None:
    """An acknowledgement does not say what the result will be."""
    command = harness.send(CONTAINER)
    wait = waiting(harness, command)
    harness.result(harness.core.command_queue.acknowledge(CONTAINER, command))
    assert not wait.called
    wait.cancel()


def test_a_wait_for_an_ended_command_ends_at_once(harness: CoreHarness, clock: Clock) -> None:
    """The answer is there at once."""
    command = harness.send(CONTAINER)
    harness.report(CONTAINER, message=command)
    assert result_of(waiting(harness, command)).state is State.SUCCEEDED
    assert not clock.getDelayedCalls()


def test_a_wait_has_a_timeout(harness: CoreHarness, clock: Clock) -> None:
    """After the timeout the answer is the command in its current state."""
    wait = waiting(harness, harness.send(CONTAINER), 20)
    clock.advance(19.999)
    assert not wait.called
    clock.advance(0.001)
    assert result_of(wait).state is State.SENT


def test_an_end_during_the_look_up_is_not_missed(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """A command that ends after it was read, and before the reader gets it, ends the wait."""
    command = stepped.put(READER)
    wait = waiting(stepped, command)
    executor.commit()
    cancelling = Deferred.fromCoroutine(stepped.core.command_queue.cancel(command))
    executor.commit()
    stepped.run()
    assert result_of(wait).state is result_of(cancelling).state is State.CANCELLED


def test_several_may_wait(harness: CoreHarness) -> None:
    """Each is answered with its own command."""
    first, second = harness.send(CONTAINER), harness.send(CONTAINER)
    waits = [waiting(harness, first), waiting(harness, first), waiting(harness, second)]
    harness.report(CONTAINER, message=first)
    assert [wait.called for wait in waits] == [True, True, False]
    waits[2].cancel()


def test_a_cancelled_wait_leaves_nothing(harness: CoreHarness, clock: Clock) -> None:
    """A client that disconnects leaves no timer, and the command is not affected."""
    command = harness.send(CONTAINER)
    waiting(harness, command).cancel()
    assert not clock.getDelayedCalls()
    assert harness.report(CONTAINER, message=command) is Settlement.SETTLED


def test_a_wait_for_an_unknown_command_fails(harness: CoreHarness, clock: Clock) -> None:
    """An unknown command is an error at once."""
    with pytest.raises(UnknownCommand):
        result_of(waiting(harness, "019ab000-0000-7000-8000-000000000001"))
    assert not clock.getDelayedCalls()


def test_a_stop_ends_all_waits(harness: CoreHarness, clock: Clock) -> None:
    """When the server stops, each wait is answered with the current state."""
    wait = waiting(harness, harness.send(CONTAINER))
    harness.core.drain()
    assert result_of(wait).state is State.SENT
    assert not clock.getDelayedCalls()
