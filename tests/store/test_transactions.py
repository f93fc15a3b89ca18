"""Tests of transactions of several operations: what each returns, and what is stored."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from twisted.python.failure import Failure

from pushd.model.errors import Unavailable, UnknownDevice
from pushd.model.event import EventType
from pushd.store.group_commit import PendingTransaction
from pushd.store.sqlite.connection import SqliteConnection, connect
from pushd.store.sqlite.migrations import migrate
from pushd.store.sqlite.store import MEMORY
from pushd.store.transaction import ITransaction, Statement, record
from tests.store.samples import READER, at

ADD = Statement("add a token", "INSERT INTO token (id, name, role, created_at) VALUES (:name, :name, 'viewer', 0)")
ADD_OR_END_ALL = Statement("add a token", ADD.sql.replace("INSERT", "INSERT OR ROLLBACK"))
PROMISE = Statement("promise a parent", "INSERT INTO child VALUES (1)")

FAMILY = """
CREATE TABLE parent (id INTEGER PRIMARY KEY);
CREATE TABLE child (parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
"""
"""Tables with which a commit fails: a child whose parent has not come by then."""

Operation = Callable[[ITransaction], Any]


@pytest.fixture
def connection() -> Iterator[SqliteConnection]:
    """A connection to an empty database."""
    with closing(connect(MEMORY)) as connection:
        migrate(connection, MEMORY)
        connection.executescript(FAMILY)
        yield SqliteConnection(connection, at)


def adding(name: str) -> Operation:
    """An operation that adds a token and records an event."""

    def operation(tx: ITransaction) -> str:
        tx.run(ADD, name=name)
        record(tx, EventType.DEVICE_CHANGED, name)
        return name

    return operation


def giving_up(tx: ITransaction) -> None:
    """An operation that writes, records an event, and then fails."""
    adding("half")(tx)
    raise UnknownDevice(READER)


def run(connection: SqliteConnection, *operations: Operation) -> list[PendingTransaction]:
    """Run operations in one transaction."""
    group = [PendingTransaction(operation) for operation in operations]
    connection.run(group)
    return group


def outcomes(group: list[PendingTransaction]) -> list[object]:
    """What each operation returned, or the type of its error."""
    return [work.outcome.type if isinstance(work.outcome, Failure) else work.outcome for work in group]


def tokens(connection: SqliteConnection) -> list[str]:
    """The names of the stored tokens."""
    return [row["name"] for row in connection.connection.execute("SELECT name FROM token ORDER BY name")]


def event_devices(group: list[PendingTransaction]) -> list[str | None]:
    """The devices of the events of a group."""
    return [event.device for work in group for event in work.events]


def test_many_operations_share_one_commit(connection: SqliteConnection) -> None:
    """However many operations run together, there is one commit."""
    statements: list[str] = []
    connection.connection.set_trace_callback(statements.append)
    group = run(connection, *(adding(name) for name in "abcde"))
    assert outcomes(group) == list("abcde")
    assert [statements.count(word) for word in ("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")] == [1, 1, 0]


def test_an_operation_that_fails_is_undone_alone(connection: SqliteConnection) -> None:
    """Those before and after it are kept, with their events; nothing is left of the one that failed."""
    group = run(connection, adding("a"), giving_up, adding("b"))
    assert outcomes(group) == ["a", UnknownDevice, "b"]
    assert tokens(connection) == ["a", "b"]
    assert event_devices(group) == ["a", "b"]
    assert [row["device"] for row in connection.connection.execute("SELECT device FROM event")] == ["a", "b"]


def test_a_refused_statement_undoes_only_its_operation(connection: SqliteConnection) -> None:
    """The error says what was tried, and the others succeed."""
    group = run(connection, adding("a"), adding("a"), adding("b"))
    assert outcomes(group) == ["a", Unavailable, "b"]
    assert "Unable to add a token: UNIQUE" in group[1].outcome.getErrorMessage()
    assert (tokens(connection), event_devices(group)) == (["a", "b"], ["a", "b"])


def test_a_bug_undoes_only_its_operation(connection: SqliteConnection) -> None:
    """An unexpected error in one operation does not affect the others."""
    group = run(connection, adding("a"), lambda tx: 1 / 0, adding("b"))
    assert outcomes(group) == ["a", ZeroDivisionError, "b"]
    assert tokens(connection) == ["a", "b"]


def test_a_commit_that_fails_fails_all_of_its_group(connection: SqliteConnection) -> None:
    """Nothing is stored, each operation fails, and there are no events."""
    group = run(connection, adding("a"), giving_up, lambda tx: tx.run(PROMISE), adding("b"))
    assert outcomes(group) == [Unavailable] * 4
    assert "Unable to commit: FOREIGN KEY" in group[0].outcome.getErrorMessage()
    assert (tokens(connection), event_devices(group)) == ([], [])


def test_after_a_commit_that_failed_the_next_works(connection: SqliteConnection) -> None:
    """Nothing of the failed transaction is left."""
    run(connection, adding("a"), lambda tx: tx.run(PROMISE))
    assert not connection.connection.in_transaction
    assert outcomes(run(connection, adding("a"))) == ["a"]
    assert tokens(connection) == ["a"]


def test_a_rollback_by_the_database_fails_the_whole_group(connection: SqliteConnection) -> None:
    """If SQLite rolls the transaction back, as on a full disk, operations that had run already fail, too."""
    group = run(connection, adding("a"), adding("b"), lambda tx: tx.run(ADD_OR_END_ALL, name="a"), adding("c"))
    assert outcomes(group) == [Unavailable] * 4
    assert (tokens(connection), event_devices(group)) == ([], [])
    assert outcomes(run(connection, adding("d"))) == ["d"]


def test_an_operation_sees_the_changes_of_those_before_it(connection: SqliteConnection) -> None:
    """Operations of one group run in order, as if each had been committed."""
    count = Statement("count tokens", "SELECT COUNT(*) AS n FROM token")
    group = run(connection, adding("a"), giving_up, lambda tx: tx.rows(count)[0]["n"])
    assert outcomes(group)[2] == 1


def test_a_closed_connection_fails(connection: SqliteConnection) -> None:
    """Operations on a closed connection fail."""
    connection.close()
    group = run(connection, adding("a"))
    assert outcomes(group) == [Unavailable]
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        tokens(connection)
