"""The store on SQLite: WAL, ``synchronous=FULL``, one connection that writes and two that read."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from attrs import define, field
from zope.interface import implementer

from pushd.lib.background import returns_deferred
from pushd.lib.uptime import uptime
from pushd.model.errors import StoreRefused, Unavailable
from pushd.store.commit_failures import CommitFailures
from pushd.store.device_indexes import BATCH, Batches
from pushd.store.filters import NO_OPTIONS, StartOptions, StartupSnapshot
from pushd.store.group_commit import Executor, IExecutorReactor, InlineExecutor, ReactorExecutor, ThreadExecutor
from pushd.store.interface import IStore
from pushd.store.membership import OnlyProcess
from pushd.store.operations import Operations
from pushd.store.sqlite.connection import (
    SqliteConnection,
    connect,
    make_private,
    open_reader,
    run_once,
)
from pushd.store.sqlite.files import DatabaseFiles
from pushd.store.sqlite.migrations import migrate, newest_version
from pushd.store.transactions import startup

MEMORY = ":memory:"


@implementer(IStore)
@define(eq=False)
class SqliteStore(Operations):
    """:class:`pushd.store.interface.IStore` in the file ``path``, or in :data:`MEMORY`.

    With a ``reactor``, operations that write run on its thread, one more thread commits, and two read: one of them
    what may take long, in slices. Without it, each operation is done on the calling thread before its Deferred is
    returned.
    """

    path: str
    reactor: IExecutorReactor | None = None
    uptime: Callable[[], float] = field(default=uptime, kw_only=True)
    """Tells when the transaction of a claim began, in seconds."""
    index_batch: int = field(default=BATCH, kw_only=True)
    """How many events are added to the indexes of devices together at most."""

    def membership(self) -> OnlyProcess:
        return OnlyProcess()

    def schema_version(self) -> int:
        return newest_version()

    def open(self, options: StartOptions = NO_OPTIONS) -> StartupSnapshot:
        if Path(self.path).is_file() and not os.access(self.path, os.W_OK):
            # SQLite would leave files beside it that stay read-only even when this one is made writable again
            raise StoreRefused(f"{self.path} cannot be opened: it is not writable.")
        if self.path != MEMORY:
            make_private(self.path)
        writer = connect(self.path)
        with _closed_on_error(writer, self.path):
            migrate(writer, self.path)
            # persists in the file: only once it is known to be a database of pushd
            writer.execute("PRAGMA journal_mode = WAL")
            connection = SqliteConnection(
                writer,
                self.now,
                open_commands=self._open_commands,
                ids=self.ids,
                uptime=self.uptime,
                batches=Batches(self.index_batch),
            )
            snapshot = _load_snapshot(connection, options)
            if self.path != MEMORY:
                connection.files, connection.reconnect = DatabaseFiles.of(self.path), partial(connect, self.path)
        connection.failures = CommitFailures()
        self._writer = self._executor(connection, partial(ReactorExecutor, observe=self._commit_took), "store-writer")
        self._reader = self._reading_executor("store-reader")
        self._scanner = self._reading_executor("store-scanner")
        return snapshot

    @returns_deferred
    async def close(self) -> None:
        for executor in dict.fromkeys((self._writer, self._reader, self._scanner)):
            await executor.close()

    def _seconds(self) -> float:
        return 0.0 if self.reactor is None else self.reactor.seconds()

    def _reading_executor(self, name: str) -> Executor:
        if self.path == MEMORY:  # a second connection would have another database
            return self._writer
        return self._executor(open_reader(self.path, self.now), ThreadExecutor, name)

    def _executor(
        self, connection: SqliteConnection, kind: Callable[..., ReactorExecutor | ThreadExecutor], name: str
    ) -> Executor:
        if self.reactor is None:
            return InlineExecutor(connection, self._deliver)
        executor = kind(connection, self._deliver, self.reactor, name)
        executor.start()
        return executor


def _load_snapshot(connection: SqliteConnection, options: StartOptions) -> StartupSnapshot:
    """Read what is kept in memory; a database that cannot be written now is served as far as it can be read."""
    load = partial(startup.load_snapshot, options=options)
    try:
        return run_once(connection, load)
    except Unavailable:
        return run_once(connection, partial(load, writable=False))


@contextmanager
def _closed_on_error(connection: sqlite3.Connection, path: str) -> Iterator[None]:
    """Close a database that turns out not to be one of pushd, or not to be usable."""
    try:
        yield
    except (StoreRefused, Unavailable, sqlite3.Error) as error:
        connection.close()
        if isinstance(error, StoreRefused):
            raise
        raise StoreRefused(f"{path} cannot be opened: {error}.") from error
