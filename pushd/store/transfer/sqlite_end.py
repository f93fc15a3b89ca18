"""A file of SQLite as an end of a move."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

from attrs import define

from pushd.model.errors import StoreRefused
from pushd.model.timestamps import Now, milliseconds
from pushd.store.filters import History, Violation
from pushd.store.sqlite.connection import SqliteConnection, connect, make_private, run_once
from pushd.store.sqlite.migrations import migrate
from pushd.store.transactions import transfer as marks
from pushd.store.transactions.transfer import Transfer
from pushd.store.transfer.ends import Counters
from pushd.store.transfer.tables import NUMBERED, TABLES, Row, Table

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"


@define(eq=False)
class SqliteEnd:
    """An :class:`pushd.store.transfer.ends.IEnd`; ``check`` finds the inconsistencies of a file."""

    path: str
    connection: sqlite3.Connection
    wall: Callable[[], float]
    """Seconds since the epoch."""
    check: Callable[[str], Sequence[Violation]]
    remember: Callable[[History], None]
    """Writes to the data directory what the database has: the start of a server takes one without it for a copy."""

    @property
    def name(self) -> str:
        return self.path

    def transfer(self) -> Transfer | None:
        return run_once(self._operations(), marks.read)

    def mark(self, transfer: Transfer | None) -> None:
        run_once(self._operations(), lambda tx: marks.write(tx, transfer))

    def columns(self) -> Mapping[str, Sequence[str]]:
        return {name: [row["name"] for row in self._info(name)] for name in self._tables()}

    def keys(self) -> Mapping[str, Sequence[str]]:
        return {
            name: [row["name"] for row in sorted(self._info(name), key=lambda row: int(row["pk"])) if row["pk"]]
            for name in self._tables()
        }

    def count(self, table: str) -> int:
        return self._number(f"SELECT COUNT(*) FROM {table}")

    def rows(self, table: Table, after: Row | None = None) -> Iterator[Row]:
        where = f"WHERE {_tuple(table.key)} > {_tuple('?' for _ in table.key)}" if after is not None else ""
        order = ", ".join(table.key or table.columns)
        sql = f"SELECT {', '.join(table.columns)} FROM {table.name} {where} ORDER BY {order}"
        return map(tuple, self.connection.execute(sql, after or ()))

    def last_key(self, table: Table) -> Row | None:
        order = ", ".join(f"{column} DESC" for column in table.key)
        sql = f"SELECT {', '.join(table.key)} FROM {table.name} ORDER BY {order} LIMIT 1"
        row = self.connection.execute(sql).fetchone()
        return None if row is None else tuple(row)

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        values = ", ".join("?" for _ in table.columns)
        with self._committed():
            self.connection.executemany(
                f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({values})", rows
            )

    def clear(self) -> None:
        with self._committed():
            for name in TABLES:
                self.connection.execute(f"DELETE FROM {name}")

    def steady(self) -> int:
        return 0  # each process begins its own

    def counters(self) -> Counters:
        clock = self.connection.execute("SELECT wall, elapsed, retention_from FROM clock").fetchone()
        given = dict(self.connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
        newest = self.connection.execute("SELECT name FROM epoch ORDER BY number DESC LIMIT 1").fetchone()
        return Counters(
            last={table: given.get(table) or 0 for table in NUMBERED},
            elapsed_behind=0 if clock is None else clock["wall"] - clock["elapsed"],
            retention_from=0 if clock is None else clock["retention_from"],
            history="" if newest is None else newest["name"],
        )

    def set_counters(self, counters: Counters) -> None:
        wall = milliseconds(self.wall())
        with self._committed():
            self.connection.execute("DELETE FROM sqlite_sequence")
            self.connection.executemany("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", counters.last.items())
            self.connection.execute(
                "INSERT OR REPLACE INTO clock (id, wall, elapsed, retention_from) VALUES (1, ?, ?, ?)",
                (wall, wall - counters.elapsed_behind, counters.retention_from),
            )
        self.remember(counters.newest)

    def find_violations(self) -> Sequence[Violation]:
        return self.check(self.path)

    def _operations(self) -> SqliteConnection:
        return SqliteConnection(self.connection, lambda: Now(milliseconds(self.wall()), 0))

    def _tables(self) -> Sequence[str]:
        return [row["name"] for row in self.connection.execute(_TABLES)]

    def _info(self, table: str) -> Sequence[sqlite3.Row]:
        return self.connection.execute(f"PRAGMA table_info({table})").fetchall()

    def _number(self, sql: str) -> int:
        number: int = self.connection.execute(sql).fetchone()[0]
        return number

    @contextmanager
    def _committed(self) -> Iterator[None]:
        """Commit what is done meanwhile, or nothing of it."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        finally:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")


def _tuple(names: "Sequence[str] | Iterator[str]") -> str:
    return f"({', '.join(names)})"


@contextmanager
def opened_sqlite(
    path: str,
    wall: Callable[[], float],
    check: Callable[[str], Sequence[Violation]],
    remember: Callable[[History], None],
    *,
    is_target: bool,
) -> Iterator[SqliteEnd]:
    """A file as an end; that of a target is made if it is missing, and an older schema is brought up to date.

    :raises StoreRefused: if it cannot be used.
    """
    if is_target:
        make_private(path)
    with closing(connect(path)) as connection:
        try:
            migrate(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.Error as error:
            raise StoreRefused(f"{path} cannot be used: {error}.") from error
        yield SqliteEnd(path, connection, wall, check, remember)
