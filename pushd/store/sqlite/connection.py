"""A connection to SQLite: how it is opened, and how it runs a group of verbs in one transaction."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import chain
from typing import TypeVar

from attrs import define, field
from twisted.python.failure import Failure

from pushd.model.errors import StoreRefused, Unavailable
from pushd.store.filters import Violation
from pushd.store.group_commit import PendingTransaction
from pushd.store.sqlite.transaction import SqliteFeed, SqliteTransaction
from pushd.store.transaction import ITransaction

T = TypeVar("T")

BUSY_SECONDS = 5.0
"""How long to wait for a lock of another program, a backup tool say, before giving up."""

_PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA temp_store = MEMORY",  # else a process that is killed may leave SQLite's temporary files behind
    "PRAGMA foreign_keys = ON",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA cache_size = -16384",  # KiB: the pages that a busy queue goes back to
    "PRAGMA wal_autocheckpoint = 400",  # pages: so few that the commit which copies them is hardly later than others
)


@define(eq=False)
class SqliteConnection:
    """See :class:`pushd.store.group_commit.ISplitConnection`."""

    connection: sqlite3.Connection
    begin: str = "BEGIN IMMEDIATE"
    _group: list[PendingTransaction] = field(factory=list, init=False)
    _error: Exception | None = field(default=None, init=False)
    """Why nothing of the group can be committed."""
    _patient: bool = field(default=True, init=False)

    def run(self, group: Iterable[PendingTransaction]) -> Sequence[PendingTransaction]:
        self.execute(group, patient=True)
        return self.commit()

    def execute(self, group: Iterable[PendingTransaction], patient: bool) -> bool:
        self._group, self._error, coming = [], None, iter(group)
        try:
            if not self._begin(patient):
                return False
            if not self._run_all(coming, self._try_one):
                self.connection.execute("ROLLBACK")
                self.connection.execute(self.begin)
                again, self._group = self._group, []
                self._run_all(chain(again, coming), self._run_one)
        except Exception as error:  # whatever it is, the lane must go on
            self._error = error
            self._group.extend(coming)
        return True

    def commit(self) -> Sequence[PendingTransaction]:
        group, self._group = self._group, []
        try:
            if self._error is not None:
                raise self._error
            self.connection.execute("COMMIT")
        except Exception as error:
            self._give_up(group, error)
        return group

    def close(self) -> None:
        self.connection.close()

    def _begin(self, patient: bool) -> bool:
        """Begin a transaction; False if another program is writing, and we are not to wait for it."""
        if patient != self._patient:
            self.connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000 if patient else 0:.0f}")
            self._patient = patient
        try:
            self.connection.execute(self.begin)
        except sqlite3.OperationalError as error:
            if patient or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return False
        return True

    def _run_all(
        self, group: Iterable[PendingTransaction], run: Callable[[PendingTransaction, SqliteTransaction], bool]
    ) -> bool:
        """Run each verb, and write their events; False as soon as one must not be run like this."""
        feed = SqliteFeed(self.connection)
        for work in group:
            self._group.append(work)
            tx = SqliteTransaction(self.connection, feed)
            if not run(work, tx):
                return False
            work.events = tx.events
        feed.write()
        return True

    def _try_one(self, work: PendingTransaction, tx: SqliteTransaction) -> bool:
        """Run a verb without a savepoint, which would cost two statements; False if it failed and left something
        behind.

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

    def _run_one(self, work: PendingTransaction, tx: SqliteTransaction) -> bool:
        """Run a verb so that its failure takes nothing else down."""
        tx.feed.write()  # of the verbs before, lest this one's failure takes their events back
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
        """Raise what is being handled if the database itself has given up the whole, on a full disk say."""
        if not self.connection.in_transaction:
            raise

    @staticmethod
    def _fail(work: PendingTransaction, tx: SqliteTransaction) -> None:
        work.outcome = Failure()
        tx.feed.take_back(tx.events)
        tx.events = []

    def _give_up(self, group: Sequence[PendingTransaction], error: Exception) -> None:
        """Nothing of the group is durable: say so to each of them."""
        with suppress(sqlite3.Error):  # of a connection that was closed, or lost its disk
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        for work in group:
            work.events = ()
            work.outcome = Failure(Unavailable(f"Unable to commit: {error}"))


def make_private(path: str) -> None:
    """Make an empty file that only its owner may read, unless there is one: secrets of webhooks are kept as they are.

    What SQLite puts beside a database is as private as that is.
    """
    with suppress(OSError):  # whoever opens it next says it better
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))


def connect(path: str) -> sqlite3.Connection:
    """Open a database, or make it.

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


def open_reader(path: str) -> SqliteConnection:
    """A connection that cannot write.

    :raises StoreRefused: see :func:`connect`.
    """
    connection = connect(path)
    connection.execute("PRAGMA query_only = ON")
    return SqliteConnection(connection, "BEGIN")


def run_once(connection: SqliteConnection, verb: Callable[[ITransaction], T]) -> T:
    """Run one verb where no lane is open."""
    work = PendingTransaction(verb)
    connection.run([work])
    if isinstance(work.outcome, Failure):
        work.outcome.raiseException()
    outcome: T = work.outcome
    return outcome


def check_integrity(connection: SqliteConnection) -> list[Violation]:
    """What SQLite itself finds wrong with a file."""
    try:
        found = [row[0] for row in connection.connection.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        found = [str(error)]  # too much so even to be looked at as a whole
    return [Violation(what="the file is damaged", detail=line) for line in found if line != "ok"]
