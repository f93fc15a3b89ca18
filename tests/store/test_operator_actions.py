"""Tests of the operator's word on what is over: resolve, and send again."""

import pytest
from attrs import evolve

from pushd.model.device import Admission, PresenceState
from pushd.model.errors import DeviceBlocked, DeviceSignedOff, IllegalMove, QueueFull, UnknownCommand
from pushd.model.event import Event
from pushd.model.lifecycle import Move, State
from pushd.store.filters import Settlement
from pushd.store.interface import IStore
from tests.store.samples import AT_LEAST_ONCE, FAILURE, LIMIT, READER, at, by_message, command_id, draft, wall
from tests.store.steps import claim, event_types, get_command, put, send, state

WORKED, FAILED = Move.RESOLVE_SUCCEEDED, Move.RESOLVE_FAILED

RESOLVES = pytest.mark.parametrize(("move", "end"), [(WORKED, State.SUCCEEDED), (FAILED, State.FAILED)])


async def lost(store: IStore, number: int = 1) -> None:
    """Send a command of which nobody then hears."""
    await send(store, number, lease=60.0)
    await store.lapse(10, at(60))


async def ended(store: IStore, end: State) -> None:
    """Bring the first command to an end."""
    if end is State.UNKNOWN:
        await lost(store)
    elif end is State.FAILED:
        await send(store, 1)
        await store.settle(READER, by_message(1, FAILURE), at(1))
    else:
        await put(store, 1)
        await (store.expire(10, at(300)) if end is State.EXPIRED else store.cancel(command_id(1), at(1)))
    assert await state(store, 1) is end


@RESOLVES
async def test_an_operator_may_say_how_it_ended(store: IStore, events: list[Event], move: Move, end: State) -> None:
    """A command of which nobody knows ends by a person's word, and says that it is a person's."""
    await lost(store)
    command = await store.resolve(command_id(1), move, "I went to look", "ana", at(90))
    assert (command.state, command.evidence, command.finished_at) == (end, "operator", wall(90))
    assert command.error == ("I went to look" if end is State.FAILED else None)
    assert await get_command(store, 1) == command
    assert events[-1].type == "command.resolved"
    assert events[-1].data == {"state": end, "note": "I went to look", "by": "ana"}


@RESOLVES
async def test_saying_it_again_is_no_error(store: IStore, events: list[Event], move: Move, end: State) -> None:
    """The same word twice is answered twice and told once."""
    await lost(store)
    first = await store.resolve(command_id(1), move, None, "ana", at(90))
    assert await store.resolve(command_id(1), move, "really", "ben", at(95)) == first
    assert event_types(events).count("command.resolved") == 1


async def test_a_word_is_not_taken_back_by_another(store: IStore) -> None:
    """Once a person has said how it ended, another cannot say otherwise."""
    await lost(store)
    await store.resolve(command_id(1), WORKED, None, "ana", at(90))
    with pytest.raises(IllegalMove, match="succeeded"):
        await store.resolve(command_id(1), FAILED, None, "ben", at(95))


@pytest.mark.parametrize("end", [State.FAILED, State.EXPIRED, State.CANCELLED])
@pytest.mark.parametrize("move", [WORKED, FAILED])
async def test_only_an_unknown_outcome_can_be_resolved(store: IStore, end: State, move: Move) -> None:
    """Where the device has spoken, or nothing was sent, there is nothing for a person to say."""
    await ended(store, end)
    with pytest.raises(IllegalMove, match=end):
        await store.resolve(command_id(1), move, None, "ana", at(301))


async def test_what_is_not_over_cannot_be_resolved(store: IStore) -> None:
    """A command that waits, or is at the device, has to run its course."""
    await send(store, 1)
    await put(store, 2)
    for number in (1, 2):
        with pytest.raises(IllegalMove):
            await store.resolve(command_id(number), WORKED, None, "ana", at(1))
    with pytest.raises(UnknownCommand, match=command_id(9)):
        await store.resolve(command_id(9), WORKED, None, "ana", at(1))


@RESOLVES
async def test_a_device_does_not_contradict_a_person(store: IStore, move: Move, end: State) -> None:
    """A result that comes after a person's word is kept for them to see, and changes nothing."""
    await lost(store)
    resolved = await store.resolve(command_id(1), move, None, "ana", at(90))
    assert await store.settle(READER, by_message(1), at(95)) is Settlement.ORPHANED
    await store.acknowledge(READER, command_id(1), at(95))
    assert await get_command(store, 1) == resolved


@pytest.mark.parametrize("end", [State.UNKNOWN, State.FAILED, State.EXPIRED, State.CANCELLED])
async def test_what_did_not_work_can_be_sent_again(store: IStore, events: list[Event], end: State) -> None:
    """A new command takes its place, and each of the two names the other."""
    await ended(store, end)
    again, new = await store.resend(evolve(draft(2), resend_of=command_id(1)), False, LIMIT, at(400))
    assert new
    assert (again.id, again.state, again.resend_of, again.created_at) == (
        command_id(2),
        State.QUEUED,
        command_id(1),
        wall(400),
    )
    first = await get_command(store, 1)
    assert (first.state, first.resent_as) == (end, command_id(2))
    assert (events[-1].type, events[-1].command, events[-1].data) == (
        "command.queued",
        command_id(2),
        {"resend_of": command_id(1)},
    )
    handed = await claim(store, now=at(400))
    assert handed is not None
    assert (handed.command, handed.attempt) == (command_id(2), 1)


async def test_a_second_call_gives_the_same_one(store: IStore, events: list[Event]) -> None:
    """An operator who presses twice sends once."""
    await ended(store, State.FAILED)
    first, _ = await store.resend(evolve(draft(2), resend_of=command_id(1)), False, LIMIT, at(2))
    told = list(events)
    assert await store.resend(evolve(draft(3), resend_of=command_id(1)), False, LIMIT, at(3)) == (first, False)
    assert events == told
    with pytest.raises(UnknownCommand):
        await store.command(command_id(3))


async def test_it_is_sent_again_once_though_its_successor_is_forgotten(store: IStore) -> None:
    """If the new command ended long ago and is no longer kept, nothing is sent, and the operator is told why."""
    await lost(store)
    await store.resend(evolve(draft(2), resend_of=command_id(1)), False, LIMIT, at(61))
    await claim(store, now=at(62))
    await store.settle(READER, by_message(2), at(63))
    await store.settle(READER, by_message(1, FAILURE), at(100))  # its own result comes late, and keeps it for longer
    await store.purge(at(90).wall, 100)
    with pytest.raises(IllegalMove, match=rf"sent again already, as {command_id(2)}, .* was purged"):
        await store.resend(evolve(draft(3), resend_of=command_id(1)), False, LIMIT, at(101))
    with pytest.raises(UnknownCommand):
        await store.command(command_id(3))


async def test_what_was_sent_again_can_be_sent_again(store: IStore) -> None:
    """If the second did not work either, there is a third."""
    await ended(store, State.FAILED)
    await store.resend(evolve(draft(2), resend_of=command_id(1)), False, LIMIT, at(2))
    await store.cancel(command_id(2), at(3))
    third, new = await store.resend(evolve(draft(3), resend_of=command_id(2)), False, LIMIT, at(4))
    assert (third.resend_of, new) == (command_id(2), True)


async def test_what_worked_or_is_not_over_is_not_sent_again(store: IStore) -> None:
    """A second door must not open because somebody could not wait."""
    await send(store, 1)
    await store.settle(READER, by_message(1), at(1))
    await send(store, 2)
    await store.acknowledge(READER, command_id(2), at(1))
    await send(store, 3)
    await put(store, 4)
    for number, word in ((1, "succeeded"), (2, "acknowledged"), (3, "sent"), (4, "queued")):
        with pytest.raises(IllegalMove, match=word):
            await store.resend(evolve(draft(9), resend_of=command_id(number)), False, LIMIT, at(2))
    with pytest.raises(UnknownCommand, match=command_id(8)):
        await store.resend(evolve(draft(9), resend_of=command_id(8)), False, LIMIT, at(2))


async def test_sending_again_is_sending(store: IStore) -> None:
    """What would refuse a new command refuses this one, and the old one stays free to be sent again."""
    await ended(store, State.FAILED)
    again = evolve(draft(2), resend_of=command_id(1))
    with pytest.raises(QueueFull):
        await store.resend(again, False, 0, at(2))
    await store.set_presence(READER, PresenceState.SIGNED_OFF, at(2))
    with pytest.raises(DeviceSignedOff):
        await store.resend(again, False, LIMIT, at(2))
    await store.change_device(READER, {"admission": Admission.BLOCKED}, at(2))
    with pytest.raises(DeviceBlocked):
        await store.resend(again, True, LIMIT, at(2))
    await store.change_device(READER, {"admission": Admission.APPROVED}, at(2))
    _, new = await store.resend(again, True, LIMIT, at(2))
    assert new


async def test_a_late_result_still_counts_for_what_was_sent_again(store: IStore) -> None:
    """A command that was given up and sent anew is settled all the same if its own result comes."""
    await send(store, 1, delivery=AT_LEAST_ONCE, max_attempts=1)
    await store.lapse(10, at(60))
    await store.resend(evolve(draft(2), resend_of=command_id(1)), False, LIMIT, at(61))
    assert await store.settle(READER, by_message(1), at(62)) is Settlement.SETTLED
    assert [await state(store, 1), await state(store, 2)] == [State.SUCCEEDED, State.QUEUED]
