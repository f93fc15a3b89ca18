"""Tests of how many devices and commands there are."""

from attrs import evolve

from pushd.model.device import Admission, PresenceState
from pushd.store.filters import Counts
from pushd.store.interface import IStore
from tests.store.clock import when
from tests.store.samples import OTHER_READER, READER, UNREGISTERED, at, device
from tests.store.steps import put, send


async def test_devices_by_state(store: IStore) -> None:
    """Devices are counted by admission and presence."""
    await when(store, at()).add_device(evolve(device(UNREGISTERED), admission=Admission.PENDING), True)
    await when(store, at()).set_presence(READER, PresenceState.ONLINE)
    assert (await store.counts(None)).devices == {
        (Admission.APPROVED, PresenceState.ONLINE): 1,
        (Admission.APPROVED, PresenceState.NEVER_SEEN): 1,
        (Admission.PENDING, PresenceState.NEVER_SEEN): 1,
    }


async def test_queued_and_unknown_commands(store: IStore) -> None:
    """Commands are counted while they are queued, and once their outcome is unknown; not in flight."""
    await put(store, 1, 2, name=OTHER_READER)
    await send(store, 3)
    found = await store.counts(None)
    assert (found.queued, found.unknown) == (2, 0)
    assert await when(store, at(100)).lapse(10) == 1
    found = await store.counts(None)
    assert (found.queued, found.unknown) == (2, 1)


async def test_some_devices(store: IStore) -> None:
    """Of some devices, only they and their commands are counted."""
    await put(store, 1, 2)
    await put(store, 3, name=OTHER_READER)
    assert await store.counts({READER}.__contains__) == Counts(
        devices={(Admission.APPROVED, PresenceState.NEVER_SEEN): 1}, queued=2, unknown=0
    )
    assert await store.counts({UNREGISTERED}.__contains__) == Counts(devices={}, queued=0, unknown=0)
