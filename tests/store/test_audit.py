"""Tests of the audit log in a store: it is written with the change, and only for an actor."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from pushd.model.actor import Actor
from pushd.model.admin_api import START
from pushd.model.audit import AuditEntry
from pushd.model.errors import IllegalMove, UnknownDevice
from pushd.model.lifecycle import Move
from pushd.store.filters import AuditFilter
from pushd.store.interface import IStore
from tests.store.clock import when
from tests.store.samples import READER, UNREGISTERED, at, command_id, device, wall
from tests.store.steps import all_events, put

ANA = Actor(name="ana", address="192.0.2.7")


async def entries(store: IStore, **which: Any) -> list[AuditEntry]:
    """The audit log."""
    return await store.audit(AuditFilter(**which), START, 1000)


async def test_an_entry_is_stored_whole(store: IStore) -> None:
    """It has who did it, from where and when, and what was changed."""
    await when(store.by(ANA), at(7)).change_device(READER, {"name": "gate"})
    [entry] = await entries(store)
    assert entry == AuditEntry(
        id=1,
        at=wall(7),
        by="ana",
        address="192.0.2.7",
        action="device.change",
        object=f"device:{READER}",
        before={"name": ""},
        after={"name": "gate"},
    )


async def test_what_the_server_does_has_no_entry(store: IStore) -> None:
    """What the server does by itself is not recorded, also right after what a token did."""
    await store.by(ANA).change_device(READER, {"name": "gate"})
    await store.change_device(READER, {"learned_hold": 5.0})
    await put(store, 1)
    assert len(await entries(store)) == 1
    assert [event.by for event in await all_events(store)][-2:] == [None, "admin"]


async def test_a_failed_operation_has_no_entry(store: IStore) -> None:
    """Operations that fail leave nothing; those beside them in the same commit do."""
    await put(store, 1)
    acting = store.by(ANA)
    done: list[Deferred[Any]] = [
        acting.cancel(command_id(1)),
        acting.resolve(command_id(1), Move.RESOLVE_FAILED, None, "ana"),
        acting.change_device(UNREGISTERED, {"name": "x"}),
        acting.add_device(device(UNREGISTERED), False),
    ]
    await done[0]
    for failing, error in ((done[1], IllegalMove), (done[2], UnknownDevice)):
        with pytest.raises(error):
            await failing
    await done[3]
    assert [entry.action for entry in await entries(store)] == ["command.cancel", "device.register"]


async def test_entries_of_a_token_and_of_an_object(store: IStore) -> None:
    """They are selected by either."""
    await store.by(ANA).change_device(READER, {"name": "gate"})
    await store.by(Actor(name="bob")).change_device(READER, {"name": "door"})
    await store.by(ANA).add_device(device(UNREGISTERED), False)
    assert [entry.object for entry in await entries(store, by="ana")] == [f"device:{READER}", f"device:{UNREGISTERED}"]
    assert [entry.by for entry in await entries(store, object=f"device:{READER}")] == ["ana", "bob"]


async def test_purge(store: IStore) -> None:
    """Entries are deleted oldest first, up to the limit."""
    for second in range(5):
        await when(store.by(ANA), at(second)).change_device(READER, {"name": str(second)})
    assert [await store.purge_audit(wall(3), 2) for _ in range(3)] == [2, 1, 0]
    assert [entry.at for entry in await entries(store)] == [wall(3), wall(4)]
