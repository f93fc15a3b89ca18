"""Tests of what is kept of a device's comings and goings, and of how much it has to do."""

from pushd.model.alert import AlertRules
from pushd.model.device import LastSeen, PresenceState, QueueDepth
from pushd.model.event import Event
from pushd.store.interface import IStore
from tests.store.samples import DOOR, GATE, STRANGER, at, by_message, ident, wall
from tests.store.steps import one, put, send, words


async def test_presence_is_told_only_when_it_changes(store: IStore, events: list[Event]) -> None:
    """A device that is online for the hundredth time is no news."""
    for presence in ("online", "online", "signed_off", "signed_off", "online"):
        await store.set_presence(DOOR, PresenceState(presence), at())
    assert words(events) == ["device.online", "device.signed_off", "device.online"]
    assert (await one(store, DOOR)).presence is PresenceState.ONLINE


async def test_presence_of_an_unknown_device_is_not_kept(store: IStore, events: list[Event]) -> None:
    """What is not known is neither there nor away."""
    await store.set_presence(STRANGER, PresenceState.ONLINE, at())
    assert events == []


async def test_only_who_was_online_falls_silent(store: IStore, events: list[Event]) -> None:
    """Devices that are silent together are offline together; who was never here, or said goodbye, is not offline."""
    await store.set_presence(DOOR, PresenceState.ONLINE, at())
    for _ in range(2):
        await store.mark_offline([DOOR, GATE, STRANGER], AlertRules(), at(5))
    assert [(event.type, event.device, event.at) for event in events[1:]] == [("device.offline", DOOR, wall(5))]
    assert (await one(store, DOOR)).presence is PresenceState.OFFLINE
    assert (await one(store, GATE)).presence is PresenceState.NEVER_SEEN
    await store.set_presence(GATE, PresenceState.SIGNED_OFF, at())
    await store.mark_offline([GATE], AlertRules(), at(5))
    assert (await one(store, GATE)).presence is PresenceState.SIGNED_OFF


async def test_sightings_are_written_together(store: IStore, events: list[Event]) -> None:
    """When devices were last heard of, and from where, is kept without telling anybody."""
    await store.save_last_seen(
        [
            LastSeen(device=DOOR, last_seen_at=wall(5), last_address="192.0.2.1", poll_gap=4.5),
            LastSeen(device=GATE, last_seen_at=wall(6), last_address=None, poll_gap=None),
            LastSeen(device=STRANGER, last_seen_at=wall(7), last_address=None, poll_gap=None),
        ]
    )
    door, gate = await one(store, DOOR), await one(store, GATE)
    assert (door.last_seen_at, door.last_address, door.poll_gap) == (wall(5), "192.0.2.1", 4.5)
    assert (gate.last_seen_at, gate.last_address, gate.poll_gap) == (wall(6), None, None)
    assert events == []


async def test_a_gap_that_was_not_measured_again_stays(store: IStore) -> None:
    """A sighting without a new measure keeps the last one."""
    await store.save_last_seen([LastSeen(device=DOOR, last_seen_at=1, last_address=None, poll_gap=4.5)])
    await store.save_last_seen([LastSeen(device=DOOR, last_seen_at=2, last_address=None, poll_gap=None)])
    assert (await one(store, DOOR)).poll_gap == 4.5


async def test_a_conflict_is_told(store: IStore, events: list[Event]) -> None:
    """That two devices may share an id is an entry of the feed."""
    await store.save_conflict(DOOR, {"takeovers": 3}, at(1))
    assert [(event.type, event.device, event.data) for event in events] == [
        ("device.conflict", DOOR, {"takeovers": 3})
    ]


async def test_the_load_counts_what_waits_and_what_is_out(store: IStore) -> None:
    """Ended commands, and those of other devices, are no load."""
    assert await store.queue_depth(DOOR) == QueueDepth(queue=0, in_flight=0)
    await send(store, 1)
    await send(store, 2)
    await store.acknowledge(DOOR, ident(2), at())
    await send(store, 3)
    await store.settle(DOOR, by_message(3), at())
    await put(store, 4, 5, 6)
    await put(store, 7, name=GATE)
    assert await store.queue_depth(DOOR) == QueueDepth(queue=3, in_flight=2)
