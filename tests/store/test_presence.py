"""Tests of stored presence, last-seen times and queue depths."""

from pushd.model.alert import AlertRules
from pushd.model.device import LastSeen, PresenceState, QueueDepth
from pushd.model.event import Event
from pushd.store.interface import IStore
from tests.store.clock import when
from tests.store.samples import OTHER_READER, READER, UNREGISTERED, at, by_message, command_id, wall
from tests.store.steps import event_types, get_device, put, send


async def test_presence_is_an_event_only_when_it_changes(store: IStore, events: list[Event]) -> None:
    """A device that is online again and again is one event."""
    for presence in ("online", "online", "signed_off", "signed_off", "online"):
        await store.set_presence(READER, PresenceState(presence))
    assert event_types(events) == ["device.online", "device.signed_off", "device.online"]
    assert (await get_device(store, READER)).presence is PresenceState.ONLINE


async def test_presence_of_an_unknown_device_is_not_kept(store: IStore, events: list[Event]) -> None:
    """There is no presence of a device that does not exist."""
    await store.set_presence(UNREGISTERED, PresenceState.ONLINE)
    assert events == []


async def test_only_online_devices_are_marked_offline(store: IStore, events: list[Event]) -> None:
    """Several devices are marked at once; those that were never seen, or signed off, are not."""
    await when(store, at()).set_presence(READER, PresenceState.ONLINE)
    for _ in range(2):
        await when(store, at(5)).mark_offline(dict.fromkeys([READER, OTHER_READER, UNREGISTERED]), AlertRules())
    assert [(event.type, event.device, event.at) for event in events[1:]] == [("device.offline", READER, wall(5))]
    assert (await get_device(store, READER)).presence is PresenceState.OFFLINE
    assert (await get_device(store, OTHER_READER)).presence is PresenceState.NEVER_SEEN
    await when(store, at()).set_presence(OTHER_READER, PresenceState.SIGNED_OFF)
    await when(store, at(5)).mark_offline({OTHER_READER: None}, AlertRules())
    assert (await get_device(store, OTHER_READER)).presence is PresenceState.SIGNED_OFF


async def test_last_seen_times_are_saved_together(store: IStore, events: list[Event]) -> None:
    """When and from where devices were last seen is saved without an event."""
    await store.save_last_seen(
        [
            LastSeen(device=READER, last_seen_at=wall(5), last_address="192.0.2.1", poll_gap=4.5),
            LastSeen(device=OTHER_READER, last_seen_at=wall(6), last_address=None, poll_gap=None),
            LastSeen(device=UNREGISTERED, last_seen_at=wall(7), last_address=None, poll_gap=None),
        ]
    )
    door, gate = await get_device(store, READER), await get_device(store, OTHER_READER)
    assert (door.last_seen_at, door.last_address, door.poll_gap) == (wall(5), "192.0.2.1", 4.5)
    assert (gate.last_seen_at, gate.last_address, gate.poll_gap) == (wall(6), None, None)
    assert events == []


async def test_a_poll_gap_that_was_not_measured_again_stays(store: IStore) -> None:
    """An update without a poll gap keeps the last one."""
    await store.save_last_seen([LastSeen(device=READER, last_seen_at=1, last_address=None, poll_gap=4.5)])
    await store.save_last_seen([LastSeen(device=READER, last_seen_at=2, last_address=None, poll_gap=None)])
    assert (await get_device(store, READER)).poll_gap == 4.5


async def test_a_conflict_is_an_event(store: IStore, events: list[Event]) -> None:
    """That two devices may share an id is an event."""
    await when(store, at(1)).save_conflict(READER, {"takeovers": 3})
    assert [(event.type, event.device) for event in events] == [("device.conflict", READER)]
    assert events[0].data["takeovers"] == 3


async def test_queue_depth_counts_queued_and_in_flight(store: IStore) -> None:
    """Ended commands, and those of other devices, do not count."""
    assert store.queue_depth(READER) == QueueDepth(queue=0, in_flight=0)
    await send(store, 1)
    await send(store, 2)
    await store.acknowledge(READER, command_id(2))
    await send(store, 3)
    await store.settle(READER, by_message(3))
    await put(store, 4, 5, 6)
    await put(store, 7, name=OTHER_READER)
    assert store.queue_depth(READER) == QueueDepth(queue=3, in_flight=2)
