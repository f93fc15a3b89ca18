"""Tests of many senders at one time: they wait for the disk together, and each is told only what concerns it."""

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
from tests.store.conftest import Shelf
from tests.store.samples import DOOR, GATE, LIMIT, at, device, draft
from tests.store.steps import words

pytestmark = pytest.mark.parametrize("kind", ["threads"])


async def test_senders_at_the_same_time_share_a_commit(shelf: Shelf, store: IStore) -> None:
    """A hundred commands that arrive in one turn of the reactor wait for the disk once."""
    assert isinstance(store, SqliteStore)
    statements: list[str] = []
    connection: sqlite3.Connection = store._writer.connection.connection  # type: ignore[attr-defined]
    connection.set_trace_callback(statements.append)
    waiting: list[Deferred[Any]] = [store.put(draft(number), False, LIMIT, at()) for number in range(100)]
    await gatherResults(waiting)
    connection.set_trace_callback(None)
    assert statements.count("COMMIT") == 1


async def test_the_reactor_does_not_wait_while_another_program_writes(store: IStore, tmp_path: Path) -> None:
    """A backup tool that locks the database keeps senders waiting, and nobody else."""
    from twisted.internet import reactor

    with closing(sqlite3.connect(tmp_path / "pushd.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = [store.put(draft(number), False, LIMIT, at()) for number in range(3)]
        for _ in range(100):
            await deferLater(reactor, 0)
        assert [one.called for one in waiting] == [False] * 3
        other.execute("ROLLBACK")
        assert all(created for _, created in await gatherResults(waiting))
    assert (await store.put(draft(4), False, LIMIT, at()))[1]


async def test_everybody_is_told_in_order_after_the_commit(store: IStore, tmp_path: Path) -> None:
    """When the first change of a group is told, the whole group is durable; each sender hears after the
    listeners did.
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
        adding = store.add_device(device(f"servereye:{name}"), False, at())
        waiting.append(adding.addCallback(lambda added: order.append(f"done {added.id[-1]}")))
    await gatherResults(waiting)
    assert order == ["servereye:a", "done a", "servereye:b", "done b", "servereye:c", "done c"]
    assert durable == [3, 3, 3]


async def test_one_refusal_in_a_group_is_only_its_senders(store: IStore) -> None:
    """A sender who is refused does not keep those from succeeding whose commands were written with it."""
    assert isinstance(store, SqliteStore)
    heard: list[Event] = []
    store.subscribe(heard.append)
    before = store.save_conflict(DOOR, {}, at())
    refused = store.add_device(device(GATE), False, at())
    after = store.put(draft(1), False, LIMIT, at())
    with pytest.raises(DeviceKnown):
        await refused
    waiting: list[Deferred[Any]] = [before, after]
    await gatherResults(waiting)
    assert words(heard) == ["device.conflict", "command.queued"]


@pytest.mark.parametrize("flushes", [False, True])
async def test_one_that_fails_halfway_leaves_nothing_and_takes_nothing(store: IStore, flushes: bool) -> None:
    """A change that fails after it has written something leaves neither its rows nor its events, and all others
    theirs.
    """
    assert isinstance(store, SqliteStore)
    told: list[Event] = []
    store.subscribe(told.append)

    def fail(tx: ITransaction) -> None:
        devices.add_device(tx, device("servereye:halfway"), False, at())
        if flushes:
            tx.flush()
        raise RuntimeError("halfway")

    before = store.add_device(device("servereye:a"), False, at())
    broken = store._write(fail)
    after = store.add_device(device("servereye:b"), False, at())
    everybody: list[Deferred[Any]] = [before, after]
    await gatherResults(everybody)
    with pytest.raises(RuntimeError, match="halfway"):
        await broken
    page = await store.events(EventFilter(), 0, 100)
    assert [event.device for event in page.items][-2:] == ["servereye:a", "servereye:b"]
    assert list(page.items)[-2:] == told
    names = [found.id for found, _ in await store.devices(DeviceFilter(dialect="servereye"), None, 10)]
    assert names == ["servereye:a", "servereye:b"]


async def test_an_event_that_cannot_be_written_fails_its_own_verb_alone(store: IStore) -> None:
    """A change whose event has no text in JSON is refused, with all that it wrote, and those beside it are made."""
    assert isinstance(store, SqliteStore)
    before = store.add_device(device("servereye:a"), False, at())
    broken = store.save_conflict(DOOR, {"takeovers": float("nan")}, at())
    after = store.add_device(device("servereye:b"), False, at())
    with pytest.raises(ValueError, match="JSON"):
        await broken
    everybody: list[Deferred[Any]] = [before, after]
    await gatherResults(everybody)
    page = await store.events(EventFilter(), 0, 100)
    assert [event.device for event in page.items][-2:] == ["servereye:a", "servereye:b"]
