"""A database on PostgreSQL as an end of a move."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from attrs import define, field
from psycopg import errors
from psycopg.rows import scalar_row, tuple_row

from pushd.model.errors import StoreRefused, Unavailable
from pushd.model.timestamps import Now
from pushd.store.filters import Violation
from pushd.store.postgres.inspection import find_violations
from pushd.store.postgres.migrations import check_version, migrate, newest_version
from pushd.store.postgres.node import DEAD
from pushd.store.postgres.session import Connection, Session, SessionOptions, reason
from pushd.store.postgres.startup import TRANSFER_LOCK
from pushd.store.postgres.transaction import run_once
from pushd.store.transactions import transfer as marks
from pushd.store.transactions.transfer import Transfer
from pushd.store.transfer.ends import Counters
from pushd.store.transfer.tables import NUMBERED, RENUMBERED, TABLES, Row, Table

NODE = "migrate"
"""The name of the session."""

_FIRST_WITH_NODES = 2
"""The first version of the schema in which servers say that they use the database."""

_COLUMNS = (
    "SELECT relname AS table, attname AS column, format_type(atttypid, atttypmod) AS type"
    " FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid"
    " WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped"
    " ORDER BY relname, attnum"
)
_KEYS = (
    "SELECT relname AS table, attname AS column FROM pg_index JOIN pg_class ON pg_class.oid = indrelid"
    " JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)"
    " WHERE indisprimary AND relnamespace = current_schema()::regnamespace"
    " ORDER BY relname, array_position(indkey::smallint[], attnum)"
)
_SERVING = (
    "SELECT string_agg(name, ', ' ORDER BY name) FROM node WHERE beat > (SELECT wall_ms() - lost_ms FROM service) - %s"
)
_FENCE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    " AND usename = current_user AND application_name IN (SELECT 'pushd/' || name FROM node)"
)
_FEED = {"event": "last", "audit": "last_audit"}
"""The columns of ``feed`` with the last numbers of tables that have no sequence."""


@define(eq=False)
class PostgresEnd:
    """An :class:`pushd.store.transfer.ends.IEnd`; its session holds the lock of moves."""

    name: str
    url: str
    session: Session
    _flags: dict[str, frozenset[str]] = field(factory=dict, init=False)
    """The columns of each table that are booleans."""

    @property
    def connection(self) -> Connection:
        """The session; if it is lost, so is the lock, and the move ends."""
        assert self.session.connection is not None, "the end is open"
        return self.session.connection

    def transfer(self) -> Transfer | None:
        return run_once(self.session, _no_time, marks.read)

    def mark(self, transfer: Transfer | None) -> None:
        run_once(self.session, _no_time, marks.write, transfer)
        if transfer is not None:
            self.connection.execute(_FENCE)  # a node that stood still goes on with a beat, which finds the mark

    def columns(self) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = {}
        flags: dict[str, list[str]] = {}
        for row in self.connection.execute(_COLUMNS):
            found.setdefault(row["table"], []).append(row["column"])
            if row["type"] == "boolean":
                flags.setdefault(row["table"], []).append(row["column"])
        self._flags = {table: frozenset(columns) for table, columns in flags.items()}
        return found

    def keys(self) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = {table: [] for table in TABLES}
        for row in self.connection.execute(_KEYS):
            found.setdefault(row["table"], []).append(row["column"])
        return found

    def count(self, table: str) -> int:
        return int(self._value(f"SELECT COUNT(*) FROM {table}"))

    def rows(self, table: Table, after: Row | None = None) -> Iterator[Row]:
        where = f"WHERE {_tuple(table.key)} > {_tuple('%s' for _ in table.key)}" if after is not None else ""
        order = ", ".join(table.key or table.columns)
        sql = f"SELECT {', '.join(table.columns)} FROM {table.name} {where} ORDER BY {order}"
        with self.connection.cursor(row_factory=tuple_row) as cursor:
            rows = cursor.stream(sql.encode(), after or ())
            yield from self._converted(table, rows, int)

    def last_key(self, table: Table) -> Row | None:
        order = ", ".join(f"{column} DESC" for column in table.key)
        sql = f"SELECT {', '.join(table.key)} FROM {table.name} ORDER BY {order} LIMIT 1"
        with self.connection.cursor(row_factory=tuple_row) as cursor:
            return cursor.execute(sql.encode()).fetchone()

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        sql = f"COPY {table.name} ({', '.join(table.columns)}) FROM STDIN"
        with self.connection.transaction(), self.connection.cursor().copy(sql.encode()) as copy:
            for row in self._converted(table, rows, bool):
                copy.write_row(row)

    def clear(self) -> None:
        with self.connection.transaction():
            self.connection.execute(f"TRUNCATE {', '.join(TABLES)}, node, sighting, rejection".encode())
            # steady time goes on with the first beat of a server
            self.connection.execute("UPDATE service SET beat = wall_ms(), lost_ms = 0")

    def steady(self) -> int:
        return int(self._value("SELECT COALESCE(beat, wall_ms()) - lost_ms FROM service"))

    def counters(self) -> Counters:
        row = self.connection.execute(
            "SELECT last, last_audit, history, stepped_ms, (SELECT retention_from FROM clock) AS retention_from"
            " FROM feed, service"
        ).fetchone()
        assert row is not None, "each of these tables has one row"
        last = {table: row[_FEED[table]] if table in _FEED else self._last(table) for table in NUMBERED}
        return Counters(
            last=last,
            elapsed_behind=row["stepped_ms"],
            retention_from=row["retention_from"] or 0,
            history=row["history"],
        )

    def set_counters(self, counters: Counters) -> None:
        last, behind = counters.last, counters.elapsed_behind
        with self.connection.transaction():
            self.connection.execute(
                "UPDATE feed SET last = %s, last_audit = %s, history = %s",
                (last["event"], last["audit"], counters.history),
            )
            self.connection.execute("UPDATE service SET stepped_ms = %s", (behind,))
            self.connection.execute("DELETE FROM clock")
            self.connection.execute(
                "INSERT INTO clock (id, wall, elapsed, retention_from) SELECT 1, wall_ms(), wall_ms() - %s, %s",
                (behind, counters.retention_from),
            )
            for table, column in {**NUMBERED, **RENUMBERED}.items():
                if table not in _FEED:
                    greatest = f"(SELECT COALESCE(MAX({column}), 0) FROM {table})"
                    self.connection.execute(
                        f"SELECT setval(pg_get_serial_sequence(%s, %s), GREATEST(%s, {greatest}, 1),"
                        f" GREATEST(%s, {greatest}) > 0)".encode(),
                        (table, column, last.get(table, 0), last.get(table, 0)),
                    )
        self.connection.execute("ANALYZE")

    def find_violations(self) -> Sequence[Violation]:
        return find_violations(self.url)

    def lock(self) -> None:
        """Let no server begin to use the database. A session that has just ended may hold the lock a moment longer.

        :raises StoreRefused: if one is about to.
        """
        self.connection.execute("SET lock_timeout = '5s'")
        try:
            self.connection.execute(f"SELECT pg_advisory_lock({TRANSFER_LOCK})")
        except errors.LockNotAvailable as error:
            raise StoreRefused(
                f"{self.name} is in use: another move or the start of a server is under way."
            ) from error
        finally:
            self.connection.execute("RESET lock_timeout")

    def check_unused(self) -> None:
        """Check that no server uses the database.

        :raises StoreRefused: if one does.
        """
        names = self._value(_SERVING, DEAD)
        if names:
            raise StoreRefused(
                f"{self.name} is in use by {names}: stop all servers. One that was killed is gone after ten seconds."
            )

    def _last(self, table: str) -> int:
        """The last number of a sequence."""
        sequence = self._value("SELECT pg_get_serial_sequence(%s, %s)", table, NUMBERED[table])
        return int(self._value(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}"))

    def _value(self, sql: str, *values: Any) -> Any:
        with self.connection.cursor(row_factory=scalar_row) as cursor:
            return cursor.execute(sql.encode(), values).fetchone()

    def _converted(self, table: Table, rows: Iterable[Row], to: type) -> Iterator[Row]:
        """Rows with their booleans as another type."""
        flags = [column in self._flags.get(table.name, ()) for column in table.columns]
        if not any(flags):
            yield from rows
            return
        for row in rows:
            yield [to(value) if is_flag else value for value, is_flag in zip(row, flags, strict=True)]


def _tuple(names: Iterable[str]) -> str:
    return f"({', '.join(names)})"


def _no_time() -> Now:
    return Now(0, 0)


@contextmanager
def opened_postgres(url: str, name: str) -> Iterator[PostgresEnd]:
    """A database as an end; its schema is made if it is empty, and an older one is brought up to date.

    :raises StoreRefused: if it cannot be used, or servers use it.
    """
    with closing(Session(SessionOptions(url=url, node=NODE))) as session:
        end = PostgresEnd(name, url, session)
        try:
            connection = session.get()
            end.lock()
            if check_version(connection, newest_version()) >= _FIRST_WITH_NODES:
                end.check_unused()
            migrate(connection)  # not before: a node of an earlier version would end
            connection.execute("SET statement_timeout = 0")
        except (Unavailable, psycopg.Error) as error:
            raise StoreRefused(f"{name} cannot be used: {reason(error)}") from error
        yield end
