"""Tests of the context of a command: commands ahead of it, and its lease."""

import pytest

from pushd.model.errors import UnknownCommand
from pushd.model.lifecycle import State
from pushd.model.timestamps import Now
from pushd.store.filters import CommandContext
from pushd.store.interface import IStore
from tests.store.clock import when
from tests.store.samples import OTHER_READER, READER, STEADY, at, by_message, command_id, wall
from tests.store.steps import put, send


async def context(store: IStore, number: int, now: Now | None = None) -> CommandContext:
    """The context of the command of this number."""
    found: CommandContext = await when(store, now or at()).command_context(command_id(number))
    return found


async def test_an_unknown_command_has_no_context(store: IStore) -> None:
    """An unknown id is an error."""
    with pytest.raises(UnknownCommand, match=command_id(9)):
        await store.command_context(command_id(9))


async def test_the_only_one_is_next(store: IStore) -> None:
    """No command is ahead of the only one of a device."""
    await put(store, 1)
    await put(store, 2, name=OTHER_READER)
    found = await context(store, 1)
    assert found.command.state is State.QUEUED
    assert (found.ahead, found.in_flight, found.lease_left) == (0, 0, None)


async def test_commands_ahead_are_counted(store: IStore) -> None:
    """More urgent and older ones are ahead; less urgent and newer ones, and those that are not due, are not."""
    await put(store, 1, 2)
    await put(store, 3)
    await put(store, 4, priority=9)
    await put(store, 5, priority=0)
    await put(store, 6)
    await put(store, 7, priority=9, not_before=wall(60))
    assert (await context(store, 3)).ahead == 3
    assert (await context(store, 4)).ahead == 0
    assert (await context(store, 5)).ahead == 5
    assert (await context(store, 3, at(60))).ahead == 4


async def test_commands_in_flight_are_counted(store: IStore) -> None:
    """A command in flight may be the reason for waiting."""
    await send(store, 1)
    await put(store, 2)
    assert (await context(store, 2)).in_flight == 1


async def test_the_rest_of_the_lease_is_known(store: IStore) -> None:
    """In milliseconds of the steady clock, and never less than 0."""
    await send(store, 1, lease=60.0)
    assert (await context(store, 1, at(12.5))).lease_left == 47_500
    assert (await context(store, 1, Now(wall=wall(-9999), steady=STEADY + 70_000))).lease_left == 0


async def test_an_ended_command_waits_for_nothing(store: IStore) -> None:
    """No command is ahead of it, and it has no lease."""
    await put(store, 1)
    await send(store, 2, priority=9)
    await when(store, at(1)).settle(READER, by_message(2))
    found = await context(store, 2)
    assert (found.ahead, found.lease_left) == (0, None)
