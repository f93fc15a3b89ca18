"""Tests of operator actions on ended commands: resolve and resend."""

import pytest
from attrs import evolve

from pushd.model.device import Admission, PresenceState
from pushd.model.errors import DeviceBlocked, DeviceSignedOff, IllegalMove, QueueFull, UnknownCommand
from pushd.model.event import Event
from pushd.model.lifecycle import Move, State
from pushd.rules.outcomes import Settlement
from pushd.store.interface import IStore
from tests.store.clock import when
from tests.store.samples import AT_LEAST_ONCE, CALLED, FAILURE, LIMIT, READER, at, by_message, command_id, draft, wall
from tests.store.steps import claim, event_types, get_command, put, send, state

WORKED, FAILED = Move.RESOLVE_SUCCEEDED, Move.RESOLVE_FAILED

RESOLVES = pytest.mark.parametrize(("move", "end"), [(WORKED, State.SUCCEEDED), (FAILED, State.FAILED)])


async def lost(store: IStore, number: int = 1) -> None:
    """Send a command whose outcome becomes unknown."""
    await send(store, number, lease=60.0)
    await when(store, at(60)).lapse(10)


async def ended(store: IStore, end: State) -> None:
    """Bring the first command to an end."""
    if end is State.UNKNOWN:
        await lost(store)
    elif end is State.FAILED:
        await send(store, 1)
        await when(store, at(1)).settle(READER, by_message(1, FAILURE))
    else:
        await put(store, 1)
        await (when(store, at(300)).expire(10) if end is State.EXPIRED else when(store, at(1)).cancel(command_id(1)))
    assert await state(store, 1) is end


@RESOLVES
async def test_an_operator_resolves_an_unknown_command(
    store: IStore, events: list[Event], move: Move, end: State
) -> None:
    """The command ends as the operator says, with the operator as evidence."""
    await lost(store)
    command = await when(store, at(90)).resolve(command_id(1), move, "I went to look", "ana")
    assert (command.state, command.evidence, command.finished_at) == (end, "operator", wall(90))
    assert command.error == ("I went to look" if end is State.FAILED else None)
    assert await get_command(store, 1) == command
    assert events[-1].type == "command.resolved"
    assert (events[-1].by, events[-1].data) == ("ana", CALLED | {"state": end, "note": "I went to look"})


@RESOLVES
async def test_resolving_again_is_no_error(store: IStore, events: list[Event], move: Move, end: State) -> None:
    """The same resolution twice gives the same answer, and one event."""
    await lost(store)
    first = await when(store, at(90)).resolve(command_id(1), move, None, "ana")
    assert await when(store, at(95)).resolve(command_id(1), move, "really", "ben") == first
    assert event_types(events).count("command.resolved") == 1


async def test_a_resolution_cannot_be_changed(store: IStore) -> None:
    """A command that was resolved cannot be resolved otherwise."""
    await lost(store)
    await when(store, at(90)).resolve(command_id(1), WORKED, None, "ana")
    with pytest.raises(IllegalMove, match="succeeded"):
        await when(store, at(95)).resolve(command_id(1), FAILED, None, "ben")


@pytest.mark.parametrize("end", [State.FAILED, State.EXPIRED, State.CANCELLED])
@pytest.mark.parametrize("move", [WORKED, FAILED])
async def test_only_an_unknown_outcome_can_be_resolved(store: IStore, end: State, move: Move) -> None:
    """If the device has reported, or nothing was sent, there is nothing to resolve."""
    await ended(store, end)
    with pytest.raises(IllegalMove, match=end):
        await when(store, at(301)).resolve(command_id(1), move, None, "ana")


async def test_an_open_command_cannot_be_resolved(store: IStore) -> None:
    """A queued command, or one in flight, cannot be resolved."""
    await send(store, 1)
    await put(store, 2)
    for number in (1, 2):
        with pytest.raises(IllegalMove):
            await when(store, at(1)).resolve(command_id(number), WORKED, None, "ana")
    with pytest.raises(UnknownCommand, match=command_id(9)):
        await when(store, at(1)).resolve(command_id(9), WORKED, None, "ana")


@RESOLVES
async def test_a_result_does_not_change_a_resolution(store: IStore, move: Move, end: State) -> None:
    """A result after a resolution is kept as an orphan and changes nothing."""
    await lost(store)
    resolved = await when(store, at(90)).resolve(command_id(1), move, None, "ana")
    assert await when(store, at(95)).settle(READER, by_message(1)) is Settlement.ORPHANED
    await when(store, at(95)).acknowledge(READER, command_id(1))
    assert await get_command(store, 1) == resolved


@pytest.mark.parametrize("end", [State.UNKNOWN, State.FAILED, State.EXPIRED, State.CANCELLED])
async def test_a_command_that_did_not_succeed_can_be_resent(store: IStore, events: list[Event], end: State) -> None:
    """A new command takes its place, and each of the two names the other."""
    await ended(store, end)
    again, new = await when(store, at(400)).resend(evolve(draft(), resend_of=command_id(1)), False, LIMIT)
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
        CALLED | {"resend_of": command_id(1)},
    )
    dispatched = await claim(store, now=at(400))
    assert dispatched is not None
    assert (dispatched.command, dispatched.attempt) == (command_id(2), 1)


async def test_resending_again_gives_the_same_successor(store: IStore, events: list[Event]) -> None:
    """An operator who resends twice sends once."""
    await ended(store, State.FAILED)
    first, _ = await when(store, at(2)).resend(evolve(draft(), resend_of=command_id(1)), False, LIMIT)
    recorded = list(events)
    assert await when(store, at(3)).resend(evolve(draft(), resend_of=command_id(1)), False, LIMIT) == (first, False)
    assert events == recorded
    with pytest.raises(UnknownCommand):
        await store.command(command_id(3))


async def test_it_is_resent_once_though_its_successor_was_purged(store: IStore) -> None:
    """If the successor was purged, nothing is sent, and the error says why."""
    await lost(store)
    await when(store, at(61)).resend(evolve(draft(), resend_of=command_id(1)), False, LIMIT)
    await claim(store, now=at(62))
    await when(store, at(63)).settle(READER, by_message(2))
    await when(store, at(100)).settle(
        READER, by_message(1, FAILURE)
    )  # its own result comes late, and keeps it for longer
    await when(store, at(90)).purge(at(90).wall, 100)
    with pytest.raises(IllegalMove, match=rf"sent again already, as {command_id(2)}, .* was purged"):
        await when(store, at(101)).resend(evolve(draft(), resend_of=command_id(1)), False, LIMIT)
    with pytest.raises(UnknownCommand):
        await store.command(command_id(3))


async def test_a_successor_can_be_resent(store: IStore) -> None:
    """If the second did not succeed either, there can be a third."""
    await ended(store, State.FAILED)
    await when(store, at(2)).resend(evolve(draft(), resend_of=command_id(1)), False, LIMIT)
    await when(store, at(3)).cancel(command_id(2))
    third, new = await when(store, at(4)).resend(evolve(draft(), resend_of=command_id(2)), False, LIMIT)
    assert (third.resend_of, new) == (command_id(2), True)


async def test_a_succeeded_or_open_command_is_not_resent(store: IStore) -> None:
    """A door must not open twice because an operator was impatient."""
    await send(store, 1)
    await when(store, at(1)).settle(READER, by_message(1))
    await send(store, 2)
    await when(store, at(1)).acknowledge(READER, command_id(2))
    await send(store, 3)
    await put(store, 4)
    for number, word in ((1, "succeeded"), (2, "acknowledged"), (3, "sent"), (4, "queued")):
        with pytest.raises(IllegalMove, match=word):
            await when(store, at(2)).resend(evolve(draft(), resend_of=command_id(number)), False, LIMIT)
    with pytest.raises(UnknownCommand, match=command_id(8)):
        await when(store, at(2)).resend(evolve(draft(), resend_of=command_id(8)), False, LIMIT)


async def test_resending_has_the_conditions_of_sending(store: IStore) -> None:
    """What would refuse a new command refuses a successor, and the old command can still be resent."""
    await ended(store, State.FAILED)
    again = evolve(draft(), resend_of=command_id(1))
    with pytest.raises(QueueFull):
        await when(store, at(2)).resend(again, False, 0)
    await when(store, at(2)).set_presence(READER, PresenceState.SIGNED_OFF)
    with pytest.raises(DeviceSignedOff):
        await when(store, at(2)).resend(again, False, LIMIT)
    await when(store, at(2)).change_device(READER, {"admission": Admission.BLOCKED})
    with pytest.raises(DeviceBlocked):
        await when(store, at(2)).resend(again, True, LIMIT)
    await when(store, at(2)).change_device(READER, {"admission": Admission.APPROVED})
    _, new = await when(store, at(2)).resend(again, True, LIMIT)
    assert new


async def test_a_late_result_counts_for_a_resent_command(store: IStore) -> None:
    """A command that was resent is settled all the same if its own result comes."""
    await send(store, 1, delivery=AT_LEAST_ONCE, max_attempts=1)
    await when(store, at(60)).lapse(10)
    await when(store, at(61)).resend(evolve(draft(), resend_of=command_id(1)), False, LIMIT)
    assert await when(store, at(62)).settle(READER, by_message(1)) is Settlement.SETTLED
    assert [await state(store, 1), await state(store, 2)] == [State.SUCCEEDED, State.QUEUED]
