"""Tests of the lists of commands and devices."""

from typing import Any

import pytest

from pushd.model.device import Admission, PresenceState, QueueDepth
from pushd.model.errors import UnknownCommand
from pushd.model.event import Event
from pushd.model.lifecycle import State
from pushd.store.filters import CommandFilter, DeviceFilter, DeviceOrder
from pushd.store.interface import IStore
from tests.store.clock import when
from tests.store.outages import RULES, alerts, come_online, go_offline
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
    await when(store, at(1)).settle(READER, by_message(1))
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
    facts = {"model": "iDFlex", "height": 3.75, "indoors": True, "firmware": "ângulo"}
    front = {"name": "Front door", "tags": ("north", "doors"), "site": "Armazém 3", "facts": facts}
    await store.change_device(READER, front)
    other = {"name": "PORTÃO 4", "tags": ("doors",), "serial": "0G020?/005B6D"}
    await store.change_device(OTHER_READER, other)
    await store.add_device(device(UNREGISTERED, admission=Admission.PENDING), True)
    await store.add_device(device(AGENT, name="100% sure_", last_address="2001:db8::1"), False)
    await store.set_presence(AGENT, PresenceState.ONLINE)


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
        ({"q": "door"}, [READER, OTHER_READER]),
        ({"q": "FRONT"}, [READER]),
        ({"q": "EYE:aB"}, [AGENT]),
        ({"q": "controlid:"}, [READER, OTHER_READER, UNREGISTERED]),
        ({"q": "portão"}, [OTHER_READER]),
        ({"q": "0%"}, [AGENT]),
        ({"q": "_"}, [AGENT]),
        ({"q": "'; --"}, []),
        ({"q": "NORTH"}, [READER]),
        ({"q": "armazém"}, [READER]),
        ({"q": "0g020?/005b6d"}, [OTHER_READER]),
        ({"q": "2001:DB8"}, [AGENT]),
        ({"q": "idflex"}, [READER]),
        ({"q": "ÂNGULO"}, [READER]),
        ({"q": "3.75"}, [READER]),
        ({"q": "true"}, []),
        ({"q": "firmware"}, []),
        ({"q": "north\x1fdoors"}, [READER]),
        ({"q": "northdoors"}, []),
        ({"model": "i d-FLEX"}, [READER]),
        ({"model": "iDFlex Pro"}, []),
        ({"dialect": "controlid", "admission": Admission.APPROVED, "tags": ("doors",), "q": "2"}, [OTHER_READER]),
    ],
)
async def test_devices_are_filtered(store: IStore, which: dict[str, Any], expected: list[str]) -> None:
    """By dialect, presence, admission, tags (all must match), model, a part of what they are known by, or by all."""
    await fleet(store)
    assert await found(store, **which) == expected


async def test_devices_are_listed_page_by_page(store: IStore) -> None:
    """By id, each page going on after the last of the one before."""
    await fleet(store)
    first = await store.devices(DeviceFilter(), None, 3)
    second = await store.devices(DeviceFilter(), first[-1][0].id, 3)
    assert [device.id for device, _ in first + second] == [READER, OTHER_READER, UNREGISTERED, AGENT]


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 10])
async def test_devices_are_listed_by_name(monkeypatch: pytest.MonkeyPatch, store: IStore, limit: int) -> None:
    """In any case, those of one name by id; each page, and each slice of a page, goes on after the one before."""
    monkeypatch.setattr("pushd.store.transactions.devices.SLICE_SIZE", 2)
    await fleet(store)
    for name, given in (("servereye:b", "front DOOR"), ("servereye:c", "zéro")):
        await store.add_device(device(name, name=given), False)
    which = DeviceFilter(order=DeviceOrder.NAME)
    ids: list[str] = []
    position = None
    while True:
        page = await store.devices(which, position, limit)
        ids += [found.id for found, _ in page]
        if len(page) < limit:
            break
        position = which.position(page[-1][0])
    assert ids == [UNREGISTERED, AGENT, READER, "servereye:b", OTHER_READER, "servereye:c"]
    await store.change_device("servereye:c", {"name": "ALPHA"})
    assert [found.id for found, _ in await store.devices(which, None, 3)] == [UNREGISTERED, AGENT, "servereye:c"]


async def test_devices_are_filtered_by_name_order(store: IStore) -> None:
    """A filter applies to any order."""
    await fleet(store)
    assert await found(store, order=DeviceOrder.NAME, q="o") == [UNREGISTERED, READER, OTHER_READER]
    assert await found(store, order=DeviceOrder.NAME, tags=("doors",)) == [READER, OTHER_READER]


@pytest.mark.parametrize("size", [2, 3, 2000])
async def test_sites(monkeypatch: pytest.MonkeyPatch, store: IStore, size: int) -> None:
    """Each site has the number of its devices, of those that are online and offline, and of open alerts about them."""
    monkeypatch.setattr("pushd.store.transactions.devices.SLICE_SIZE", size)
    sites = {READER: "Yard", OTHER_READER: "ätrium", UNREGISTERED: None, AGENT: "Yard", "servereye:b": "Zoo"}
    for name in (UNREGISTERED, AGENT, "servereye:b"):
        await store.add_device(device(name), False)
    for name, site in sites.items():
        await store.change_device(name, {"site": site, "tags": (name[-1],)})
    await store.set_presence("servereye:b", PresenceState.ONLINE)
    await go_offline(store, READER, AGENT, OTHER_READER, UNREGISTERED)
    await alerts(store, RULES.window + 1)
    await come_online(store, OTHER_READER, seconds=RULES.window + 2)
    listed = [
        (site.site, site.devices, site.online, site.offline, len(site.alerts))
        for site in await store.sites(DeviceFilter())
    ]
    assert listed == [("Yard", 2, 0, 2, 2), ("Zoo", 1, 1, 0, 0), ("ätrium", 1, 1, 0, 0)]
    [yard] = await store.sites(DeviceFilter(tags=("1",)))
    assert (yard.site, yard.devices, yard.offline, len(yard.alerts)) == ("Yard", 1, 1, 1)


async def test_several_devices_are_changed(store: IStore, events: list[Event]) -> None:
    """In one transaction, with an event of each; one that was deleted meanwhile is left out."""
    changed = await store.change_devices([READER, UNREGISTERED, OTHER_READER], {"muted_until": wall(60)})
    assert [(each.id, each.muted_until) for each in changed] == [(READER, wall(60)), (OTHER_READER, wall(60))]
    assert [(event.type, event.device) for event in events] == [
        ("device.changed", READER),
        ("device.changed", OTHER_READER),
    ]


async def test_devices_are_listed_with_their_queue_depths(store: IStore) -> None:
    """The list says how many commands of each device are queued and in flight."""
    await send(store, 1)
    await put(store, 2, 3)
    await store.put(draft(OTHER_READER), False, LIMIT)
    loads = {device.id: load for device, load in await store.devices(DeviceFilter(), None, 10)}
    assert loads == {READER: QueueDepth(queue=2, in_flight=1), OTHER_READER: QueueDepth(queue=1, in_flight=0)}
