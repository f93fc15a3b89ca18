"""Tests of a database that is restored under its nodes: they notice, and send nothing until that was dealt with."""

from collections.abc import Iterator
from contextlib import closing
from itertools import count
from typing import Any

import psycopg
import pytest
import pytest_twisted  # type: ignore[import-untyped]
from attrs import define, field
from psycopg.rows import dict_row

from pushd.model.alert import AlertKind
from pushd.model.errors import StoreRefused, Unavailable
from pushd.model.lifecycle import State
from pushd.store.filters import AlertFilter, History, StartOptions
from pushd.store.postgres.inspection import find_violations
from pushd.store.postgres.node import DEAD
from pushd.store.postgres.restore import restore
from pushd.store.postgres.store import PostgresStore
from tests.postgres import ReusedDatabase
from tests.store.clock import new_postgres_store
from tests.store.outages import RULES
from tests.store.samples import READER, command_id
from tests.store.steps import claim, put, send, state

FIRST, SECOND = "aaaaaaaaaaaa", "bbbbbbbbbbbb"
"""The names of histories."""

_names = count()


@define(eq=False)
class Fleet:
    """Nodes on a database that the test returns to an earlier state."""

    database: ReusedDatabase
    admin: "psycopg.Connection[Any]"
    state: str = field(factory=lambda: f"older_{next(_names)}")
    started: list[PostgresStore] = field(factory=list)

    def start(self, name: str, **options: Any) -> PostgresStore:
        """Start a node, whose operations are done on the calling thread."""
        store = new_postgres_store(self.database.url, node=name)
        store.open(StartOptions(epoch=FIRST, **options))
        self.started.append(store)
        return store

    def save(self) -> None:
        """Make a backup."""
        self.database.save(self.state)

    def go_back(self) -> None:
        """Restore it under the nodes."""
        self.database.restore(self.state)

    def feed(self) -> dict[str, Any]:
        """The row of the feed."""
        row = self.admin.execute("SELECT last, history, lost FROM feed").fetchone()
        assert row is not None
        return dict(row)

    def forget_nodes(self) -> None:
        """No node beats any more."""
        self.admin.execute("UPDATE node SET beat = beat - %s - 1", (DEAD,))

    def after_restore(self, *, requeue: bool = False) -> int:
        """What an operator does; how many commands are unknown."""
        return restore(self.database.url, StartOptions(epoch=SECOND, restored=True, requeue=requeue))


@pytest.fixture
def fleet(postgres_database: ReusedDatabase) -> Iterator[Fleet]:
    """Two approved devices."""
    postgres_database.restore("two_devices")
    with closing(psycopg.connect(postgres_database.url, autocommit=True, row_factory=dict_row)) as admin:
        fleet = Fleet(postgres_database, admin)
        yield fleet
        for store in fleet.started:
            pytest_twisted.blockon(store.close())


async def sent_and_lost(fleet: Fleet, store: PostgresStore) -> int:
    """The first command was sent, which the database has lost; the number of the event that a node has seen last."""
    await put(store, 1)
    fleet.save()
    assert await claim(store) is not None
    seen: int = fleet.feed()["last"]
    fleet.go_back()
    return seen


async def test_nothing_is_sent_twice(fleet: Fleet) -> None:
    """A command that is queued again in the restored database is not sent; what devices report is still taken."""
    store = fleet.start("a")
    seen = await sent_and_lost(fleet, store)
    with pytest.raises(Unavailable, match="lacks events"):
        await claim(store)
    assert store.membership().lacks_events()
    assert fleet.feed() == {"last": seen, "history": FIRST, "lost": seen}
    with pytest.raises(Unavailable, match="pushctl after-restore"):
        await claim(store)
    with pytest.raises(Unavailable, match="pushctl after-restore"):
        await put(store, 2)
    await store.acknowledge(READER, "unknown")
    assert await store.expire(10) == await store.lapse(10) == 0


async def test_a_beat_notices(fleet: Fleet) -> None:
    """A node that has nothing to do notices, too, and so does each other one, whatever it has seen itself."""
    store = fleet.start("a")
    await sent_and_lost(fleet, store)
    assert not store.membership().lacks_events()
    fleet.admin.execute("UPDATE node SET instance = 'that of an earlier process, which made the backup'")
    await store.membership().beat()
    assert store.membership().lacks_events()
    with pytest.raises(StoreRefused, match="pushctl after-restore"):
        fleet.start("b")


async def test_other_nodes_learn_of_it(fleet: Fleet) -> None:
    """A node that has not seen what is lost knows it by the next beat, or before it sends anything."""
    first, second = fleet.start("a"), fleet.start("b")
    await sent_and_lost(fleet, first)
    await first.membership().beat()
    with pytest.raises(Unavailable, match="lacks events"):
        await claim(second)
    assert second.membership().lacks_events()


async def test_one_alert(fleet: Fleet) -> None:
    """Of all nodes, one raises one alert; its event has a number that no event had before."""
    first, second = fleet.start("a"), fleet.start("b")
    seen = await sent_and_lost(fleet, first)
    for store in (first, second, first):
        await store.membership().beat()
        await store.raise_alerts(RULES, 10)
    [alert] = await first.alerts(AlertFilter(), None, 10)
    assert (alert.kind, alert.cleared_at) == (AlertKind.RESTORED, None)
    events = fleet.admin.execute("SELECT seq, type FROM event WHERE seq > %s", (seen,)).fetchall()
    assert events == [{"seq": seen + 1, "type": "alert.raised"}]


async def test_another_history(fleet: Fleet) -> None:
    """What was open is unknown, the alert is cleared, nodes end and may start again, and send what comes then."""
    store = fleet.start("a")
    seen = await sent_and_lost(fleet, store)
    await store.membership().beat()
    await store.raise_alerts(RULES, 10)
    assert fleet.after_restore() == 1
    assert fleet.feed()["history"] == SECOND
    assert fleet.feed()["lost"] is None
    with pytest.raises(StoreRefused, match="start again"):
        await store.membership().beat()
    with pytest.raises(Unavailable, match="start again"):
        await put(store, 2)
    again = fleet.start("a", history=History(FIRST, seen))
    assert await state(again, 1) is State.UNKNOWN
    [alert] = await again.alerts(AlertFilter(), None, 10)
    assert alert.cleared_at is not None
    await send(again, 3)
    assert find_violations(fleet.database.url) == []


async def test_requeue(fleet: Fleet) -> None:
    """An operator who knows that nothing has run may keep what is queued."""
    store = fleet.start("a")
    await sent_and_lost(fleet, store)
    await store.membership().beat()
    assert fleet.after_restore(requeue=True) == 0
    dispatched = await claim(fleet.start("a"))
    assert dispatched is not None
    assert dispatched.command == command_id(1)


async def test_nodes_that_were_stopped(fleet: Fleet) -> None:
    """A node that was down meanwhile does not start before; afterwards each of them does, though it has seen more."""
    store = fleet.start("a")
    seen = await sent_and_lost(fleet, store)
    fleet.forget_nodes()
    known = History(FIRST, seen)
    with pytest.raises(StoreRefused, match="lacks events that this node has seen"):
        fleet.start("b", history=known)
    fleet.forget_nodes()
    assert fleet.after_restore() == 1
    for name in "bc":
        assert not fleet.start(name, history=known).membership().lacks_events()


async def test_a_sound_database_is_left_alone(fleet: Fleet) -> None:
    """While nodes serve and miss nothing, no history begins."""
    store = fleet.start("a")
    await put(store, 1)
    with pytest.raises(StoreRefused, match="a: these servers use the database, and miss nothing"):
        fleet.after_restore()
    assert fleet.feed()["history"] == FIRST
    assert await claim(store) is not None


async def test_a_session_that_was_lost(fleet: Fleet) -> None:
    """When the database comes back older, the first thing that a node does in it finds out."""
    store = fleet.start("a")
    await put(store, 1)
    fleet.save()
    await claim(store)
    fleet.admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pushd/a'")
    fleet.go_back()
    with pytest.raises(Unavailable):
        await put(store, 2)
    assert fleet.feed()["lost"] is not None
