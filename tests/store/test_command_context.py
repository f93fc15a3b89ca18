"""Tests of how a command stands: what is before it, and how long its device has."""

import pytest

from pushd.model.errors import UnknownCommand
from pushd.model.lifecycle import State
from pushd.model.timestamps import Now
from pushd.store.filters import CommandContext
from pushd.store.interface import IStore
from tests.store.samples import OTHER_READER, READER, STEADY, at, by_message, command_id, wall
from tests.store.steps import put, send


async def standing(store: IStore, number: int, now: Now | None = None) -> CommandContext:
    """How the command of this number stands."""
    found: CommandContext = await store.command_context(command_id(number), now or at())
    return found


async def test_what_does_not_exist_stands_nowhere(store: IStore) -> None:
    """An id that is not known is told to be so."""
    with pytest.raises(UnknownCommand, match=command_id(9)):
        await store.command_context(command_id(9), at())


async def test_the_only_one_is_next(store: IStore) -> None:
    """Nothing is before the only command of a device."""
    await put(store, 1)
    await put(store, 2, name=OTHER_READER)
    found = await standing(store, 1)
    assert found.command.state is State.QUEUED
    assert (found.ahead, found.in_flight, found.lease_left) == (0, 0, None)


async def test_what_goes_before_is_counted(store: IStore) -> None:
    """The more urgent and the older go before; the less urgent, the newer, and what is not due do not."""
    await put(store, 1, 2)
    await put(store, 3)
    await put(store, 4, priority=9)
    await put(store, 5, priority=0)
    await put(store, 6)
    await put(store, 7, priority=9, not_before=wall(60))
    assert (await standing(store, 3)).ahead == 3
    assert (await standing(store, 4)).ahead == 0
    assert (await standing(store, 5)).ahead == 5
    assert (await standing(store, 3, at(60))).ahead == 4


async def test_what_is_out_is_counted(store: IStore) -> None:
    """A device that has something in work may be the reason for waiting."""
    await send(store, 1)
    await put(store, 2)
    assert (await standing(store, 2)).in_flight == 1


async def test_the_lease_that_is_left_is_told(store: IStore) -> None:
    """In milliseconds, by the steady clock, and never less than nothing."""
    await send(store, 1, lease=60.0)
    assert (await standing(store, 1, at(12.5))).lease_left == 47_500
    assert (await standing(store, 1, Now(wall=wall(-9999), steady=STEADY + 70_000))).lease_left == 0


async def test_what_has_ended_waits_for_nothing(store: IStore) -> None:
    """Nothing goes before it, and it has no lease."""
    await put(store, 1)
    await send(store, 2, priority=9)
    await store.settle(READER, by_message(2), at(1))
    found = await standing(store, 2)
    assert (found.ahead, found.lease_left) == (0, None)
