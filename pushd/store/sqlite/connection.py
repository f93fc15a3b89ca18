"""A connection to SQLite: how it is opened, and how it runs a group of operations in one transaction."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import chain
from typing import TypeVar

from attrs import define, field
from twisted.python.failure import Failure

from pushd.lib.text import caseless
from pushd.lib.uptime import uptime
from pushd.model.command import Dispatched
from pushd.model.errors import OutcomeInDoubt, StoreRefused, Unavailable
from pushd.model.timestamps import Now
from pushd.model.uuid7 import IdSource
from pushd.rules.outcomes import dispatched_by
from pushd.rules.queueing import Unsend
from pushd.store.commit_failures import CommitFailures
from pushd.store.device_indexes import Batches, add_new_rows
from pushd.store.event_limiter import EventLimiter
from pushd.store.filters import Violation
from pushd.store.group_commit import PendingTransaction
from pushd.store.open_commands import OpenCommands
from pushd.store.overlay import Overlay, decide
from pushd.store.sqlite.files import DatabaseFiles
from pushd.store.sqlite.transaction import SqliteFeed, SqliteTransaction
from pushd.store.transaction import ITransaction, StaleCommands, Step, touch

T = TypeVar("T")

BUSY_SECONDS = 5.0
"""Seconds to wait for a lock of another program, such as a backup tool, before an operation fails."""

_PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA temp_store = MEMORY",  # else a process that is killed may leave SQLite's temporary files behind
    "PRAGMA foreign_keys = ON",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA cache_size = -16384",  # KiB: the pages that a busy queue needs again
    "PRAGMA wal_autocheckpoint = 2000",  # pages: what many commits change is copied once, in some milliseconds
)


@define(eq=False)
class SqliteConnection:
    """An :class:`pushd.store.group_commit.IConnection` over Python's sqlite3."""

    connection: sqlite3.Connection
    now: Callable[[], Now]
    """Read once for each transaction, when it has begun."""
    begin: str = "BEGIN IMMEDIATE"
    busy_seconds: float = BUSY_SECONDS
    files: DatabaseFiles | None = None
    """Compared with their paths before and after each commit; None: they are not compared."""
    failures: CommitFailures | None = None
    """Logs for all operations whose commit fails; None: each caller has to."""
    limiter: EventLimiter = field(factory=EventLimiter)
    open_commands: OpenCommands = field(factory=OpenCommands)
    ids: IdSource = field(factory=IdSource)
    handover_ids: IdSource = field(factory=IdSource)
    uptime: Callable[[], float] = uptime
    """Seconds since the machine was started, to know how old a claim is."""
    reconnect: Callable[[], sqlite3.Connection] | None = None
    """Opens the database again after a commit in doubt; None: this connection is used again."""
    batches: Batches = field(factory=Batches)
    """Of new rows for the indexes of devices."""
    _in_doubt: Sequence[Dispatched] | None = field(default=None, init=False)
    """What was claimed by a commit of which it is not known whether it was done; None: there is none."""
    _recovery: Sequence[PendingTransaction] = field(default=(), init=False)
    """What was run to end the doubt, and is to be delivered with the next group."""
    _transaction: SqliteTransaction | None = field(default=None, init=False)
    """Of the group that is run."""
    _is_stale: bool = field(default=False, init=False)
    """Whether ``open_commands`` is not what the database has, and has to be loaded again."""
    _committed: Overlay | None = field(default=None, init=False)
    """What is committed, but not yet in ``open_commands``."""
    _changes: int = field(default=0, init=False)
    """``total_changes`` when the transaction began."""
    _group: list[PendingTransaction] = field(factory=list, init=False)
    _steps: list[Step] = field(factory=list, init=False)
    """What the operations of the group have deferred."""
    _error: Exception | None = field(default=None, init=False)
    """Why nothing of the group can be committed."""
    _waits_for_lock: bool = field(default=True, init=False)
    """Whether ``busy_timeout`` is set so that the connection waits; :func:`connect` sets it."""

    def run(self, group: Iterable[PendingTransaction]) -> Sequence[PendingTransaction]:
        self.execute(group, wait_for_lock=True)
        committed = self.commit()
        self.confirm(committed)
        return committed

    def execute(self, group: Iterable[PendingTransaction], wait_for_lock: bool) -> bool:
        if self._in_doubt is not None and not wait_for_lock:
            return False  # to open the database again may take long
        self._group, self._steps, self._error, remaining = [], [], None, iter(group)
        try:
            if self.files is not None:  # before: a checkpoint would fill an emptied file again, with holes
                self.files.check(is_open=self._in_doubt is None)
            if self._in_doubt is not None:
                self._recover(self._in_doubt)
            if not self._begin(wait_for_lock):
                return False
            if not self._run_all(remaining, self._run_without_savepoint):
                self.connection.execute("ROLLBACK")
                self.connection.execute(self.begin)
                again, self._group, self._steps = self._group, [], []
                self._run_all(chain(again, remaining), self._run_with_savepoint)
        except Exception as error:  # whatever it is, the executor must go on
            self._error = error
            self._group.extend(remaining)
        return True

    def commit(self) -> Sequence[PendingTransaction]:
        group = self._commit()
        if self._in_doubt is not None and self._error is None:
            with suppress(Exception):  # it is logged that the disk fails; the next group tries again
                self._recover(self._in_doubt)
        recovery, self._recovery = self._recovery, ()
        return [*recovery, *group] if recovery else group

    def _commit(self) -> Sequence[PendingTransaction]:
        group, self._group = self._group, []
        steps, self._steps = self._steps, []
        transaction, commands = self._take_transaction()
        if self._error is not None or transaction is None:
            self._fail_all(group, self._error or Unavailable("Nothing was run."))
            return group
        try:
            for step in steps:
                step(transaction)
            self.connection.execute("COMMIT")
        except sqlite3.OperationalError as error:  # of COMMIT: steps raise Unavailable
            why = _commit_error(error)
            if isinstance(why, OutcomeInDoubt) and self.reconnect is not None:
                self._in_doubt = dispatched_by(each.outcome for each in group)
            self._fail_all(group, why)
        except Exception as error:
            self._fail_all(group, error)
        else:
            self._committed, failures = commands, self.failures
            if failures is not None and failures.are_logged and self.connection.total_changes != self._changes:
                failures.succeeded()
        return group

    def _take_transaction(self) -> tuple[SqliteTransaction | None, Overlay | None]:
        """The transaction and its overlay, apart: else the two would keep each other."""
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            return None, None
        commands = transaction.commands
        del transaction.commands
        return transaction, commands

    def _recover(self, claimed: Sequence[Dispatched]) -> None:
        """End the doubt about a commit: open the database again, and commit a change.

        What the commit has left in the log is either seen now, and then in memory, too, or overwritten by this change,
        so that no start can find it any more. What it has claimed was never sent, so that is taken back, by the id of
        the claim.

        :raises Exception: if that fails; then nothing may be run.
        """
        assert self.reconnect is not None
        self.connection.close()
        self.connection, self._waits_for_lock, self._is_stale = self.reconnect(), True, True
        recovery = [PendingTransaction(touch), PendingTransaction(decide, (Unsend(claimed),))]
        for each in recovery:
            each.done.addErrback(lambda _: None)  # no caller waits for it
        self._begin(wait_for_lock=True)
        done = self._run_all(recovery, self._run_without_savepoint)
        self._group = []
        self._take_transaction()
        if not done or any(isinstance(each.outcome, Failure) for each in recovery):
            raise Unavailable("Unable to take back what was claimed by a commit in doubt.")
        if self.files is not None:
            self.files = self.files.reopened()
        self.connection.execute("COMMIT")
        self._recovery, self._in_doubt, self._is_stale = recovery, None, True

    def confirm(self, group: Sequence[PendingTransaction]) -> None:
        if self._committed is not None:
            self._committed.merge()
            self._committed = None
        if self.files is None:
            return
        try:
            self.files.check()
        except Unavailable as error:
            self._fail_all(group, error)

    def close(self) -> None:
        self.connection.close()

    def _begin(self, wait_for_lock: bool) -> bool:
        """Begin a transaction; False if another program has locked the database and ``wait_for_lock`` is False."""
        if wait_for_lock != self._waits_for_lock:
            self.connection.execute(f"PRAGMA busy_timeout = {self.busy_seconds * 1000 if wait_for_lock else 0:.0f}")
            self._waits_for_lock = wait_for_lock
        self._changes = self.connection.total_changes
        try:
            self.connection.execute(self.begin)
        except sqlite3.OperationalError as error:
            if wait_for_lock or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return False
        return True

    def _run_all(
        self, group: Iterable[PendingTransaction], run: Callable[[PendingTransaction, SqliteTransaction], bool]
    ) -> bool:
        """Run each operation with ``run``, and write their events; False as soon as ``run`` is."""
        feed = SqliteFeed(self.connection)
        tx = self._transaction = SqliteTransaction(self.connection, feed, self.limiter, self.now())
        tx.commands = Overlay(self.open_commands, tx, self.ids, self.handover_ids, self.uptime())
        if self._is_stale:
            tx.commands.reload_all()
            self._is_stale = False
        for pending in group:
            self._group.append(pending)
            if not run(pending, tx):
                return False
            pending.events, tx.events = tx.events, []
            if tx.audited:
                pending.audited, tx.audited = tx.audited, []
            if tx.steps:
                self._steps += tx.steps
                tx.steps = ()
        try:
            tx.commands.save()
        except Exception:
            self._raise_if_rolled_back()
            return False
        tx.feed.write()
        if feed.last is not None and self.batches.is_due(feed.last, len(self._group)):
            self._steps.append(add_new_rows)
        return True

    def _run_without_savepoint(self, pending: PendingTransaction, tx: SqliteTransaction) -> bool:
        """Run an operation without a savepoint, which costs two statements; False if it failed after it had written.

        Most operations that fail have only read, to refuse a request.
        """
        changes, changes_of_commands = self.connection.total_changes, tx.commands.changes
        try:
            if pending.operation is not decide:
                tx.commands.save()  # its statements may read what rules have changed before
            pending.outcome = pending.operation(tx, *pending.args)
        except Exception:
            self._raise_if_rolled_back()
            unchanged = (changes, changes_of_commands) == (self.connection.total_changes, tx.commands.changes)
            if tx.commands.is_unsaved or not unchanged:
                return False
            self._fail(pending, tx)
        return True

    def _run_with_savepoint(self, pending: PendingTransaction, tx: SqliteTransaction) -> bool:
        """Run an operation so that its failure undoes nothing else."""
        tx.feed.write()  # events of the operations before, so that a rollback to the savepoint keeps them
        self.connection.execute("SAVEPOINT operation")
        commands = tx.commands.copy()
        try:
            pending.outcome = pending.operation(tx, *pending.args)
            tx.commands.save()
        except Exception as error:
            self._raise_if_rolled_back()
            self._fail(pending, tx)
            self._is_stale |= isinstance(error, StaleCommands)
            self.connection.execute("ROLLBACK TO operation")
            tx.commands = commands
        self.connection.execute("RELEASE operation")
        return True

    def _raise_if_rolled_back(self) -> None:
        """Raise the error that is being handled if SQLite itself rolled the transaction back, as on a full disk."""
        if not self.connection.in_transaction:
            raise

    @staticmethod
    def _fail(pending: PendingTransaction, tx: SqliteTransaction) -> None:
        pending.outcome = Failure()
        tx.feed.take_back(tx.events)
        tx.events, tx.audited, tx.steps = [], [], ()
        pending.audited = ()

    def _fail_all(self, group: Sequence[PendingTransaction], error: Exception) -> None:
        """Roll back: nothing of the group is durable, and each of its operations fails."""
        with suppress(sqlite3.Error):  # of a connection that was closed, or lost its disk
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        is_logged = isinstance(error, Unavailable) and error.is_logged
        if self.failures is not None and not is_logged:
            self.failures.failed(error)
            is_logged = True
        why = Unavailable(f"Unable to commit: {error}", is_logged=is_logged)
        if isinstance(error, OutcomeInDoubt):
            why = OutcomeInDoubt(str(error), is_logged=is_logged)
        for pending in group:
            pending.events = pending.audited = ()
            pending.outcome = Failure(why)


def _commit_error(error: sqlite3.OperationalError) -> Exception:
    """The error for a COMMIT that failed: what could not be synced is not read now, but a start after a crash may find
    it.
    """
    if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_IOERR:
        return error
    return OutcomeInDoubt(
        f"It may be stored or not: {error}. Send it again, with the same Idempotency-Key if it had one."
    )


def make_private(path: str) -> None:
    """Create an empty file that only its owner may read, unless it exists: webhook secrets are stored in plain text.

    SQLite gives the files beside a database the same permissions.
    """
    with suppress(OSError):  # opening it next reports the error better
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))


def connect(path: str) -> sqlite3.Connection:
    """Open or create a database.

    :raises StoreRefused: if it is not a database, or cannot be written.
    """
    try:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.create_function("caseless", 1, caseless, deterministic=True)
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except sqlite3.Error as error:
        raise StoreRefused(f"{path} cannot be opened: {error}.") from error
    return connection


def open_reader(path: str, now: Callable[[], Now]) -> SqliteConnection:
    """Open a database for reading only.

    :raises StoreRefused: if it is not a database.
    """
    connection = connect(path)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA cache_size = -2048")  # KiB: few, as each commit of the writer makes them outdated
    return SqliteConnection(connection, now, "BEGIN")


def run_once(connection: SqliteConnection, operation: Callable[[ITransaction], T]) -> T:
    """Run and commit one operation, without an executor."""
    pending = PendingTransaction(operation)
    connection.run([pending])
    if isinstance(pending.outcome, Failure):
        pending.outcome.raiseException()
    outcome: T = pending.outcome
    return outcome


def check_integrity(connection: SqliteConnection) -> list[Violation]:
    """The damage that SQLite itself finds in the file."""
    try:
        found = [row[0] for row in connection.connection.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        found = [str(error)]  # too damaged for the check to run
    return [Violation(what="the file is damaged", detail=line) for line in found if line != "ok"]
