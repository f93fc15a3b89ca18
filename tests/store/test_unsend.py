"""Tests of commands that return to the queue because no byte was written, and of cancelling."""

import pytest

from pushd.model.command import Dispatched
from pushd.model.errors import IllegalMove, UnknownCommand
from pushd.model.event import Event
from pushd.model.lifecycle import State
from pushd.model.result import Verdict
from pushd.rules.outcomes import Settlement
from pushd.store.interface import IStore
from tests.store.clock import when
from tests.store.samples import (
    AT_LEAST_ONCE,
    CALLED,
    FAILURE,
    READER,
    SUCCESS,
    StubResult,
    always_batchable,
    at,
    by_message,
    command_id,
    draft,
    wall,
)
from tests.store.steps import claim, event_types, get_command, put, send, state


async def test_an_unsent_command_is_queued_again(store: IStore, events: list[Event]) -> None:
    """A command whose connection was lost before it was written is queued as if it had never been claimed."""
    before = (await when(store, at()).put(draft(), False, 10))[0]
    dispatched = await claim(store, now=at(1))
    assert dispatched is not None
    await when(store, at(2)).unsend([dispatched])
    assert await get_command(store, 1) == before
    assert event_types(events) == ["command.queued", "command.sent", "command.queued"]
    assert events[2].data == CALLED | {"reason": "unsent"}
    assert store.queue_depth(READER).in_flight == 0


async def test_an_unsent_command_is_sent_again(store: IStore) -> None:
    """The next poll gets the command, as its first attempt, even if it may be sent only once."""
    dispatched = await send(store, 1)
    await when(store, at()).unsend([dispatched])
    assert await claim(store, now=at(1)) == dispatched


async def test_several_commands_are_unsent_at_once(store: IStore) -> None:
    """All commands that one poll had claimed are queued again."""
    await put(store, 1, 2, 3)
    claimed = await store.claim(READER, None, True, 2, always_batchable)
    assert len(claimed.dispatched) == 2
    await store.unsend(claimed.dispatched)
    again = await store.claim(READER, None, True, 3, always_batchable)
    assert [dispatched.command for dispatched in again.dispatched] == [command_id(1), command_id(2), command_id(3)]


async def test_the_attempt_before_is_the_latest_again(store: IStore) -> None:
    """If a further attempt was unsent, the command shows when the one before was sent."""
    await send(store, 1, delivery=AT_LEAST_ONCE)
    await when(store, at(60)).lapse(10)
    second = await claim(store, now=at(61))
    assert second is not None
    await when(store, at(62)).unsend([second])
    command = await get_command(store, 1)
    assert (command.state, command.attempts, command.sent_at) == (State.QUEUED, 1, wall(0))


async def test_the_uuid_of_an_unsent_poll_settles_nothing(store: IStore) -> None:
    """A result with the uuid of a poll whose command was unsent is not about that command."""
    dispatched = await send(store, 1, uuid="u-1")
    await when(store, at()).unsend([dispatched])
    assert await when(store, at(1)).settle(READER, StubResult(uuid="u-1")) is Settlement.ORPHANED
    assert await state(store, 1) is State.QUEUED


async def test_a_settled_command_is_not_unsent(store: IStore, events: list[Event]) -> None:
    """A command with a result is not queued again."""
    dispatched = await send(store, 1)
    await when(store, at(1)).settle(READER, by_message(1))
    recorded = list(events)
    await when(store, at(2)).unsend([dispatched])
    assert await state(store, 1) is State.SUCCEEDED
    assert events == recorded


@pytest.mark.parametrize(("delivery", "then"), [("at_most_once", State.UNKNOWN), ("at_least_once", State.QUEUED)])
async def test_a_lapsed_attempt_is_not_unsent(store: IStore, delivery: str, then: State) -> None:
    """An attempt whose lease ran out stays counted."""
    dispatched = await send(store, 1, delivery=delivery)
    await when(store, at(60)).lapse(10)
    await when(store, at(61)).unsend([dispatched])
    command = await get_command(store, 1)
    assert (command.state, command.attempts) == (then, 1)


async def test_an_old_attempt_is_not_unsent(store: IStore) -> None:
    """Only the attempt that was not written is undone, not the one after it."""
    first = await send(store, 1, delivery=AT_LEAST_ONCE)
    await when(store, at(60)).lapse(10)
    await claim(store, now=at(61))
    await when(store, at(62)).unsend([first])
    command = await get_command(store, 1)
    assert (command.state, command.attempts) == (State.SENT, 2)


async def test_an_acknowledged_command_is_not_unsent(store: IStore) -> None:
    """If the device has acknowledged it, it was written."""
    dispatched = await send(store, 1)
    await when(store, at(1)).acknowledge(READER, command_id(1))
    await when(store, at(2)).unsend([dispatched])
    assert await state(store, 1) is State.ACKNOWLEDGED


async def test_unsending_an_unknown_command_changes_nothing(store: IStore, events: list[Event]) -> None:
    """There is no error either."""
    await store.unsend([Dispatched(command=command_id(9), attempt=1, payload={})])
    assert events == []


async def test_a_queued_command_can_be_cancelled(store: IStore, events: list[Event]) -> None:
    """A command that was never sent is cancelled by an operator, and never sent."""
    await put(store, 1)
    command = await when(store, at(5)).cancel(command_id(1))
    assert (command.state, command.finished_at, command.evidence) == (State.CANCELLED, wall(5), "operator")
    assert command.payload == {"endpoint": "load_objects"}
    assert await get_command(store, 1) == command
    assert event_types(events) == ["command.queued", "command.cancelled"]
    assert await claim(store) is None


async def test_cancelling_again_is_no_error(store: IStore, events: list[Event]) -> None:
    """An operator who cancels twice gets two answers, and there is one event."""
    await put(store, 1)
    first = await when(store, at(5)).cancel(command_id(1))
    assert await when(store, at(9)).cancel(command_id(1)) == first
    assert event_types(events).count("command.cancelled") == 1


async def test_a_command_that_may_have_run_is_not_called_cancelled(store: IStore, events: list[Event]) -> None:
    """One that is queued for another attempt becomes unknown: the first may have run."""
    await send(store, 1, delivery=AT_LEAST_ONCE)
    await when(store, at(60)).lapse(10)
    command = await when(store, at(61)).cancel(command_id(1))
    assert (command.state, command.finished_at, command.evidence) == (State.UNKNOWN, wall(61), None)
    assert command.error == "cancelled after it may have run"
    assert event_types(events)[-1] == "command.unknown"
    assert await claim(store, now=at(62)) is None


@pytest.mark.parametrize("acknowledged", [False, True])
async def test_the_attempt_in_flight_becomes_the_last(store: IStore, events: list[Event], acknowledged: bool) -> None:
    """A command in flight cannot be called back, but it is not sent again."""
    await send(store, 1, delivery=AT_LEAST_ONCE)
    if acknowledged:
        await when(store, at(1)).acknowledge(READER, command_id(1))
    before, recorded = await get_command(store, 1), list(events)
    command = await when(store, at(2)).cancel(command_id(1))
    assert (command.state, command.max_attempts, command.finished_at) == (before.state, 1, None)
    assert await when(store, at(3)).cancel(command_id(1)) == command
    assert events == recorded
    await when(store, at(70)).lapse(10)
    assert await state(store, 1) is State.UNKNOWN


async def test_a_cancelled_attempt_can_still_report(store: IStore) -> None:
    """The result of an attempt that was in flight when its command was cancelled counts."""
    await send(store, 1, delivery=AT_LEAST_ONCE)
    await when(store, at(2)).cancel(command_id(1))
    assert await when(store, at(3)).settle(READER, by_message(1)) is Settlement.SETTLED
    assert await state(store, 1) is State.SUCCEEDED


async def test_a_cancelled_command_that_is_unsent_is_not_sent_again(store: IStore, events: list[Event]) -> None:
    """There is no further attempt, though the one in flight was never written."""
    dispatched = await send(store, 1, delivery=AT_LEAST_ONCE)
    assert (await when(store, at(2)).cancel(command_id(1))).error == "cancelled: there is no further attempt"
    await when(store, at(3)).unsend([dispatched])
    command = await get_command(store, 1)
    assert (command.state, command.attempts, command.error) == (State.CANCELLED, 0, None)
    assert (command.finished_at, command.evidence) == (wall(3), "operator")
    assert event_types(events)[2:] == ["command.queued", "command.cancelled"]
    assert await claim(store, now=at(4)) is None


async def test_an_attempt_before_the_cancelled_one_may_have_run(store: IStore, events: list[Event]) -> None:
    """If there was an earlier attempt, the outcome is unknown, and there is no further one."""
    await send(store, 1, delivery=AT_LEAST_ONCE)
    await when(store, at(60)).lapse(10)
    second = await claim(store, now=at(61))
    assert second is not None
    await when(store, at(62)).cancel(command_id(1))
    await when(store, at(63)).unsend([second])
    command = await get_command(store, 1)
    assert (command.state, command.attempts, command.evidence) == (State.UNKNOWN, 1, None)
    assert command.error == "cancelled after it may have run"
    assert event_types(events)[-2:] == ["command.queued", "command.unknown"]
    assert await claim(store, now=at(64)) is None


async def test_the_last_attempt_is_made_again_if_it_was_unsent(store: IStore) -> None:
    """That it was the last one that its sender allowed does not cancel the command."""
    dispatched = await send(store, 1, delivery=AT_LEAST_ONCE, max_attempts=1)
    await when(store, at(3)).unsend([dispatched])
    assert await claim(store, now=at(4)) == dispatched


async def test_a_cancelled_command_says_so_until_it_ends(store: IStore) -> None:
    """It says that there is no further attempt while it is in flight, and no longer once it has succeeded."""
    await send(store, 1, delivery=AT_LEAST_ONCE)
    said = (await when(store, at(2)).cancel(command_id(1))).error
    await when(store, at(3)).acknowledge(READER, command_id(1))
    assert (await get_command(store, 1)).error == said
    await when(store, at(4)).settle(READER, by_message(1))
    assert (await get_command(store, 1)).error is None


async def test_an_at_most_once_command_in_flight_cannot_be_cancelled(store: IStore) -> None:
    """It would not be sent again anyway."""
    await send(store, 1)
    with pytest.raises(IllegalMove, match="sent"):
        await when(store, at(1)).cancel(command_id(1))
    await when(store, at(2)).acknowledge(READER, command_id(1))
    with pytest.raises(IllegalMove, match="acknowledged"):
        await when(store, at(3)).cancel(command_id(1))


@pytest.mark.parametrize(("verdict", "word"), [(SUCCESS, "succeeded"), (FAILURE, "failed")])
async def test_a_settled_command_cannot_be_cancelled(store: IStore, verdict: Verdict, word: str) -> None:
    """It stays as it is, and the error names its state."""
    await send(store, 1)
    await when(store, at(1)).settle(READER, StubResult(message=command_id(1), verdict=verdict))
    with pytest.raises(IllegalMove, match=word):
        await when(store, at(2)).cancel(command_id(1))


@pytest.mark.parametrize("sent", [False, True])
async def test_an_expired_or_unknown_command_cannot_be_cancelled(store: IStore, sent: bool) -> None:
    """It stays as it is."""
    await put(store, 1)
    if sent:
        await claim(store)
    await when(store, at(300)).expire(10)
    await when(store, at(300)).lapse(10)
    with pytest.raises(IllegalMove, match="unknown" if sent else "expired"):
        await when(store, at(301)).cancel(command_id(1))


async def test_an_unknown_command_cannot_be_cancelled(store: IStore) -> None:
    """An unknown id is an error."""
    with pytest.raises(UnknownCommand, match=command_id(9)):
        await store.cancel(command_id(9))
