"""Tests of devices: added, changed, seen and deleted."""

from typing import Any

import pytest
from attrs import evolve

from pushd.model.device import Admission, Device, PresenceState, ProofKind
from pushd.model.errors import DeviceKnown, UnknownDevice
from pushd.model.event import Event
from pushd.model.lifecycle import State
from pushd.rules.outcomes import Settlement
from pushd.store.filters import DeviceFilter
from pushd.store.interface import IStore
from tests.store.clock import when
from tests.store.outages import RULES
from tests.store.samples import (
    AT_LEAST_ONCE,
    OTHER_READER,
    READER,
    UNREGISTERED,
    StubResult,
    at,
    by_message,
    command_id,
    device,
    wall,
)
from tests.store.steps import all_events, event_types, get_command, get_device, put, send, state

FULL = Device(
    id=UNREGISTERED,
    dialect="controlid",
    serial="0G020?/005B6D",
    name="João's door",
    site="Armazém 3",
    tags=("north", "ação"),
    facts={"model": "iDFlex", "andar": "térreo", "floor": 0, "height": 1.5, "indoors": True},
    admission=Admission.PENDING,
    presence=PresenceState.NEVER_SEEN,
    muted_until=wall(60),
    last_seen_at=wall(-60),
    last_address="2001:db8::1",
    poll_gap=4.25,
    heartbeat_timeout=90.5,
    hold=8.0,
    learned_hold=3.2,
    allow_from=("10.0.0.0/8", "2001:db8::/32"),
    created_at=wall(),
)


def known_by(device: Device) -> dict[str, Any]:
    """What each event about a device says of it."""
    return {"name": device.name, "site": device.site, "tags": list(device.tags)}


async def test_events_of_a_device_show_what_it_was(store: IStore, events: list[Event]) -> None:
    """Each event about a device has its name, site and tags at that moment, also where they are empty."""
    await store.add_device(device(UNREGISTERED), False)
    await store.set_presence(UNREGISTERED, PresenceState.ONLINE)
    await store.change_device(UNREGISTERED, {"name": "gate", "site": "Lobby", "tags": ("north",)})
    await store.set_presence(UNREGISTERED, PresenceState.SIGNED_OFF)
    await store.set_presence(UNREGISTERED, PresenceState.ONLINE)
    await store.mark_offline({UNREGISTERED: None}, RULES)
    await store.save_conflict(UNREGISTERED, {"takeovers": 3})
    await store.add_proof(UNREGISTERED, ProofKind.SECRET, b"x", 0)
    await store.change_device(UNREGISTERED, {"admission": Admission.BLOCKED})
    await store.forget_device(UNREGISTERED)
    empty: dict[str, Any] = {"name": "", "site": None, "tags": []}
    named = {"name": "gate", "site": "Lobby", "tags": ["north"]}
    assert event_types(events)[:3] == ["device.registered", "device.online", "device.changed"]
    assert [empty.items() <= event.data.items() for event in events[:2]] == [True, True]
    assert {event.type for event in events if not named.items() <= event.data.items()} == {
        "device.registered",
        "device.online",
    }
    assert len(events) == 10


async def test_a_device_is_stored_with_all_fields(store: IStore) -> None:
    """Every field of a device can be read back."""
    assert await store.add_device(FULL, False) == FULL
    assert await get_device(store, UNREGISTERED) == FULL


@pytest.mark.parametrize(
    ("admission", "expected"),
    [
        (Admission.APPROVED, "device.registered"),
        (Admission.BLOCKED, "device.registered"),
        (Admission.PENDING, "device.pending"),
    ],
)
async def test_a_new_device_is_an_event(
    store: IStore, events: list[Event], admission: Admission, expected: str
) -> None:
    """The event says whether the device is registered or pending."""
    await when(store, at(2)).add_device(device(UNREGISTERED, admission=admission), True)
    assert [(event.type, event.device, event.command, event.at) for event in events] == [
        (expected, UNREGISTERED, None, wall(2))
    ]


async def test_a_device_is_registered_once(store: IStore, events: list[Event]) -> None:
    """To register a device that exists is an error."""
    with pytest.raises(DeviceKnown, match=READER):
        await store.add_device(device(READER, name="other"), False)
    assert (await get_device(store, READER)).name == ""
    assert events == []


async def test_a_device_may_be_added_twice_by_its_polls(store: IStore, events: list[Event]) -> None:
    """Two concurrent polls of a new device are no error: the second gets the device that exists."""
    known = await store.change_device(READER, {"name": "front"})
    del events[:]
    assert await store.add_device(device(READER, admission=Admission.PENDING), True) == known
    assert events == []


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "front"},
        {"site": "Lobby"},
        {"site": None},
        {"tags": ("a", "b")},
        {"tags": ()},
        {"heartbeat_timeout": 30.5},
        {"hold": 2.5},
        {"hold": None},
        {"learned_hold": 1.5},
        {"muted_until": wall(9)},
        {"allow_from": ("10.0.0.0/8",)},
        {"name": "back", "hold": 1.0, "tags": ("c",)},
    ],
)
async def test_fields_can_be_changed(store: IStore, events: list[Event], changes: dict[str, Any]) -> None:
    """Only the given fields are changed, and an event names them."""
    await when(store, at()).add_device(FULL, False)
    del events[:]
    after = await when(store, at(1)).change_device(UNREGISTERED, changes)
    assert after == await get_device(store, UNREGISTERED) == evolve(FULL, **changes)
    assert [event.type for event in events] == ["device.changed"]
    assert events[0].data == {"fields": sorted(changes)} | known_by(after)


@pytest.mark.parametrize(
    ("admission", "expected"),
    [(Admission.APPROVED, ["device.approved"]), (Admission.BLOCKED, ["device.blocked"]), (Admission.PENDING, [])],
)
async def test_a_change_of_admission_is_an_event(
    store: IStore, events: list[Event], admission: Admission, expected: list[str]
) -> None:
    """There is an event if a device is approved or blocked that was not before."""
    await store.add_device(FULL, False)
    del events[:]
    await store.change_device(UNREGISTERED, {"admission": admission})
    assert event_types(events) == expected


async def test_admission_may_change_with_other_fields(store: IStore, events: list[Event]) -> None:
    """To approve and name a device at once is two events: approved, and changed."""
    await store.add_device(FULL, False)
    del events[:]
    await store.change_device(UNREGISTERED, {"admission": Admission.APPROVED, "name": "x"})
    assert event_types(events) == ["device.approved", "device.changed"]


async def test_an_empty_change_is_no_event(store: IStore, events: list[Event]) -> None:
    """An empty change returns the device and records no event."""
    assert await store.change_device(READER, {}) == await get_device(store, READER)
    assert events == []


async def test_an_unknown_device_cannot_be_changed_or_deleted(store: IStore) -> None:
    """An unknown id is an error."""
    with pytest.raises(UnknownDevice, match=UNREGISTERED):
        await store.change_device(UNREGISTERED, {"name": "x"})
    with pytest.raises(UnknownDevice, match=UNREGISTERED):
        await store.forget_device(UNREGISTERED)


async def test_deleting_a_device_ends_its_open_commands(store: IStore, events: list[Event]) -> None:
    """Commands that were never sent are cancelled, those that may have run become unknown, ended ones stay."""
    await send(store, 1)
    await when(store, at()).settle(READER, by_message(1))
    await send(store, 2)
    await send(store, 3)
    await when(store, at()).acknowledge(READER, command_id(3))
    await send(store, 4, delivery=AT_LEAST_ONCE, lease=1.0)
    await when(store, at(1)).lapse(1)
    await put(store, 5)
    await put(store, 6, name=OTHER_READER)
    del events[:]
    await when(store, at(9)).forget_device(READER)
    states = [await state(store, number) for number in range(1, 7)]
    unknown = State.UNKNOWN
    assert states == [State.SUCCEEDED, unknown, unknown, unknown, State.CANCELLED, State.QUEUED]
    for number in (2, 3):
        command = await get_command(store, number)
        assert (command.error, command.evidence) == ("the device was forgotten", None)
    assert sorted(event_types(events)) == sorted([*["command.unknown"] * 3, "command.cancelled", "device.deleted"])
    assert event_types(events)[-1] == "device.deleted"


async def test_a_deleted_device_is_gone(store: IStore) -> None:
    """It is no longer listed, and when it polls again it is new."""
    await when(store, at()).forget_device(READER)
    assert [device.id for device, _ in await store.devices(DeviceFilter(), None, 10)] == [OTHER_READER]
    again = device(READER, admission=Admission.PENDING)
    assert await when(store, at(1)).add_device(again, True) == again
    assert event_types(await all_events(store))[-2:] == ["device.deleted", "device.pending"]


async def test_a_result_of_a_deleted_device_is_not_kept(store: IStore) -> None:
    """A result of a deleted device that matches nothing is not stored."""
    await when(store, at()).forget_device(READER)
    assert await when(store, at(1)).settle(READER, StubResult(uuid="u")) is Settlement.DROPPED


@pytest.mark.parametrize(("learned", "kept"), [(2.0, 2.0), (4.0, 3.2), (None, None)])
async def test_learned_hold_never_grows(store: IStore, learned: float | None, kept: float | None) -> None:
    """Where another process has learned a shorter hold, that one stays, and nothing changes; it can be forgotten."""
    await store.change_device(READER, {"learned_hold": 3.2})
    before = len(await all_events(store))
    assert (await store.change_device(READER, {"learned_hold": learned})).learned_hold == kept
    assert len(await all_events(store)) == before + (kept != 3.2)
