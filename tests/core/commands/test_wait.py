"""Tests of waiting for the end of a command."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pushd.model.command import Command
from pushd.model.errors import UnknownCommand
from pushd.model.lifecycle import State
from pushd.store.filters import Settlement
from tests.core.harness import CONTAINER, READER, CoreHarness, result_of
from tests.stepped import SteppedExecutor
from tests.store.samples import FAILURE, GARBLED


def waiting(harness: CoreHarness, command: str, seconds: float = 60.0) -> Deferred[Command]:
    """Begin to wait for the end of a command."""
    return Deferred.fromCoroutine(harness.core.command_queue.wait(command, seconds))


@pytest.mark.parametrize(
    ("verdict", "state"), [(None, State.SUCCEEDED), (FAILURE, State.FAILED), (GARBLED, State.UNKNOWN)]
)
def test_whoever_waits_hears_of_the_result(harness: CoreHarness, clock: Clock, verdict: object, state: State) -> None:
    """A sender that waits is answered when the device has reported, whatever it reports."""
    command = harness.send(CONTAINER)
    wait = waiting(harness, command)
    assert not wait.called
    harness.report(CONTAINER, message=command, **({} if verdict is None else {"verdict": verdict}))
    assert result_of(wait).state is state
    assert not clock.getDelayedCalls()


def test_whoever_waits_hears_of_a_cancellation(harness: CoreHarness) -> None:
    """Somebody else may have taken the command back."""
    command = harness.put(READER)
    wait = waiting(harness, command)
    harness.result(harness.core.command_queue.cancel(command))
    assert result_of(wait).state is State.CANCELLED


def test_whoever_waits_hears_that_nobody_will_know(harness: CoreHarness, clock: Clock) -> None:
    """A lease that runs out, and a time to live that is over, are ends, too."""
    lost, late = harness.send(CONTAINER), harness.put(READER, ttl=5)
    waits = [waiting(harness, lost), waiting(harness, late)]
    clock.advance(30)
    harness.sweep()
    assert [result_of(wait).state for wait in waits] == [State.UNKNOWN, State.EXPIRED]


def test_an_acknowledgement_is_not_the_end(harness: CoreHarness) -> None:
    """That the device has it does not tell what becomes of it."""
    command = harness.send(CONTAINER)
    wait = waiting(harness, command)
    harness.result(harness.core.command_queue.acknowledge(CONTAINER, command))
    assert not wait.called
    wait.cancel()


def test_what_has_ended_is_not_waited_for(harness: CoreHarness, clock: Clock) -> None:
    """The answer is there at once."""
    command = harness.send(CONTAINER)
    harness.report(CONTAINER, message=command)
    assert result_of(waiting(harness, command)).state is State.SUCCEEDED
    assert not clock.getDelayedCalls()


def test_waiting_has_an_end(harness: CoreHarness, clock: Clock) -> None:
    """Whoever has waited for long enough is shown the command as it stands."""
    wait = waiting(harness, harness.send(CONTAINER), 20)
    clock.advance(19.999)
    assert not wait.called
    clock.advance(0.001)
    assert result_of(wait).state is State.SENT


def test_an_end_while_the_waiter_looks_is_not_missed(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """A command that ends after it was looked up, and before whoever waits has heard, ends the waiting."""
    command = stepped.put(READER)
    wait = waiting(stepped, command)
    executor.commit()
    cancelling = Deferred.fromCoroutine(stepped.core.command_queue.cancel(command))
    executor.commit()
    stepped.run()
    assert result_of(wait).state is result_of(cancelling).state is State.CANCELLED


def test_several_may_wait(harness: CoreHarness) -> None:
    """All of them are answered, each about its own command."""
    first, second = harness.send(CONTAINER), harness.send(CONTAINER)
    waits = [waiting(harness, first), waiting(harness, first), waiting(harness, second)]
    harness.report(CONTAINER, message=first)
    assert [wait.called for wait in waits] == [True, True, False]
    waits[2].cancel()


def test_a_waiter_that_leaves_leaves_nothing(harness: CoreHarness, clock: Clock) -> None:
    """Who hangs up takes its timer along, and the command goes its way."""
    command = harness.send(CONTAINER)
    waiting(harness, command).cancel()
    assert not clock.getDelayedCalls()
    assert harness.report(CONTAINER, message=command) is Settlement.SETTLED


def test_nobody_waits_for_what_does_not_exist(harness: CoreHarness, clock: Clock) -> None:
    """An unknown command is an error at once."""
    with pytest.raises(UnknownCommand):
        result_of(waiting(harness, "019ab000-0000-7000-8000-000000000001"))
    assert not clock.getDelayedCalls()


def test_a_stop_lets_all_waiters_go(harness: CoreHarness, clock: Clock) -> None:
    """When we are about to stop, whoever waits is shown the command as it stands."""
    wait = waiting(harness, harness.send(CONTAINER))
    harness.core.drain()
    assert result_of(wait).state is State.SENT
    assert not clock.getDelayedCalls()
