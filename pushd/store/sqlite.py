"""
SQLite: WAL, ``synchronous=FULL``, one connection that writes and one that reads.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure
from zope.interface import implementer

from pushd.model.errors import StoreRefused, Unavailable
from pushd.model.events import Event, EventType
from pushd.model.moments import Now
from pushd.store import lists
from pushd.store.interface import Flaw, IStore, Known
from pushd.store.lanes import InlineLane, Lane, ThreadLane, Work
from pushd.store.transaction import ITransaction, Row, Statement, compact
from pushd.store.verbs import Verbs

T = TypeVar("T")

MEMORY = ":memory:"
BUSY_SECONDS = 5.0
"""How long to wait for a lock of another program, a backup tool say, before giving up."""

_PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA temp_store = MEMORY",  # else a process that is killed may leave SQLite's temporary files behind
    "PRAGMA foreign_keys = ON",
    "PRAGMA journal_size_limit = 67108864",
)


_LAST_EVENT = "SELECT seq FROM sqlite_sequence WHERE name = 'event'"
_RECORD = (
    "INSERT INTO event (seq, type, at, device, command, data) VALUES (:seq, :type, :at, :device, :command, :data)"
)


@define(eq=False)
class SqliteFeed:
    """
    The events of one group, which are written together: nobody but us writes, so their numbers are known before.
    """

    connection: sqlite3.Connection
    _unwritten: list[dict[str, Any]] = field(factory=list, init=False)
    _next: int | None = field(default=None, init=False)

    def add(self, **entry: Any) -> int:
        """
        Add an entry; its number.
        """
        if self._next is None:
            row = self.connection.execute(_LAST_EVENT).fetchone()
            self._next = 1 if row is None else row["seq"] + 1
        seq, self._next = self._next, self._next + 1
        self._unwritten.append({"seq": seq, **entry})
        return seq

    def take_back(self, count: int) -> None:
        """
        Take back the last entries, of a verb that failed.
        """
        if count:
            del self._unwritten[-count:]
            self._next = (self._next or 0) - count

    def write(self) -> None:
        """
        Write what was added.
        """
        if self._unwritten:
            unwritten, self._unwritten = self._unwritten, []
            self.connection.executemany(_RECORD, unwritten)


@define(eq=False)
class SqliteTransaction:
    """
    See :class:`pushd.store.transaction.ITransaction`.
    """

    connection: sqlite3.Connection
    feed: SqliteFeed
    events: list[Event] = field(factory=list)

    def rows(self, statement: Statement, **values: Any) -> Sequence[Row]:
        """
        See :meth:`ITransaction.rows`.
        """
        try:
            return self.connection.execute(statement.sql, values).fetchall()
        except sqlite3.Error as error:
            raise _told(statement.description, error) from error

    def run(self, statement: Statement, **values: Any) -> int:
        """
        See :meth:`ITransaction.run`.
        """
        try:
            return self.connection.execute(statement.sql, values).rowcount
        except sqlite3.Error as error:
            raise _told(statement.description, error) from error

    def record(
        self, at: int, kind: EventType, device: str | None, command: str | None, data: Mapping[str, Any]
    ) -> None:
        """
        See :meth:`ITransaction.record`.
        """
        text = compact(data) if data else "{}"
        try:
            seq = self.feed.add(type=kind, at=at, device=device, command=command, data=text)
        except sqlite3.Error as error:
            raise _told("write an event", error) from error
        self.events.append(Event(seq=seq, type=kind, at=at, device=device, command=command, data=data))

    def flush(self) -> None:
        """
        See :meth:`ITransaction.flush`.
        """
        try:
            self.feed.write()
        except sqlite3.Error as error:
            raise _told("write events", error) from error


def _told(description: str, error: sqlite3.Error) -> Unavailable:
    """
    An error of the database with what was to be done.
    """
    return Unavailable(f"Unable to {description}: {error}")


@define(eq=False)
class SqliteConnection:
    """
    See :class:`pushd.store.lanes.IConnection`.
    """

    connection: sqlite3.Connection
    begin: str = "BEGIN IMMEDIATE"

    def run(self, group: Sequence[Work]) -> None:
        """
        See :meth:`IConnection.run`.
        """
        try:
            if not self._run_all(group, self._try_one):
                self.connection.execute("ROLLBACK")
                self._run_all(group, self._run_one)
            self.connection.execute("COMMIT")
        except Exception as error:  # whatever it is, the lane must go on
            self._give_up(group, error)

    def close(self) -> None:
        """
        See :meth:`IConnection.close`.
        """
        self.connection.close()

    def _run_all(self, group: Sequence[Work], run: Callable[[Work, SqliteTransaction], bool]) -> bool:
        """
        Run each verb, and write their events; False as soon as one must not be run like this.
        """
        self.connection.execute(self.begin)
        feed = SqliteFeed(self.connection)
        for work in group:
            tx = SqliteTransaction(self.connection, feed)
            if not run(work, tx):
                return False
            work.events = tx.events
        feed.write()
        return True

    def _try_one(self, work: Work, tx: SqliteTransaction) -> bool:
        """
        Run a verb without a savepoint, which would cost two statements; False if it failed and left something behind.

        Most of those that fail have only read, to refuse what was asked for.
        """
        changes = self.connection.total_changes
        try:
            work.outcome = work.verb(tx)
        except Exception:
            self._check_alive()
            if self.connection.total_changes != changes:
                return False
            self._fail(work, tx)
        return True

    def _run_one(self, work: Work, tx: SqliteTransaction) -> bool:
        """
        Run a verb so that its failure takes nothing else down.
        """
        self.connection.execute("SAVEPOINT verb")
        try:
            work.outcome = work.verb(tx)
        except Exception:
            self._check_alive()
            self._fail(work, tx)
            self.connection.execute("ROLLBACK TO verb")
        self.connection.execute("RELEASE verb")
        return True

    def _check_alive(self) -> None:
        """
        Raise what is being handled if the database itself has given up the whole, on a full disk say.
        """
        if not self.connection.in_transaction:
            raise

    @staticmethod
    def _fail(work: Work, tx: SqliteTransaction) -> None:
        work.outcome = Failure()
        tx.feed.take_back(len(tx.events))
        tx.events = []

    def _give_up(self, group: Sequence[Work], error: Exception) -> None:
        """
        Nothing of the group is durable: say so to each of them.
        """
        with suppress(sqlite3.Error):  # of a connection that was closed, or lost its disk
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        for work in group:
            work.events = ()
            work.outcome = Failure(Unavailable(f"Unable to commit: {error}"))


def connect(path: str) -> sqlite3.Connection:
    """
    Open a database, or make it.

    :raises StoreRefused: if it is not a database, or cannot be written.
    """
    try:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except sqlite3.Error as error:
        raise StoreRefused(f"{path} cannot be opened: {error}.") from error
    return connection


@implementer(IStore)
@define(eq=False)
class SqliteStore(Verbs):
    """
    See :class:`pushd.store.interface.IStore`; ``path`` is a file, or :data:`MEMORY`.

    With a ``reactor``, one thread writes and one reads; without, all happens at once on the calling thread.
    """

    path: str
    reactor: IReactorFromThreads | None = None

    def open(self, now: Now) -> Known:
        """
        See :meth:`IStore.open`.
        """
        if Path(self.path).is_file() and not os.access(self.path, os.W_OK):
            # SQLite would leave files beside it that may not be written either, not even when this one may be again
            raise StoreRefused(f"{self.path} cannot be opened: it may not be written.")
        writer = connect(self.path)
        with _refusing(writer, self.path):
            migrate(writer, self.path)
            writer.execute("PRAGMA journal_mode = WAL")  # stays with the file: not before we know that it is ours
            known = at_once(SqliteConnection(writer), partial(lists.known, now=now))
        self._writer = self._lane(SqliteConnection(writer), "store-writer")
        self._reader = self._writer if self.path == MEMORY else self._lane(reading(self.path), "store-reader")
        return known

    def close(self) -> Deferred[None]:
        """
        See :meth:`IStore.close`.
        """
        closed = self._writer.close()
        if self._reader is not self._writer:
            closed.addCallback(lambda _: self._reader.close())
        return closed

    def _lane(self, connection: SqliteConnection, name: str) -> Lane:
        if self.reactor is None:
            return InlineLane(connection, self._deliver)
        lane = ThreadLane(connection, self._deliver, self.reactor, name)
        lane.start()
        return lane


@contextmanager
def _refusing(connection: sqlite3.Connection, path: str) -> Iterator[None]:
    """
    Close a database that turns out not to be ours, or cannot be worked with.
    """
    try:
        yield
    except (StoreRefused, Unavailable, sqlite3.Error) as error:
        connection.close()
        if isinstance(error, StoreRefused):
            raise
        raise StoreRefused(f"{path} cannot be opened: {error}.") from error


def at_once(connection: SqliteConnection, verb: Callable[[ITransaction], T]) -> T:
    """
    Run one verb where no lane is open.
    """
    work = Work(verb)
    connection.run([work])
    if isinstance(work.outcome, Failure):
        work.outcome.raiseException()
    outcome: T = work.outcome
    return outcome


def reading(path: str) -> SqliteConnection:
    """
    A connection that cannot write.

    :raises StoreRefused: see :func:`connect`.
    """
    connection = connect(path)
    connection.execute("PRAGMA query_only = ON")
    return SqliteConnection(connection, "BEGIN")


def integrity(connection: SqliteConnection) -> list[Flaw]:
    """
    What SQLite itself finds wrong with a file.
    """
    try:
        found = [row[0] for row in connection.connection.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        found = [str(error)]  # too much so even to be looked at as a whole
    return [Flaw(what="the file is damaged", detail=line) for line in found if line != "ok"]


def _schemas() -> dict[int, str]:
    folder = files("pushd.store").joinpath("schema", "sqlite")
    return {int(file.name[:4]): file.read_text() for file in folder.iterdir() if file.name.endswith(".sql")}


def migrate(connection: sqlite3.Connection, path: str, schemas: dict[int, str] | None = None) -> None:
    """
    Bring a database to the newest schema, keeping a copy of an older one beside it first.

    :raises StoreRefused: if it is newer than this program, or not ours.
    """
    steps = schemas or _schemas()
    version, newest = _version(connection, path), max(steps)
    if version > newest:
        raise StoreRefused(
            f"{path} was written by a newer pushd (schema {version}, this one knows {newest}); install that version."
        )
    if 0 < version < newest:
        _back_up(connection, f"{path}.backup-v{version}")
    for step in range(version + 1, newest + 1):
        _apply(connection, steps[step])


_OURS = {"schema_version", "device", "command"}
"""Tables by which we know a database, of whatever version, for one of ours."""


def _version(connection: sqlite3.Connection, path: str) -> int:
    tables = {row["name"] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return 0
    if not tables >= _OURS:
        raise StoreRefused(f"{path} is a database, but not one of pushd.")
    return int(connection.execute("SELECT version FROM schema_version").fetchone()["version"])


def _apply(connection: sqlite3.Connection, script: str) -> None:
    """
    Run one step as a whole or not at all.
    """
    try:
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\n;COMMIT;")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _back_up(connection: sqlite3.Connection, path: str) -> None:
    Path(path).unlink(missing_ok=True)
    copy = sqlite3.connect(path)
    try:
        connection.backup(copy)
    finally:
        copy.close()
