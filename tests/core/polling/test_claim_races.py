"""Tests of what happens while the store is at work: no command and no wake-up is lost on the way.

A *look* is on its way from the moment when a poll asks the store until it hears the answer.
"""

import pytest
from twisted.internet.task import Clock

from pushd.model.event import EventType
from pushd.model.lifecycle import State
from pushd.store.filters import Settlement
from tests.core.harness import READER, CoreHarness, HeldPoll
from tests.stepped import SteppedExecutor

HOLD = 10.0


@pytest.fixture
def empty_look(stepped: CoreHarness, executor: SteppedExecutor) -> HeldPoll:
    """A poll that looks, in vain: the command that is in memory's books was cancelled, which memory has not seen
    yet.
    """
    stepped.result(stepped.core.command_queue.cancel(stepped.put(READER)))
    poll = stepped.take(READER)
    assert len(executor.submitted) == 1
    return poll


@pytest.fixture
def command(stepped: CoreHarness) -> str:
    """A command that waits for its device."""
    return stepped.put(READER)


def begin_to_put(harness: CoreHarness) -> None:
    """Ask the store to queue a command."""
    harness.start(harness.putting(READER))


def queued_as_new(harness: CoreHarness, command: str) -> bool:
    """Whether a command waits as if it had never been claimed."""
    found = harness.command(command)
    return (found.state, found.attempts, found.sent_at) == (State.QUEUED, 0, None)


def test_a_command_that_was_committed_before_the_poll_came(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """A poll that arrives between the commit of a command and the news of it hears the news."""
    begin_to_put(stepped)
    executor.commit()
    poll = stepped.take(READER)
    assert poll.held
    stepped.run()
    assert len(poll.commands) == 1


def test_a_command_that_is_put_during_the_look(
    stepped: CoreHarness, executor: SteppedExecutor, empty_look: HeldPoll
) -> None:
    """A look that was too early to see a new command is repeated."""
    begin_to_put(stepped)
    executor.commit()
    executor.commit()
    executor.notify()
    assert empty_look.held
    stepped.run()
    assert len(empty_look.commands) == 1


def test_a_command_that_is_put_between_the_look_and_its_answer(
    stepped: CoreHarness, executor: SteppedExecutor, empty_look: HeldPoll
) -> None:
    """What is committed after the look was, and before the poll has heard of that, is not overlooked."""
    executor.commit()
    begin_to_put(stepped)
    executor.commit()
    stepped.run()
    assert len(empty_look.commands) == 1


def test_a_hold_that_ends_during_an_empty_look(
    stepped: CoreHarness, executor: SteppedExecutor, empty_look: HeldPoll, clock: Clock
) -> None:
    """A poll whose time is over when the store answers ends idle then."""
    clock.advance(HOLD)
    stepped.run()
    assert empty_look.idle
    assert not clock.getDelayedCalls()


def test_a_hold_that_ends_during_a_look_loses_nothing(stepped: CoreHarness, command: str, clock: Clock) -> None:
    """A command that was claimed while the hold ran out is in one place: with the device, or in the queue."""
    poll = stepped.take(READER)
    clock.advance(HOLD)
    stepped.run()
    assert not poll.held
    assert poll.commands == [command] or queued_as_new(stepped, command)
    assert not clock.getDelayedCalls()


def test_a_command_that_comes_due_during_the_look(stepped: CoreHarness, clock: Clock) -> None:
    """A store that is slow does not make a poll sleep through the moment from which it may have a command."""
    command = stepped.put(READER, not_before=stepped.wall_ms_in(3))
    poll = stepped.take(READER)
    clock.advance(5)
    stepped.run()
    clock.advance(0)
    stepped.run()
    assert poll.commands == [command]


def test_a_command_that_comes_due_in_the_same_moment(harness: CoreHarness, clock: Clock) -> None:
    """A poll that looks within the very millisecond before a command is due does not sleep through the next."""
    command = harness.put(READER, not_before=harness.wall_ms_in(3))
    harness.take(READER).disconnect()
    clock.advance(2.998)
    harness.wall.drift = 0.001
    poll = harness.take(READER)
    clock.advance(0)
    assert poll.commands == [command]


@pytest.mark.parametrize("committed", [False, True], ids=["before the commit", "after the commit"])
def test_a_device_that_leaves_during_the_look(
    stepped: CoreHarness, executor: SteppedExecutor, command: str, clock: Clock, committed: bool
) -> None:
    """What was claimed for a connection that has gone is queued again as if nothing had been, and nothing else is
    left.
    """
    poll = stepped.take(READER, uuid="u1")
    if committed:
        executor.commit()
    poll.disconnect()
    stepped.run()
    assert queued_as_new(stepped, command)
    assert stepped.events[-1].type is EventType.COMMAND_QUEUED
    assert stepped.events[-1].data == {"reason": "unsent"}
    assert len(stepped.core.poll_registry) == 0
    assert not clock.getDelayedCalls()


def test_what_was_taken_back_goes_to_the_next_poll(stepped: CoreHarness, command: str) -> None:
    """The device that hung up gets its command when it comes again, as the first attempt."""
    stepped.take(READER).disconnect()
    stepped.run()
    again = stepped.take(READER)
    stepped.run()
    assert again.commands == [command]
    assert stepped.command(command).attempts == 1


def test_what_is_taken_back_rings_the_poll_that_waits_by_now(
    stepped: CoreHarness, executor: SteppedExecutor, command: str
) -> None:
    """A device that is back before its command is gets it as soon as it is."""
    stepped.take(READER).disconnect()
    again = stepped.take(READER)
    executor.commit()
    executor.commit()
    executor.notify()
    executor.notify()
    assert again.held
    stepped.run()
    assert again.commands == [command]


def test_an_attempt_that_was_taken_back_matches_no_result(stepped: CoreHarness, command: str) -> None:
    """The name of a poll that got nothing is not the name of an attempt."""
    stepped.take(READER, uuid="u1").disconnect()
    stepped.run()
    assert stepped.report(READER, uuid="u1") is Settlement.ORPHANED
    assert queued_as_new(stepped, command)


def test_a_takeover_during_the_look(stepped: CoreHarness, command: str) -> None:
    """What was claimed for the older poll reaches the newer one; the older ends idle at once."""
    older = stepped.take(READER)
    newer = stepped.take(READER)
    assert older.idle
    stepped.run()
    assert newer.commands == [command]
    assert older.idle
    assert stepped.command(command).attempts == 1


@pytest.mark.parametrize("uuids", [("u1", "u1"), ("u1", "u2"), (None, None)], ids=["same", "other", "none"])
def test_a_takeover_after_the_claim(
    stepped: CoreHarness, executor: SteppedExecutor, command: str, uuids: tuple[str | None, str | None]
) -> None:
    """It is all the same whether the claim was committed when the newer poll came, and what the polls are named."""
    older = stepped.take(READER, uuid=uuids[0])
    executor.commit()
    newer = stepped.take(READER, uuid=uuids[1])
    stepped.run()
    assert (older.idle, newer.commands) == (True, [command])


def test_two_polls_and_one_command(stepped: CoreHarness) -> None:
    """Of two polls of one device the newer gets the command, and it alone."""
    polls = [stepped.take(READER), stepped.take(READER)]
    begin_to_put(stepped)
    stepped.run()
    assert [len(poll.commands) for poll in polls] == [0, 1]
    third = stepped.take(READER)
    stepped.run()
    assert third.held


def test_a_stop_during_the_look(stepped: CoreHarness, command: str, clock: Clock) -> None:
    """A poll that we end because we stop is handed nothing: what was claimed for it waits for our successor."""
    poll = stepped.take(READER)
    stepped.core.drain()
    assert poll.idle
    stepped.run()
    assert queued_as_new(stepped, command)
    assert not clock.getDelayedCalls()
