"""Tests of what PostgreSQL has to do for the usual operations."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]

from pushd.rules.queueing import ClaimNext
from pushd.rules.reporting import Acknowledge
from pushd.store.overlay import decide
from pushd.store.postgres.loading import load
from pushd.store.postgres.needs import Named
from pushd.store.postgres.session import MAX_PLANS, Connection, Session, SessionOptions
from pushd.store.postgres.store import PostgresStore
from pushd.store.transaction import ITransaction, Statement
from tests.postgres import ReusedDatabase
from tests.store.clock import new_postgres_store, when
from tests.store.samples import READER, at, by_message, command_id, wall
from tests.store.steps import count_rows, put, send

_UPDATES = Statement(
    "count updates",
    "SELECT n_tup_upd AS updated, n_tup_hot_upd AS hot FROM pg_stat_xact_user_tables"
    " WHERE relid = 'command'::regclass",
)


@pytest.fixture
def store(postgres_database: ReusedDatabase) -> Iterator[PostgresStore]:
    """An open store without threads."""
    postgres_database.restore("two_devices")
    store = new_postgres_store(postgres_database.url)
    store.open()
    yield store
    pytest_twisted.blockon(store.close())


async def test_sending_and_acknowledging_write_no_index(store: PostgresStore) -> None:
    """No index has a column that they change, and pages keep free space for the new version of a row."""
    await put(store, 1)

    def claim(tx: ITransaction) -> list[Any]:
        ClaimNext(READER, None, False, 1).decide(tx.commands)
        Acknowledge(READER, command_id(1)).decide(tx.commands)
        tx.commands.save()
        tx.commands.change(tx.commands.open_of(READER)[0].changed())
        tx.commands.save()
        return [dict(row) for row in tx.rows(_UPDATES)]

    class Rule:
        def needs(self) -> Any:
            return ClaimNext(READER, None, False, 1).needs()

        def decide(self, view: Any) -> Any:
            return claim(view.tx)

    assert await store._writer.submit(decide, Rule()) == [{"updated": 2, "hot": 2}]


def test_plans_for_small_tables_are_given_up(postgres_database: ReusedDatabase) -> None:
    """PostgreSQL keeps the plan of a statement; one that reads all of a table that was empty does not stay."""
    seconds = [0.0]
    session = Session(SessionOptions(url=postgres_database.url, node="a", by_index=True), clock=lambda: seconds[0])
    connection = session.get()
    connection.execute("CREATE TEMPORARY TABLE kept (id bigint PRIMARY KEY)")
    connection.execute("ANALYZE kept")
    connection.execute(
        "PREPARE found AS SELECT kept.id FROM unnest($1::bigint[]) AS named JOIN kept ON kept.id = named"
    )
    assert "Join Filter" in plan(connection, "found('{1}')")
    connection.execute("INSERT INTO kept SELECT generate_series(1, 10000)")
    assert "Join Filter" in plan(connection, "found('{1}')")
    seconds[0] += MAX_PLANS
    assert session.get() is connection
    assert "Join Filter" not in plan(connection, "found('{1}')")
    session.close()


def test_open_commands_have_an_index(postgres_database: ReusedDatabase) -> None:
    """Those of a device are found without the commands that have ended, in a new database too."""
    postgres_database.restore("empty")
    session = Session(SessionOptions(url=postgres_database.url, node="a", by_index=True))
    connection = session.get()
    load(connection, "a", [Named(devices=(READER,))], False)
    [name] = [name.decode() for sql, name in connection.prepared.items() if b"finished_at IS NULL" in sql]
    assert "command_open" in plan(connection, f"{name}('{{{READER}}}')")
    session.close()


def plan(connection: Connection, call: str) -> str:
    """How PostgreSQL runs a prepared statement."""
    return "\n".join(row["QUERY PLAN"] for row in connection.execute(f"EXPLAIN EXECUTE {call}".encode()).fetchall())


async def test_retention_deletes_many_commands_at_once(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a statement takes, one transaction deletes many commands, to keep up with full load."""
    clock = count()
    monkeypatch.setattr(PostgresStore, "_seconds", lambda _: float(next(clock)))
    for number in range(1, 31):
        await send(store, number, now=at(1))
        await when(store, at(1)).settle(READER, by_message(number))
    assert await when(store, at(50)).purge(wall(50), 100) > 0
    assert await count_rows(store, "command") == 0
