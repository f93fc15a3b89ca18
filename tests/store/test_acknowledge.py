"""Tests of acknowledgements: leases and deadlines."""

import pytest

from pushd.model.event import Event
from pushd.model.lifecycle import State
from pushd.model.result import Verdict
from pushd.model.timestamps import Now
from pushd.store.interface import IStore
from tests.store.clock import when
from tests.store.samples import (
    AT_LEAST_ONCE,
    CALLED,
    FAILURE,
    OTHER_READER,
    READER,
    SUCCESS,
    at,
    by_message,
    command_id,
    wall,
)
from tests.store.steps import claim, event_types, get_command, put, send, state


async def runs_out(store: IStore, now: Now) -> bool:
    """Whether the lease of the command has run out at this time, to the millisecond."""
    before = Now(wall=now.wall, steady=now.steady - 1)
    assert await when(store, before).lapse(10) == 0
    return bool(await when(store, now).lapse(10))


async def test_an_acknowledgement_is_recorded(store: IStore, events: list[Event]) -> None:
    """The command is acknowledged, with the time and the device as evidence."""
    await send(store, 1)
    await when(store, at(3)).acknowledge(READER, command_id(1))
    command = await get_command(store, 1)
    assert (command.state, command.acknowledged_at, command.evidence) == (State.ACKNOWLEDGED, wall(3), "device")
    assert event_types(events)[-1] == "command.acknowledged"
    assert (events[-1].device, events[-1].command, events[-1].at) == (READER, command_id(1), wall(3))
    assert events[-1].data == CALLED | {"attempts": 1}


async def test_only_the_first_acknowledgement_is_an_event(store: IStore, events: list[Event]) -> None:
    """A device that renews its lease every few seconds does not fill the event log."""
    await send(store, 1)
    for seconds in (3, 18, 33):
        await when(store, at(seconds)).acknowledge(READER, command_id(1))
    assert event_types(events).count("command.acknowledged") == 1
    assert (await get_command(store, 1)).acknowledged_at == wall(3)


async def test_a_lease_begins_with_the_claim(store: IStore) -> None:
    """Without a sign of the device the lease runs out to the millisecond."""
    await send(store, 1, lease=30.0)
    assert await runs_out(store, at(30))


async def test_an_acknowledgement_renews_the_lease(store: IStore) -> None:
    """Each acknowledgement gives the device another whole lease."""
    await send(store, 1, lease=30.0)
    await when(store, at(20)).acknowledge(READER, command_id(1))
    await when(store, at(45)).acknowledge(READER, command_id(1))
    assert await runs_out(store, at(75))


async def test_no_lease_goes_beyond_the_deadline(store: IStore) -> None:
    """A device that acknowledges for ever loses the lease at the deadline of the attempt."""
    await send(store, 1, lease=30.0, deadline=100.0)
    for seconds in (25, 50, 75, 99):
        await when(store, at(seconds)).acknowledge(READER, command_id(1))
    assert await runs_out(store, at(100))


async def test_a_deadline_may_be_shorter_than_the_lease(store: IStore) -> None:
    """A command with a deadline of ten seconds has a lease of ten seconds."""
    await send(store, 1, lease=30.0, deadline=10.0)
    assert await runs_out(store, at(10))


async def test_an_acknowledgement_after_the_deadline_does_not_extend_it(store: IStore) -> None:
    """Once the deadline has passed, a further heartbeat does not renew the lease."""
    await send(store, 1, lease=30.0, deadline=10.0)
    await when(store, at(11)).acknowledge(READER, command_id(1))
    assert await when(store, at(11)).lapse(10) == 1


async def test_an_acknowledgement_reopens_the_lease_of_an_unknown_command(store: IStore, events: list[Event]) -> None:
    """A device that acknowledges after its lease ran out has a lease again, and the command is no longer unknown."""
    await send(store, 1, lease=30.0)
    await when(store, at(30)).lapse(10)
    await when(store, at(40)).acknowledge(READER, command_id(1))
    command = await get_command(store, 1)
    assert (command.state, command.finished_at, command.error) == (State.ACKNOWLEDGED, None, None)
    assert event_types(events)[-2:] == ["command.unknown", "command.acknowledged"]
    assert await runs_out(store, at(70))


async def test_an_acknowledgement_takes_a_command_out_of_the_queue(store: IStore) -> None:
    """A command that is queued for another attempt is not sent again if the device turns out to have it."""
    await send(store, 1, delivery=AT_LEAST_ONCE)
    await when(store, at(60)).lapse(10)
    await when(store, at(61)).acknowledge(READER, command_id(1))
    assert await state(store, 1) is State.ACKNOWLEDGED
    assert await claim(store, now=at(62)) is None


async def test_a_reopened_lease_keeps_to_the_deadline(store: IStore) -> None:
    """What is left of the deadline bounds a reopened lease, but it is at least one lease."""
    await send(store, 1, lease=30.0, deadline=100.0)
    await when(store, at(30)).lapse(10)
    for seconds in (50, 75, 90):
        await when(store, at(seconds)).acknowledge(READER, command_id(1))
    assert await runs_out(store, at(100))
    await when(store, at(200)).acknowledge(READER, command_id(1))
    assert await runs_out(store, at(230))


async def test_a_command_that_was_never_sent_cannot_be_acknowledged(store: IStore, events: list[Event]) -> None:
    """An acknowledgement of a command that was never sent changes nothing."""
    await put(store, 1)
    await when(store, at(1)).acknowledge(READER, command_id(1))
    assert await state(store, 1) is State.QUEUED
    assert event_types(events) == ["command.queued"]


async def test_a_device_acknowledges_only_its_own_commands(store: IStore, events: list[Event]) -> None:
    """An acknowledgement by another device, or of an unknown command, changes nothing."""
    await send(store, 1)
    recorded = list(events)
    await when(store, at(1)).acknowledge(OTHER_READER, command_id(1))
    await when(store, at(1)).acknowledge(READER, command_id(9))
    assert await state(store, 1) is State.SENT
    assert events == recorded


@pytest.mark.parametrize("verdict", [SUCCESS, FAILURE])
async def test_an_acknowledgement_after_the_result_changes_nothing(
    store: IStore, events: list[Event], verdict: Verdict
) -> None:
    """Result and acknowledgement may come in either order."""
    await send(store, 1)
    await when(store, at(1)).settle(READER, by_message(1, verdict))
    settled, recorded = await get_command(store, 1), list(events)
    await when(store, at(2)).acknowledge(READER, command_id(1))
    assert await get_command(store, 1) == settled
    assert events == recorded


async def test_a_cancelled_command_cannot_be_acknowledged(store: IStore) -> None:
    """A command that was cancelled before it was sent stays cancelled."""
    await put(store, 1)
    await when(store, at(1)).cancel(command_id(1))
    await when(store, at(2)).acknowledge(READER, command_id(1))
    assert await state(store, 1) is State.CANCELLED
