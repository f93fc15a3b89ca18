"""Tests of events during a claim: no command and no wake-up is lost."""

import pytest
from twisted.internet.task import Clock

from pushd.model.event import EventType
from pushd.model.lifecycle import State
from pushd.rules.outcomes import Settlement
from tests.core.harness import READER, CoreHarness, HeldPoll
from tests.results import result_of
from tests.stepped import SteppedExecutor

HOLD = 10.0


@pytest.fixture
def empty_claim(stepped: CoreHarness, executor: SteppedExecutor) -> HeldPoll:
    """A poll with a claim in progress that will find nothing: its command is cancelled right before."""
    stepped.start(stepped.core.command_queue.cancel(stepped.put(READER)))
    poll = stepped.take(READER)
    executor.commit()
    executor.notify()
    assert len(executor.submitted) == 1
    return poll


@pytest.fixture
def command(stepped: CoreHarness) -> str:
    """A queued command."""
    return stepped.put(READER)


def start_put(harness: CoreHarness) -> None:
    """Ask the store to enqueue a command."""
    harness.putting(READER)


def is_queued_as_new(harness: CoreHarness, command: str) -> bool:
    """Whether a command is queued as if it had never been claimed."""
    found = harness.command(command)
    return (found.state, found.attempts, found.sent_at) == (State.QUEUED, 0, None)


def test_a_command_that_was_committed_before_the_poll_came(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """A poll that arrives between the commit of a command and its event is woken up by the event."""
    start_put(stepped)
    executor.commit()
    poll = stepped.take(READER)
    assert poll.held
    stepped.run()
    assert len(poll.commands) == 1


def test_a_command_that_is_put_during_the_claim(
    stepped: CoreHarness, executor: SteppedExecutor, empty_claim: HeldPoll
) -> None:
    """A claim that was too early for a new command is repeated."""
    start_put(stepped)
    executor.commit()
    executor.commit()
    executor.notify()
    assert empty_claim.held
    stepped.run()
    assert len(empty_claim.commands) == 1


def test_a_command_that_is_put_between_the_claim_and_its_answer(
    stepped: CoreHarness, executor: SteppedExecutor, empty_claim: HeldPoll
) -> None:
    """A command that is committed after the claim, and before the poll gets its answer, is not missed."""
    executor.commit()
    start_put(stepped)
    executor.commit()
    stepped.run()
    assert len(empty_claim.commands) == 1


def test_a_hold_that_ends_during_an_empty_claim(
    stepped: CoreHarness, executor: SteppedExecutor, empty_claim: HeldPoll, clock: Clock
) -> None:
    """A poll whose hold is over when the store answers ends idle then."""
    clock.advance(HOLD)
    stepped.run()
    assert empty_claim.idle
    assert not clock.getDelayedCalls()


def test_a_hold_that_ends_during_a_claim_loses_nothing(stepped: CoreHarness, command: str, clock: Clock) -> None:
    """A command that was claimed while the hold ran out is either with the device or in the queue."""
    poll = stepped.take(READER)
    clock.advance(HOLD)
    stepped.run()
    assert not poll.held
    assert poll.commands == [command] or is_queued_as_new(stepped, command)
    assert not clock.getDelayedCalls()


def test_a_command_that_becomes_due_during_the_claim(stepped: CoreHarness, clock: Clock) -> None:
    """A slow store does not make a poll miss the moment in which a command becomes due."""
    command = stepped.put(READER, not_before=stepped.wall_ms_in(3))
    poll = stepped.take(READER)
    clock.advance(5)
    stepped.run()
    clock.advance(0)
    stepped.run()
    assert poll.commands == [command]


def test_a_command_that_becomes_due_in_the_same_moment(harness: CoreHarness, clock: Clock) -> None:
    """A poll that claims within the millisecond before a command becomes due gets it."""
    command = harness.put(READER, not_before=harness.wall_ms_in(3))
    harness.take(READER).disconnect()
    clock.advance(2.998)
    harness.wall.drift = 0.001
    poll = harness.take(READER)
    clock.advance(0)
    assert poll.commands == [command]


@pytest.mark.parametrize("committed", [False, True], ids=["before the commit", "after the commit"])
def test_a_device_that_disconnects_during_the_claim(
    stepped: CoreHarness, executor: SteppedExecutor, command: str, clock: Clock, committed: bool
) -> None:
    """A command that was claimed for a closed connection is queued again as if it had not been claimed."""
    poll = stepped.take(READER, uuid="u1")
    if committed:
        executor.commit()
    poll.disconnect()
    stepped.run()
    assert is_queued_as_new(stepped, command)
    assert stepped.events[-1].type is EventType.COMMAND_QUEUED
    assert stepped.events[-1].data == {"reason": "unsent", "endpoint": "load_objects"}
    assert len(stepped.core.poll_registry) == 0
    assert not clock.getDelayedCalls()


@pytest.mark.parametrize(("lease", "limit"), [(60.0, 2.0), (1.0, 0.5), (0.001, 0.25)])
def test_a_claim_that_is_too_old_is_not_sent(
    stepped: CoreHarness, executor: SteppedExecutor, clock: Clock, lease: float, limit: float
) -> None:
    """After two seconds, or half of its lease, a command goes back to the queue, and is claimed anew."""
    command = stepped.put(READER, lease=lease)
    poll = stepped.take(READER)
    executor.commit()
    clock.advance(limit + 0.001)
    executor.notify()
    assert poll.held
    stepped.run()
    assert poll.commands == [command]
    assert stepped.command(command).attempts == 1
    assert [event.type for event in stepped.events if event.command == command] == [
        EventType.COMMAND_QUEUED,
        EventType.COMMAND_SENT,
        EventType.COMMAND_QUEUED,
        EventType.COMMAND_SENT,
    ]


def test_a_claim_beside_the_end_of_a_wait(
    stepped: CoreHarness, executor: SteppedExecutor, command: str, clock: Clock
) -> None:
    """A command that was claimed when the wait of its sender ended, and is taken back, is cancelled nevertheless."""
    waiting = stepped.start(stepped.core.command_queue.wait_or_cancel(command, 1, None))
    stepped.run()
    clock.advance(1)
    executor.commit()  # what the wait has read at its end
    poll = stepped.take(READER)
    executor.notify()
    executor.commit()  # the claim, and the cancel behind it
    poll.disconnect()
    stepped.run()
    assert result_of(waiting).state is State.CANCELLED


def test_a_claim_that_waited_for_other_commits_is_sent(
    stepped: CoreHarness, executor: SteppedExecutor, clock: Clock
) -> None:
    """On a slow disk a claim may begin late; its age counts from then on, else none would ever be sent."""
    command = stepped.put(READER)
    poll = stepped.take(READER)
    clock.advance(5)
    executor.commit()
    clock.advance(1)
    executor.notify()
    assert poll.commands == [command]
    assert stepped.command(command).attempts == 1


def test_a_claim_is_sent_within_its_time(stepped: CoreHarness, executor: SteppedExecutor, clock: Clock) -> None:
    """A commit of two seconds is slow, but the command may still be sent."""
    command = stepped.put(READER)
    poll = stepped.take(READER)
    executor.commit()
    clock.advance(2.0)
    stepped.run()
    assert poll.commands == [command]


def test_what_was_taken_back_goes_to_the_next_poll(stepped: CoreHarness, command: str) -> None:
    """A device that disconnected gets its command with its next poll, as the first attempt."""
    stepped.take(READER).disconnect()
    stepped.run()
    again = stepped.take(READER)
    stepped.run()
    assert again.commands == [command]
    assert stepped.command(command).attempts == 1


def test_a_command_that_is_taken_back_wakes_the_next_poll(
    stepped: CoreHarness, executor: SteppedExecutor, command: str
) -> None:
    """A poll that is held before the command is taken back gets it then."""
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
    """The uuid of a poll that got nothing matches no result."""
    stepped.take(READER, uuid="u1").disconnect()
    stepped.run()
    assert stepped.report(READER, uuid="u1") is Settlement.ORPHANED
    assert is_queued_as_new(stepped, command)


def test_a_takeover_during_the_claim(stepped: CoreHarness, command: str) -> None:
    """A command that was claimed for the older poll goes to the newer one; the older one ends idle at once."""
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
    """It does not matter whether the claim was committed when the newer poll arrived, or what uuids they have."""
    older = stepped.take(READER, uuid=uuids[0])
    executor.commit()
    newer = stepped.take(READER, uuid=uuids[1])
    stepped.run()
    assert (older.idle, newer.commands) == (True, [command])


def test_two_polls_and_one_command(stepped: CoreHarness) -> None:
    """Of two polls of one device only the newer one gets the command."""
    polls = [stepped.take(READER), stepped.take(READER)]
    start_put(stepped)
    stepped.run()
    assert [len(poll.commands) for poll in polls] == [0, 1]
    third = stepped.take(READER)
    stepped.run()
    assert third.held


def test_a_stop_during_the_claim(stepped: CoreHarness, command: str, clock: Clock) -> None:
    """A poll that ends because the server stops gets nothing: its command is queued again."""
    poll = stepped.take(READER)
    stepped.core.drain()
    assert poll.idle
    stepped.run()
    assert is_queued_as_new(stepped, command)
    assert not clock.getDelayedCalls()
