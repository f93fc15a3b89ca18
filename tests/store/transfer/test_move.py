"""Tests of moves: what a database has, the other one has afterwards."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from pushd.migrate import Place
from pushd.model.errors import StoreRefused
from pushd.store.postgres.inspection import find_violations
from pushd.store.transfer.ends import IEnd
from pushd.store.transfer.move import EndsDiffer, Progress, matched, move
from pushd.store.transfer.tables import RENUMBERED, STEADY, TABLES, UNMOVED_COLUMNS, UNMOVED_TABLES, Row, Table
from tests.postgres import PostgresServer
from tests.store.transfer.fleet import LAST_EVENT, NOW, fill, many_events

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a fleet that has a value in each column."""
    return fill(tmp_path / "pushd.sqlite")


@contextmanager
def opened(source: str, target: str) -> Iterator[tuple[IEnd, IEnd]]:
    """Both ends of a move."""
    with ExitStack() as stack:
        yield Place.of(source).open(stack, is_target=False), Place.of(target).open(stack, is_target=True)


def moved(source: str, target: str, *, force: bool = False) -> list[Progress]:
    """Move a fleet; the progress that was reported."""
    reported: list[Progress] = []
    with opened(source, target) as ends:
        move(*ends, reported.append, force=force)
    return reported


def sqlite_rows(path: Path) -> Rows:
    """What each table of a file has, by its columns."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return {name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")] for name in TABLES}


def postgres_rows(url: str) -> Rows:
    """The same of a database on PostgreSQL."""
    with closing(psycopg.connect(url, row_factory=dict_row)) as connection:
        return {name: connection.execute(f"SELECT * FROM {name}".encode()).fetchall() for name in TABLES}


def lasting(rows: Rows) -> Rows:
    """What is the same in both databases."""
    left_out = {name: {*STEADY.get(name, ()), *UNMOVED_COLUMNS.get(name, ())} for name in TABLES}
    return {
        name: sorted(({key: row[key] for key in row if key not in left_out[name]} for row in rows[name]), key=repr)
        for name in TABLES
    }


def in_order(rows: Rows) -> Rows:
    """Rows with their columns in alphabetical order."""
    return {name: sorted(({key: row[key] for key in sorted(row)} for row in rows[name]), key=repr) for name in TABLES}


def test_the_sample_has_a_value_in_each_column(path: Path) -> None:
    """No table and no column of the schema is left out of these tests."""
    rows = sqlite_rows(path)
    with closing(sqlite3.connect(path)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert {name for name in names if not name.startswith("sqlite_")} - UNMOVED_TABLES == {*TABLES}
    empty = {
        f"{name}.{column}"
        for name in TABLES
        for column in rows[name][0].keys() - UNMOVED_COLUMNS.get(name, frozenset())
        if all(row[column] is None for row in rows[name])
    }
    assert empty == set()


def test_all_rows_are_there(path: Path, url: str) -> None:
    """Each column of each row has on PostgreSQL the value that it had on SQLite, but for the clocks of processes."""
    before = sqlite_rows(path)
    moved(f"sqlite:{path}", url)
    assert in_order(lasting(postgres_rows(url))) == in_order(lasting(before))


def test_there_and_back_again(path: Path, url: str, tmp_path: Path) -> None:
    """What was moved to PostgreSQL and back is what it was, and so are the last numbers that were given."""
    back = tmp_path / "back" / "pushd.sqlite"
    before, numbers = sqlite_rows(path), sequences(path)
    moved(f"sqlite:{path}", url)
    moved(url, f"sqlite:{back}")
    assert in_order(lasting(sqlite_rows(back))) == in_order(lasting(before))
    assert {name: number for name, number in sequences(back).items() if number} == numbers
    assert (back.parent / "history").read_bytes() == b"ba9876543210 %019d\n" % LAST_EVENT
    with closing(sqlite3.connect(back)) as connection:
        [(behind, retention_from)] = connection.execute("SELECT wall - elapsed, retention_from FROM clock")
    assert (behind, retention_from) == (1000, 17)


def sequences(path: Path) -> Mapping[str, int]:
    """The last number of each table that never gives a number twice."""
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT name, seq FROM sqlite_sequence"))


def test_numbers_go_on(path: Path, url: str) -> None:
    """No number is given again, not even that of an event which was purged."""
    moved(f"sqlite:{path}", url)
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        assert connection.execute("SELECT last, last_audit, history FROM feed").fetchall() == [
            (LAST_EVENT, 4, "ba9876543210")
        ]
        sequence = "SELECT nextval(pg_get_serial_sequence(%s, %s))"
        for table, column, following in (
            ("attempt", "serial", 10),
            ("orphan", "id", 4),
            ("epoch", "number", 9),
            ("alert", "id", 9),
            ("webhook_secret", "id", 3),
            ("delivery", "id", 10),
            *((table, column, 3) for table, column in RENUMBERED.items()),
        ):
            assert connection.execute(sequence, (table, column)).fetchone() == (following,), table


def test_leases_have_their_whole_time(path: Path, url: str) -> None:
    """Steady time differs between databases: leases and grace periods begin anew, and not before a server starts."""
    moved(f"sqlite:{path}", url)
    with closing(psycopg.connect(url)) as connection:
        leases = connection.execute(
            "SELECT lease_until - (beat - lost_ms), deadline_until - lease_until > 0 FROM command, service"
            " WHERE lease_until IS NOT NULL"
        ).fetchall()
        assert leases == [(30_250, True)] * 2
        assert connection.execute(
            "SELECT grace_until - (beat - lost_ms), stepped_ms FROM pending_outage, service"
        ).fetchone() == (12_500, 1000)


def test_the_old_database_is_refused_to_be_moved_again(path: Path, url: str, postgres_server: PostgresServer) -> None:
    """Unless that is forced: its fleet is somewhere else now."""
    moved(f"sqlite:{path}", url)
    with postgres_server.database() as other:
        with pytest.raises(StoreRefused, match=r"was moved to .* before; --force"):
            moved(f"sqlite:{path}", other)
        moved(f"sqlite:{path}", other, force=True)
        assert len(postgres_rows(other)["command"]) == 4


def test_a_database_in_use_is_no_target(path: Path, url: str, tmp_path: Path) -> None:
    """It must be empty; nothing of it is changed."""
    moved(f"sqlite:{path}", url)
    (tmp_path / "other").mkdir()
    other = fill(tmp_path / "other" / "pushd.sqlite")
    with pytest.raises(StoreRefused, match="is in use: its table device has rows"):
        moved(url, f"sqlite:{other}")
    assert len(sqlite_rows(other)["event"]) == 3


def test_a_move_goes_on_where_it_was(tmp_path: Path, url: str) -> None:
    """A move that has ended after any batch is begun again; what was there is not moved once more."""
    path = many_events(tmp_path / "pushd.sqlite", 3500)
    before, copied = lasting(sqlite_rows(path)), []

    def stop(progress: Progress) -> None:
        copied.append(progress)
        if not progress.is_check and len(copied) % 3 == 0:
            raise KeyboardInterrupt

    for _ in range(20):
        try:
            with opened(f"sqlite:{path}", url) as ends:
                move(*ends, stop)
            break
        except KeyboardInterrupt:
            with pytest.raises(StoreRefused, match=r"has not all of .* yet"):
                moved(url, f"sqlite:{tmp_path / 'x' / 'y.sqlite'}")
    rows = [progress.rows for progress in copied if not progress.is_check]
    assert rows == sorted({*rows}), "no batch was moved twice"
    assert in_order(lasting(postgres_rows(url))) == in_order(before)


def test_what_was_inconsistent_stays_so(path: Path, url: str) -> None:
    """A fleet is moved with its inconsistencies, which both checks describe in the same words."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE command SET expires_at = created_at - 100000, expires_elapsed = 0")
        connection.commit()
    with opened(f"sqlite:{path}", url) as ends:
        assert move(*ends, lambda _: None).violations > 1
    details = {violation.detail for violation in find_violations(url)}
    assert {"100000 ms ago", "100001 ms"} <= details


class _Losing:
    """An end that loses a row."""

    def __init__(self, end: IEnd) -> None:
        self.end = end

    def __getattr__(self, name: str) -> Any:
        return getattr(self.end, name)

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        self.end.insert(table, rows[1:] if table.name == "event" else rows)


def test_what_arrives_is_compared(path: Path, url: str) -> None:
    """If a row is missing, the target stays refused, and the source is not given up."""
    with opened(f"sqlite:{path}", url) as (source, target):
        with pytest.raises(EndsDiffer, match="table event of"):
            move(source, _Losing(target), lambda _: None)
        marks = [end.transfer() for end in (source, target)]
    assert [mark and mark.state.value for mark in marks] == ["leaving", "arriving"]


def test_a_column_that_only_one_has_is_noticed(path: Path, url: str) -> None:
    """A schema that was changed on one side only moves nothing."""
    with opened(f"sqlite:{path}", url) as (source, target):
        assert len(matched(source, target)) == len(TABLES)
        with closing(psycopg.connect(url, autocommit=True)) as connection:
            connection.execute("ALTER TABLE command ADD COLUMN colour text")
            connection.execute("CREATE TABLE extra (id bigint PRIMARY KEY)")
        with pytest.raises(StoreRefused, match=r"Not both databases have: command\.colour, extra\."):
            matched(source, target)


def test_keys_are_the_same(path: Path, url: str) -> None:
    """Rows are moved in the order of their keys, so both databases must have the same."""
    with opened(f"sqlite:{path}", url) as (source, target):
        assert {name: [*source.keys()[name]] for name in TABLES} == {name: target.keys()[name] for name in TABLES}
        assert [name for name in TABLES if not source.keys()[name]] == ["clock_set_back"]


def test_text_that_postgresql_has_not(path: Path, url: str) -> None:
    """A NUL, which only SQLite can store, ends the move; the source stays what it is."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE device SET name = 'a' || char(0)")
        connection.commit()
    with pytest.raises((psycopg.DataError, ValueError)):
        moved(f"sqlite:{path}", url)
    assert sqlite_rows(path)["device"][0]["created_at"] == NOW
