"""Tests of group commit: concurrent senders share a commit, and a failure is only its own sender's."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from pushd.model.errors import DeviceKnown
from pushd.model.event import Event
from pushd.store.filters import DeviceFilter, EventFilter
from pushd.store.interface import IStore
from pushd.store.sqlite.store import SqliteStore
from pushd.store.transaction import ITransaction
from pushd.store.transactions import devices
from tests.store.conftest import StoreUnderTest
from tests.store.samples import LIMIT, OTHER_READER, READER, device, draft
from tests.store.steps import event_types

pytestmark = pytest.mark.parametrize("kind", ["threads"])


async def test_concurrent_senders_share_a_commit(under_test: StoreUnderTest, store: IStore) -> None:
    """A hundred commands that are put in one turn of the reactor wait for the disk once."""
    assert isinstance(store, SqliteStore)
    statements: list[str] = []
    connection: sqlite3.Connection = store._writer.connection.connection  # type: ignore[attr-defined]
    connection.set_trace_callback(statements.append)
    puts: list[Deferred[Any]] = [store.put(draft(), False, LIMIT) for number in range(100)]
    await gatherResults(puts)
    connection.set_trace_callback(None)
    assert statements.count("COMMIT") == 1


async def test_the_reactor_does_not_wait_while_another_program_writes(store: IStore, tmp_path: Path) -> None:
    """A backup tool that locks the database delays senders, but not the reactor."""
    from twisted.internet import reactor

    assert isinstance(store, SqliteStore)
    writer: sqlite3.Connection = store._writer.connection.connection  # type: ignore[attr-defined]
    await store.check()
    assert writer.execute("PRAGMA busy_timeout").fetchone()[0] == 0  # what runs on the reactor's thread
    with closing(sqlite3.connect(tmp_path / "pushd.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = [store.put(draft(), False, LIMIT) for number in range(3)]
        for _ in range(100):
            await deferLater(reactor, 0)
        assert [each.called for each in waiting] == [False] * 3
        other.execute("ROLLBACK")
        assert all(created for _, created in await gatherResults(waiting))
    assert (await store.put(draft(), False, LIMIT))[1]


async def test_listeners_and_senders_are_called_in_order_after_the_commit(store: IStore, tmp_path: Path) -> None:
    """When the first listener is called, the whole group is durable; a sender's Deferred fires after the listeners of
    its change were called.
    """
    assert isinstance(store, SqliteStore)
    order: list[str] = []
    durable: list[int] = []

    def listen(event: Event) -> None:
        order.append(str(event.device))
        with closing(sqlite3.connect(tmp_path / "pushd.sqlite")) as other:
            durable.append(other.execute("SELECT COUNT(*) FROM device WHERE id LIKE 'servereye:%'").fetchone()[0])

    store.subscribe(listen)
    waiting: list[Deferred[Any]] = []
    for name in "abc":
        adding = store.add_device(device(f"servereye:{name}"), False)
        waiting.append(adding.addCallback(lambda added: order.append(f"done {added.id[-1]}")))
    await gatherResults(waiting)
    assert order == ["servereye:a", "done a", "servereye:b", "done b", "servereye:c", "done c"]
    assert durable == [3, 3, 3]


async def test_a_refusal_does_not_affect_the_rest_of_the_group(store: IStore) -> None:
    """Operations of a group succeed although another one of it is refused."""
    assert isinstance(store, SqliteStore)
    events: list[Event] = []
    store.subscribe(events.append)
    before = store.save_conflict(READER, {})
    refused = store.add_device(device(OTHER_READER), False)
    after = store.put(draft(), False, LIMIT)
    with pytest.raises(DeviceKnown):
        await refused
    waiting: list[Deferred[Any]] = [before, after]
    await gatherResults(waiting)
    assert event_types(events) == ["device.conflict", "command.queued"]


@pytest.mark.parametrize("flushes", [False, True])
async def test_an_operation_that_fails_halfway_is_undone_alone(store: IStore, flushes: bool) -> None:
    """An operation that fails after it has written leaves neither rows nor events; those of the others stay."""
    assert isinstance(store, SqliteStore)
    events: list[Event] = []
    store.subscribe(events.append)

    def fail(tx: ITransaction) -> None:
        devices.add_device(tx, device("servereye:halfway"), False)
        if flushes:
            tx.flush()
        raise RuntimeError("halfway")

    before = store.add_device(device("servereye:a"), False)
    broken = store._writer.submit(fail)
    after = store.add_device(device("servereye:b"), False)
    others: list[Deferred[Any]] = [before, after]
    await gatherResults(others)
    with pytest.raises(RuntimeError, match="halfway"):
        await broken
    page = await store.events(EventFilter(), 0, 100)
    assert [event.device for event in page.items][-2:] == ["servereye:a", "servereye:b"]
    assert list(page.items)[-2:] == events
    names = [found.id for found, _ in await store.devices(DeviceFilter(dialect="servereye"), None, 10)]
    assert names == ["servereye:a", "servereye:b"]


async def test_an_event_that_cannot_be_written_fails_only_its_operation(store: IStore) -> None:
    """An operation whose event cannot be written as JSON is undone, and the others of its group succeed."""
    assert isinstance(store, SqliteStore)
    before = store.add_device(device("servereye:a"), False)
    broken = store.save_conflict(READER, {"takeovers": float("nan")})
    after = store.add_device(device("servereye:b"), False)
    with pytest.raises(ValueError, match="JSON"):
        await broken
    others: list[Deferred[Any]] = [before, after]
    await gatherResults(others)
    page = await store.events(EventFilter(), 0, 100)
    assert [event.device for event in page.items][-2:] == ["servereye:a", "servereye:b"]
