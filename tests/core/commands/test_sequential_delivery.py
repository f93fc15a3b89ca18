"""Tests of whose turn it is: Control iD takes one thing at a time, Server-Eye several."""

import pytest
from twisted.internet.task import Clock

from pushd.model.lifecycle import Delivery, State
from pushd.store.filters import Settlement
from tests.core.harness import CONTAINER, READER, CoreHarness

LEASE = 60.0
"""Seconds of a Control iD command's lease."""


@pytest.fixture
def out(harness: CoreHarness) -> str:
    """A command that a poll named ``u1`` was handed; nobody knows yet what became of it."""
    command = harness.put(READER)
    assert harness.poll(READER, "u1").commands == [command]
    return command


def test_a_repeated_poll_waits_for_the_result(harness: CoreHarness, out: str) -> None:
    """A poll that repeats the name of the one out is a retry: it is handed the next only when that one is settled."""
    following = harness.put(READER)
    poll = harness.poll(READER, "u1")
    assert poll.held
    assert harness.report(READER, uuid="u1") is Settlement.SETTLED
    assert poll.commands == [following]


def test_a_repeated_poll_may_come_before_the_next_command(harness: CoreHarness, out: str) -> None:
    """It is all the same whether the retry or the next command was there first."""
    poll = harness.poll(READER, "u1")
    following = harness.put(READER)
    assert poll.held
    harness.report(READER, uuid="u1")
    assert poll.commands == [following]


def test_a_repeated_poll_goes_on_when_the_lease_is_over(harness: CoreHarness, out: str, clock: Clock) -> None:
    """If no result comes, the next command goes when the older one was given up."""
    following = harness.put(READER)
    clock.advance(LEASE - 5)
    poll = harness.poll(READER, "u1")
    clock.advance(5)
    assert poll.held
    harness.sweep()
    assert harness.command(out).state is State.UNKNOWN
    assert poll.commands == [following]


def test_a_repeated_poll_ends_idle(harness: CoreHarness, out: str, clock: Clock) -> None:
    """A retry is held no longer than any other poll, and what waits goes on waiting."""
    following = harness.put(READER)
    poll = harness.poll(READER, "u1")
    clock.advance(10)
    assert poll.idle
    assert harness.command(following).state is State.QUEUED


def test_a_repeated_poll_may_get_the_same_command_once_more(harness: CoreHarness, clock: Clock) -> None:
    """A command that may run twice is handed to the retry when its first attempt was given up."""
    command = harness.put(READER, delivery=Delivery.AT_LEAST_ONCE, lease=5)
    harness.poll(READER, "u1")
    poll = harness.poll(READER, "u1")
    clock.advance(5)
    harness.sweep()
    assert poll.commands == [command]


@pytest.mark.parametrize("uuid", ["u2", None])
def test_a_poll_with_another_name_gets_the_next_at_once(harness: CoreHarness, out: str, uuid: str | None) -> None:
    """A device that polls anew is done with the older command, or never got it."""
    following = harness.put(READER)
    assert harness.poll(READER, uuid).commands == [following]
    assert harness.command(out).state is State.SENT


@pytest.mark.parametrize("uuid", ["u2", None])
def test_a_held_poll_with_another_name_gets_what_comes(harness: CoreHarness, out: str, uuid: str | None) -> None:
    """What is out keeps no later poll from getting the next command as it comes."""
    poll = harness.poll(READER, uuid)
    following = harness.put(READER)
    assert poll.commands == [following]


def test_polls_without_a_name_never_wait(harness: CoreHarness) -> None:
    """Old firmware names no poll, so that none can be told to be a retry."""
    commands = [harness.put(READER) for _ in range(3)]
    assert [harness.poll(READER).commands for _ in range(3)] == [[command] for command in commands]


def test_only_the_newest_one_out_is_waited_for(harness: CoreHarness, out: str) -> None:
    """A poll that repeats an older name is not a retry of the one out."""
    second = harness.put(READER)
    harness.poll(READER, "u2")
    third = harness.put(READER)
    assert harness.poll(READER, "u1").commands == [third]
    assert [harness.command(command).state for command in (out, second, third)] == [State.SENT] * 3


def test_an_older_command_is_settled_by_its_own_name(harness: CoreHarness, out: str) -> None:
    """A result that comes late, for a command that was passed over, is not taken for the newer one's."""
    following = harness.put(READER)
    harness.poll(READER, "u2")
    harness.report(READER, uuid="u1")
    assert harness.command(out).state is State.SUCCEEDED
    assert harness.command(out).matched_by == "uuid"
    assert harness.command(following).state is State.SENT


def test_an_idle_poll_may_be_repeated(harness: CoreHarness, clock: Clock) -> None:
    """A name that nothing was handed to is no name of something out."""
    poll = harness.poll(READER, "u1")
    clock.advance(10)
    assert poll.idle
    command = harness.put(READER)
    assert harness.poll(READER, "u1").commands == [command]


def test_a_container_has_several_out(harness: CoreHarness) -> None:
    """A Server-Eye client polls again while earlier messages are still in work, and is handed further ones."""
    commands = [harness.put(CONTAINER) for _ in range(3)]
    assert [harness.poll(CONTAINER).commands for _ in range(3)] == [[command] for command in commands]
    assert [harness.command(command).state for command in commands] == [State.SENT] * 3


def test_results_of_a_container_come_in_any_order(harness: CoreHarness) -> None:
    """Each result settles the message that it names."""
    first, second = harness.put(CONTAINER), harness.put(CONTAINER)
    harness.poll(CONTAINER)
    harness.poll(CONTAINER)
    assert harness.report(CONTAINER, message=second) is Settlement.SETTLED
    assert [harness.command(command).state for command in (first, second)] == [State.SENT, State.SUCCEEDED]


def test_the_most_urgent_goes_first(harness: CoreHarness) -> None:
    """By priority, then in the order in which they were sent."""
    commands = [harness.put(CONTAINER, priority=priority) for priority in (5, 9, 5, 0)]
    handed = [harness.poll(CONTAINER).commands[0] for _ in commands]
    assert handed == [commands[1], commands[0], commands[2], commands[3]]
