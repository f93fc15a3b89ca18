"""Tests of the lists of commands and devices."""

from typing import Any

import pytest

from pushd.model.device import Admission, PresenceState, QueueDepth
from pushd.model.errors import UnknownCommand
from pushd.model.lifecycle import State
from pushd.store.filters import CommandFilter, DeviceFilter
from pushd.store.interface import IStore
from tests.store.samples import (
    LIMIT,
    OTHER_READER,
    READER,
    UNREGISTERED,
    at,
    by_message,
    command_id,
    device,
    draft,
    wall,
)
from tests.store.steps import get_command, put, send

AGENT = "servereye:Abc"


async def listed(store: IStore, **which: Any) -> list[int]:
    """The numbers of the commands that match a filter."""
    return [int(command.id[-12:]) for command in await store.commands(CommandFilter(**which), None, 100)]


async def found(store: IStore, **which: Any) -> list[str]:
    """The ids of the devices that match a filter."""
    return [device.id for device, _ in await store.devices(DeviceFilter(**which), None, 100)]


async def test_an_unknown_command_is_an_error(store: IStore) -> None:
    """An unknown id is an error."""
    with pytest.raises(UnknownCommand, match=command_id(9)):
        await store.command(command_id(9))


async def test_commands_are_listed_newest_first(store: IStore) -> None:
    """Without a filter all commands of all devices are listed."""
    await put(store, 1, 2)
    await put(store, 3, name=OTHER_READER)
    assert await listed(store) == [3, 2, 1]


async def test_lists_leave_out_what_may_be_large(store: IStore) -> None:
    """Payload and result are only in the single command; all else is in the list."""
    await send(store, 1, payload={"endpoint": "x"})
    await store.settle(READER, by_message(1), at(1))
    whole = await get_command(store, 1)
    assert (whole.payload, whole.result) == ({"endpoint": "x"}, '{"success":true}')
    [listed] = await store.commands(CommandFilter(), None, 10)
    assert (listed.payload, listed.result) == ({}, None)
    assert (listed.state, listed.matched_by, listed.finished_at) == (State.SUCCEEDED, "message", wall(1))


async def test_commands_are_filtered(store: IStore) -> None:
    """By device, by state, by when they were created, and by all of these."""
    await send(store, 1, now=at(0))
    await put(store, 2, now=at(10))
    await put(store, 3, now=at(20), name=OTHER_READER)
    await put(store, 4, now=at(30))
    assert await listed(store, device=READER) == [4, 2, 1]
    assert await listed(store, state=State.QUEUED) == [4, 3, 2]
    assert await listed(store, since=wall(10)) == [4, 3, 2]
    assert await listed(store, since=wall(10.001)) == [4, 3]
    assert await listed(store, device=READER, state=State.QUEUED, since=wall(20)) == [4]
    assert await listed(store, device=UNREGISTERED) == []


async def test_commands_are_listed_page_by_page(store: IStore) -> None:
    """Each page goes on where the one before ended, even if new commands were sent meanwhile."""
    await put(store, 1, 2, 3, 4, 5)
    first = await store.commands(CommandFilter(device=READER), None, 2)
    await put(store, 6)
    second = await store.commands(CommandFilter(device=READER), first[-1].id, 2)
    third = await store.commands(CommandFilter(device=READER), second[-1].id, 2)
    assert [command.id for command in first + second + third] == [command_id(number) for number in (5, 4, 3, 2, 1)]


async def fleet(store: IStore) -> None:
    """Add devices of both dialects."""
    await store.change_device(READER, {"name": "Front door", "tags": ("north", "doors")}, at())
    await store.change_device(OTHER_READER, {"name": "PORTÃO 4", "tags": ("doors",)}, at())
    await store.add_device(device(UNREGISTERED, admission=Admission.PENDING), True, at())
    await store.add_device(device(AGENT, name="100% sure_"), False, at())
    await store.set_presence(AGENT, PresenceState.ONLINE, at())


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({}, [READER, OTHER_READER, UNREGISTERED, AGENT]),
        ({"dialect": "servereye"}, [AGENT]),
        ({"presence": PresenceState.ONLINE}, [AGENT]),
        ({"presence": PresenceState.NEVER_SEEN}, [READER, OTHER_READER, UNREGISTERED]),
        ({"admission": Admission.PENDING}, [UNREGISTERED]),
        ({"tags": ("doors",)}, [READER, OTHER_READER]),
        ({"tags": ("doors", "north")}, [READER]),
        ({"tags": ("door",)}, []),
        ({"q": "door"}, [READER]),
        ({"q": "FRONT"}, [READER]),
        ({"q": "EYE:aB"}, [AGENT]),
        ({"q": "controlid:"}, [READER, OTHER_READER, UNREGISTERED]),
        ({"q": "portão"}, [OTHER_READER]),
        ({"q": "0%"}, [AGENT]),
        ({"q": "_"}, [AGENT]),
        ({"q": "'; --"}, []),
        ({"dialect": "controlid", "admission": Admission.APPROVED, "tags": ("doors",), "q": "2"}, [OTHER_READER]),
    ],
)
async def test_devices_are_filtered(store: IStore, which: dict[str, Any], expected: list[str]) -> None:
    """By dialect, presence, admission, tags (all must match), a part of id or name, and by all of these."""
    await fleet(store)
    assert await found(store, **which) == expected


async def test_devices_are_listed_page_by_page(store: IStore) -> None:
    """By id, each page going on after the last of the one before."""
    await fleet(store)
    first = await store.devices(DeviceFilter(), None, 3)
    second = await store.devices(DeviceFilter(), first[-1][0].id, 3)
    assert [device.id for device, _ in first + second] == [READER, OTHER_READER, UNREGISTERED, AGENT]


async def test_devices_are_listed_with_their_queue_depths(store: IStore) -> None:
    """The list says how many commands of each device are queued and in flight."""
    await send(store, 1)
    await put(store, 2, 3)
    await store.put(draft(4, OTHER_READER), False, LIMIT, at())
    loads = {device.id: load for device, load in await store.devices(DeviceFilter(), None, 10)}
    assert loads == {READER: QueueDepth(queue=2, in_flight=1), OTHER_READER: QueueDepth(queue=1, in_flight=0)}
