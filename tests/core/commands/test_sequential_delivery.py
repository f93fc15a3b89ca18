"""Tests of the order of delivery: Control iD takes one command at a time, Server-Eye several."""

import pytest
from twisted.internet.task import Clock

from pushd.model.lifecycle import Delivery, State
from pushd.rules.outcomes import Settlement
from tests.core.harness import CONTAINER, READER, CoreHarness

LEASE = 60.0
"""Seconds of a Control iD command's lease."""


@pytest.fixture
def in_flight(harness: CoreHarness) -> str:
    """A command that was sent to the poll ``u1`` and has no result yet."""
    command = harness.put(READER)
    assert harness.poll(READER, "u1").commands == [command]
    return command


def test_a_repeated_poll_waits_for_the_result(harness: CoreHarness, in_flight: str) -> None:
    """A poll that repeats the uuid of the command in flight is a retry: it gets the next command after the result."""
    following = harness.put(READER)
    poll = harness.poll(READER, "u1")
    assert poll.held
    assert harness.report(READER, uuid="u1") is Settlement.SETTLED
    assert poll.commands == [following]


def test_a_repeated_poll_may_come_before_the_next_command(harness: CoreHarness, in_flight: str) -> None:
    """It does not matter whether the retry or the next command came first."""
    poll = harness.poll(READER, "u1")
    following = harness.put(READER)
    assert poll.held
    harness.report(READER, uuid="u1")
    assert poll.commands == [following]


def test_a_repeated_poll_continues_when_the_lease_ends(harness: CoreHarness, in_flight: str, clock: Clock) -> None:
    """If no result arrives, the retry gets the next command when the lease of the older one ends."""
    following = harness.put(READER)
    clock.advance(LEASE - 5)
    poll = harness.poll(READER, "u1")
    clock.advance(5)
    assert poll.held
    harness.sweep()
    assert harness.command(in_flight).state is State.UNKNOWN
    assert poll.commands == [following]


def test_a_repeated_poll_ends_idle(harness: CoreHarness, in_flight: str, clock: Clock) -> None:
    """A retry is held no longer than any other poll, and the next command stays queued."""
    following = harness.put(READER)
    poll = harness.poll(READER, "u1")
    clock.advance(10)
    assert poll.idle
    assert harness.command(following).state is State.QUEUED


def test_a_repeated_poll_may_get_the_same_command_once_more(harness: CoreHarness, clock: Clock) -> None:
    """A command that may run twice is sent to the retry when the lease of its first attempt has ended."""
    command = harness.put(READER, delivery=Delivery.AT_LEAST_ONCE, lease=5)
    harness.poll(READER, "u1")
    poll = harness.poll(READER, "u1")
    clock.advance(5)
    harness.sweep()
    assert poll.commands == [command]


@pytest.mark.parametrize("uuid", ["u2", None])
def test_a_poll_with_another_uuid_gets_the_next_at_once(
    harness: CoreHarness, in_flight: str, uuid: str | None
) -> None:
    """A device that polls with a new uuid has finished the older command, or never received it."""
    following = harness.put(READER)
    assert harness.poll(READER, uuid).commands == [following]
    assert harness.command(in_flight).state is State.SENT


@pytest.mark.parametrize("uuid", ["u2", None])
def test_a_held_poll_with_another_uuid_gets_new_commands(
    harness: CoreHarness, in_flight: str, uuid: str | None
) -> None:
    """A command in flight does not keep a poll with another uuid from getting the next one."""
    poll = harness.poll(READER, uuid)
    following = harness.put(READER)
    assert poll.commands == [following]


def test_polls_without_a_uuid_never_wait(harness: CoreHarness) -> None:
    """Old firmware sends no uuid, so no poll can be recognised as a retry."""
    commands = [harness.put(READER) for _ in range(3)]
    assert [harness.poll(READER).commands for _ in range(3)] == [[command] for command in commands]


def test_only_the_newest_command_in_flight_is_waited_for(harness: CoreHarness, in_flight: str) -> None:
    """A poll that repeats an older uuid is not a retry."""
    second = harness.put(READER)
    harness.poll(READER, "u2")
    third = harness.put(READER)
    assert harness.poll(READER, "u1").commands == [third]
    assert [harness.command(command).state for command in (in_flight, second, third)] == [State.SENT] * 3


def test_an_older_command_is_settled_by_its_own_uuid(harness: CoreHarness, in_flight: str) -> None:
    """A late result of an older command is not taken for the result of the newer one."""
    following = harness.put(READER)
    harness.poll(READER, "u2")
    harness.report(READER, uuid="u1")
    assert harness.command(in_flight).state is State.SUCCEEDED
    assert harness.command(in_flight).matched_by == "uuid"
    assert harness.command(following).state is State.SENT


def test_an_idle_poll_may_be_repeated(harness: CoreHarness, clock: Clock) -> None:
    """The uuid of a poll that got no command does not make the next poll a retry."""
    poll = harness.poll(READER, "u1")
    clock.advance(10)
    assert poll.idle
    command = harness.put(READER)
    assert harness.poll(READER, "u1").commands == [command]


def test_a_container_has_several_in_flight(harness: CoreHarness) -> None:
    """A Server-Eye client polls again while it works on earlier messages, and gets further ones."""
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


def test_the_highest_priority_is_sent_first(harness: CoreHarness) -> None:
    """Commands are sent by priority, then in the order in which they were enqueued."""
    commands = [harness.put(CONTAINER, priority=priority) for priority in (5, 9, 5, 0)]
    sent = [harness.poll(CONTAINER).commands[0] for _ in commands]
    assert sent == [commands[1], commands[0], commands[2], commands[3]]
