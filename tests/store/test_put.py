"""Tests of put: how a command is queued."""

from typing import Any

import pytest

from pushd.model.command import Command
from pushd.model.device import Admission, PresenceState
from pushd.model.errors import (
    DeviceBlocked,
    DeviceSignedOff,
    KeyReused,
    QueueFull,
    Unavailable,
    UnknownCommand,
    UnknownDevice,
)
from pushd.model.event import Event
from pushd.model.lifecycle import Delivery, State
from pushd.model.timestamps import MAX_MOMENT
from pushd.store.interface import IStore
from tests.store.clock import numbered, when
from tests.store.samples import (
    AT_LEAST_ONCE,
    LIMIT,
    OTHER_READER,
    READER,
    UNREGISTERED,
    at,
    command_id,
    device,
    draft,
    wall,
)
from tests.store.steps import all_events, event_types, get_command, put, send

NESTED = {"endpoint": "create_objects", "body": {"n": 4408801109440198, "s": "João \ud800", "l": [1.5, None, True]}}


async def test_a_command_is_kept_as_it_was_sent(store: IStore) -> None:
    """A queued command has all that its sender chose."""
    terms: dict[str, Any] = {
        "ttl": 90.5,
        "delivery": AT_LEAST_ONCE,
        "priority": 9,
        "deadline": 600.0,
        "max_attempts": 3,
        "trace": "ticket 7",
    }
    command, new = await store.put(
        draft(payload=NESTED, lease=12.5, key="k", fingerprint=b"f", created_by="ops", **terms), False, LIMIT
    )
    assert new
    assert command == Command(
        id=command_id(1),
        device=READER,
        state=State.QUEUED,
        endpoint="create_objects",
        endpoints=None,
        payload=NESTED,
        delivery=Delivery.AT_LEAST_ONCE,
        priority=9,
        ttl=90.5,
        not_before=None,
        created_at=wall(),
        expires_at=wall(90.5),
        attempts=0,
        max_attempts=3,
        lease=12.5,
        deadline=600.0,
        sent_at=None,
        acknowledged_at=None,
        finished_at=None,
        result=None,
        error=None,
        late=False,
        evidence=None,
        matched_by=None,
        created_by="ops",
        resend_of=None,
        resent_as=None,
        idempotency_key="k",
        trace="ticket 7",
    )
    assert await get_command(store, 1) == command


async def test_a_queued_command_is_an_event(store: IStore, events: list[Event]) -> None:
    """The event names the command, its device and the time."""
    await put(store, 1, now=at(3))
    assert [(event.type, event.device, event.command, event.at) for event in events] == [
        ("command.queued", READER, command_id(1), wall(3))
    ]
    assert (events[0].by, events[0].data) == ("admin", {"endpoint": "load_objects"})


@pytest.mark.parametrize(
    ("not_before", "expires_at"),
    [(None, wall(300)), (wall(-60), wall(300)), (wall(60), wall(360)), (MAX_MOMENT, MAX_MOMENT)],
)
async def test_the_time_to_live_begins_when_a_command_may_be_sent(
    store: IStore, not_before: int | None, expires_at: int
) -> None:
    """A command for later has its whole time to live after ``not_before``."""
    command, _ = await store.put(draft(not_before=not_before), False, LIMIT)
    assert (command.not_before, command.expires_at) == (not_before, expires_at)


async def test_a_command_for_an_unknown_device_is_refused(store: IStore, events: list[Event]) -> None:
    """Nothing of it is stored."""
    with pytest.raises(UnknownDevice, match=UNREGISTERED):
        await store.put(draft(UNREGISTERED), False, LIMIT)
    with pytest.raises(UnknownCommand):
        await store.command(command_id(1))
    assert events == []


async def test_a_command_for_a_blocked_device_is_refused(store: IStore) -> None:
    """A blocked device is sent nothing, not even later."""
    await store.change_device(READER, {"admission": Admission.BLOCKED})
    with pytest.raises(DeviceBlocked, match=READER):
        await store.put(draft(), True, LIMIT)


async def test_a_command_for_a_pending_device_is_queued(store: IStore) -> None:
    """It is sent once the device is approved."""
    await store.add_device(device(UNREGISTERED, admission=Admission.PENDING), True)
    await put(store, 1, name=UNREGISTERED)
    assert store.queue_depth(UNREGISTERED).queue == 1


async def test_a_command_for_a_signed_off_device_is_queued_only_on_request(store: IStore) -> None:
    """It is refused, unless the sender asks to queue it for the device's return."""
    await store.set_presence(READER, PresenceState.SIGNED_OFF)
    with pytest.raises(DeviceSignedOff, match="queue=1"):
        await store.put(draft(), False, LIMIT)
    _, new = await store.put(draft(), True, LIMIT)
    assert new


async def test_a_command_beyond_the_limit_of_the_queue_is_refused(store: IStore, events: list[Event]) -> None:
    """Commands in flight, and those of other devices, do not count."""
    await send(store, 1)
    await put(store, 2, 3)
    await put(store, 4, name=OTHER_READER)
    with pytest.raises(QueueFull, match="2 commands"):
        await store.put(draft(), False, 2)
    await store.put(draft(), False, 3)
    assert event_types(events).count("command.queued") == 5


async def test_a_repeated_request_gives_the_first_command(store: IStore, events: list[Event]) -> None:
    """A sender that got no answer can repeat the request with the same key: the command is queued once."""
    first, _ = await when(store, at()).put(draft(key="k", fingerprint=b"body"), False, LIMIT)
    again, new = await when(store, at(5)).put(draft(key="k", fingerprint=b"body"), False, LIMIT)
    assert (again, new) == (first, False)
    assert event_types(events) == ["command.queued"]
    with pytest.raises(UnknownCommand):
        await store.command(command_id(2))


async def test_a_repeated_request_gives_the_command_as_it_is_now(store: IStore) -> None:
    """Even when a new command would be refused."""
    await send(store, 1, key="k", fingerprint=b"body")
    await store.change_device(READER, {"admission": Admission.BLOCKED})
    again, new = await store.put(draft(key="k", fingerprint=b"body"), False, 0)
    assert (again.id, again.state, new) == (command_id(1), State.SENT, False)


async def test_the_earlier_command_of_a_key(store: IStore) -> None:
    """What was queued with a key is found without anything to queue, and only by its sender and with the same body."""
    first, _ = await store.put(draft(key="k", fingerprint=b"body"), False, LIMIT)
    assert await store.earlier(first.created_by, READER, "k", b"body") == first
    for sender, name, key in (
        ("x", READER, "k"),
        (first.created_by, OTHER_READER, "k"),
        (first.created_by, READER, "x"),
    ):
        assert await store.earlier(sender, name, key, b"body") is None
    with pytest.raises(KeyReused):
        await store.earlier(first.created_by, READER, "k", b"other")


async def test_a_key_is_for_one_request(store: IStore) -> None:
    """The same key with another body is an error."""
    await store.put(draft(key="k", fingerprint=b"body"), False, LIMIT)
    with pytest.raises(KeyReused):
        await store.put(draft(key="k", fingerprint=b"other"), False, LIMIT)


@pytest.mark.parametrize("other", [{"name": OTHER_READER}, {"created_by": "another"}, {"key": "other"}, {"key": None}])
async def test_a_key_counts_for_its_sender_and_device(store: IStore, other: dict[str, Any]) -> None:
    """Two senders, or two devices, may use the same key, and a command without one is always new."""
    await store.put(draft(key="k", fingerprint=b"body"), False, LIMIT)
    _, new = await store.put(draft(**({"key": "k", "fingerprint": b"other"} | other)), False, LIMIT)
    assert new


@pytest.mark.parametrize("kind", ["memory", "file", "threads"])
async def test_an_id_is_given_once(store: IStore) -> None:
    """A second command with the same id is an error, and the first stays as it was."""
    await put(store, 1, priority=7)
    with pytest.raises(Unavailable, match="Unable to queue a command"):
        await put(store, 1, priority=3)
    assert (await get_command(store, 1)).priority == 7


@pytest.mark.parametrize("kind", ["postgres"])
async def test_ids_of_a_device_ascend_whichever_node_makes_them(store: IStore) -> None:
    """A node whose ids are behind makes one that is greater than the greatest of the device."""
    await put(store, 7)
    numbered(store, 3)
    later, _ = await store.put(draft(), False, LIMIT)
    assert later.id == command_id(8)


async def test_a_refused_command_is_no_event(store: IStore) -> None:
    """Only changes are events."""
    before = await all_events(store)
    for refused in (draft(UNREGISTERED), draft()):
        with pytest.raises((UnknownDevice, QueueFull)):
            await store.put(refused, False, 0)
    assert await all_events(store) == before
