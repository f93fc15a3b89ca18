"""Tests of one transaction for many operations: what each of them is told, and what is there afterwards."""

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

ADD = Statement("add a token", "INSERT INTO token VALUES (:name, :name, 'viewer', :name, 0)")
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
        yield SqliteConnection(connection)


def adding(name: str) -> Operation:
    """A operation that writes a token and tells of it."""

    def operation(tx: ITransaction) -> str:
        tx.run(ADD, name=name)
        record(tx, at(), EventType.DEVICE_CHANGED, name)
        return name

    return operation


def giving_up(tx: ITransaction) -> None:
    """A operation that writes, tells, and then finds that it must not."""
    adding("half")(tx)
    raise UnknownDevice(READER)


def run(connection: SqliteConnection, *operations: Operation) -> list[PendingTransaction]:
    """Run operations in one transaction."""
    group = [PendingTransaction(operation) for operation in operations]
    connection.run(group)
    return group


def outcomes(group: list[PendingTransaction]) -> list[object]:
    """What each operation gave, or the kind of error that it ended with."""
    return [work.outcome.type if isinstance(work.outcome, Failure) else work.outcome for work in group]


def tokens(connection: SqliteConnection) -> list[str]:
    """The names of the tokens that are there."""
    return [row["name"] for row in connection.connection.execute("SELECT name FROM token ORDER BY name")]


def told(group: list[PendingTransaction]) -> list[str | None]:
    """Of what the group tells."""
    return [event.device for work in group for event in work.events]


def test_many_verbs_share_one_commit(connection: SqliteConnection) -> None:
    """However many operations come together, the disk is waited for once."""
    statements: list[str] = []
    connection.connection.set_trace_callback(statements.append)
    group = run(connection, *(adding(name) for name in "abcde"))
    assert outcomes(group) == list("abcde")
    assert [statements.count(word) for word in ("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")] == [1, 1, 0]


def test_a_verb_that_fails_takes_only_itself_down(connection: SqliteConnection) -> None:
    """Those before and after it are kept, with what they tell; of the one that failed nothing is."""
    group = run(connection, adding("a"), giving_up, adding("b"))
    assert outcomes(group) == ["a", UnknownDevice, "b"]
    assert tokens(connection) == ["a", "b"]
    assert told(group) == ["a", "b"]
    assert [row["device"] for row in connection.connection.execute("SELECT device FROM event")] == ["a", "b"]


def test_a_statement_that_the_database_refuses_takes_only_its_verb_down(connection: SqliteConnection) -> None:
    """The error says what was tried, and the others are none the wiser."""
    group = run(connection, adding("a"), adding("a"), adding("b"))
    assert outcomes(group) == ["a", Unavailable, "b"]
    assert "Unable to add a token: UNIQUE" in group[1].outcome.getErrorMessage()
    assert (tokens(connection), told(group)) == (["a", "b"], ["a", "b"])


def test_a_fault_of_ours_takes_only_its_verb_down(connection: SqliteConnection) -> None:
    """A bug in one operation does not lose the others."""
    group = run(connection, adding("a"), lambda tx: 1 / 0, adding("b"))
    assert outcomes(group) == ["a", ZeroDivisionError, "b"]
    assert tokens(connection) == ["a", "b"]


def test_a_commit_that_fails_fails_all_of_its_group(connection: SqliteConnection) -> None:
    """Where nothing became durable everybody is told so, and nobody hears of changes that are not there."""
    group = run(connection, adding("a"), giving_up, lambda tx: tx.run(PROMISE), adding("b"))
    assert outcomes(group) == [Unavailable] * 4
    assert "Unable to commit: FOREIGN KEY" in group[0].outcome.getErrorMessage()
    assert (tokens(connection), told(group)) == ([], [])


def test_after_a_commit_that_failed_the_next_works(connection: SqliteConnection) -> None:
    """Nothing of the failed transaction is left in the way."""
    run(connection, adding("a"), lambda tx: tx.run(PROMISE))
    assert not connection.connection.in_transaction
    assert outcomes(run(connection, adding("a"))) == ["a"]
    assert tokens(connection) == ["a"]


def test_where_the_database_gives_up_the_whole_nobody_is_told_otherwise(connection: SqliteConnection) -> None:
    """If the database itself ends the transaction, as it may on a full disk, those that had run already fail too."""
    group = run(connection, adding("a"), adding("b"), lambda tx: tx.run(ADD_OR_END_ALL, name="a"), adding("c"))
    assert outcomes(group) == [Unavailable] * 4
    assert (tokens(connection), told(group)) == ([], [])
    assert outcomes(run(connection, adding("d"))) == ["d"]


def test_a_verb_sees_what_those_before_it_did(connection: SqliteConnection) -> None:
    """Verbs of one group run one after the other, as if each had been committed."""
    count = Statement("count tokens", "SELECT COUNT(*) AS n FROM token")
    group = run(connection, adding("a"), giving_up, lambda tx: tx.rows(count)[0]["n"])
    assert outcomes(group)[2] == 1


def test_a_closed_connection_says_so(connection: SqliteConnection) -> None:
    """What comes too late is told that nothing is durable."""
    connection.close()
    group = run(connection, adding("a"))
    assert outcomes(group) == [Unavailable]
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        tokens(connection)
