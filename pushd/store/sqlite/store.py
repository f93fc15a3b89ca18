"""SQLite: WAL, ``synchronous=FULL``, one connection that writes and one that reads."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from attrs import define
from twisted.internet.defer import Deferred
from zope.interface import implementer

from pushd.model.errors import StoreRefused, Unavailable
from pushd.model.timestamps import Now
from pushd.store.filters import StartupSnapshot
from pushd.store.group_commit import Executor, IExecutorReactor, InlineExecutor, ReactorExecutor, ThreadExecutor
from pushd.store.interface import IStore
from pushd.store.operations import Operations
from pushd.store.sqlite.connection import SqliteConnection, connect, make_private, open_reader, run_once
from pushd.store.sqlite.migrations import migrate
from pushd.store.transactions import queries

MEMORY = ":memory:"


@implementer(IStore)
@define(eq=False)
class SqliteStore(Operations):
    """See :class:`pushd.store.interface.IStore`; ``path`` is a file, or :data:`MEMORY`.

    With a ``reactor``, verbs that write run on its thread, and one more thread commits, and one reads; without, all
    happens at once on the calling thread.
    """

    path: str
    reactor: IExecutorReactor | None = None

    def open(self, now: Now) -> StartupSnapshot:
        if Path(self.path).is_file() and not os.access(self.path, os.W_OK):
            # SQLite would leave files beside it that may not be written either, not even when this one may be again
            raise StoreRefused(f"{self.path} cannot be opened: it may not be written.")
        if self.path != MEMORY:
            make_private(self.path)
        writer = connect(self.path)
        with _refusing(writer, self.path):
            migrate(writer, self.path)
            writer.execute("PRAGMA journal_mode = WAL")  # stays with the file: not before we know that it is ours
            known = run_once(SqliteConnection(writer), partial(queries.known, now=now))
        self._writer = self._lane(SqliteConnection(writer), ReactorExecutor, "store-writer")
        self._reader = (
            self._writer if self.path == MEMORY else self._lane(open_reader(self.path), ThreadExecutor, "store-reader")
        )
        return known

    def close(self) -> Deferred[None]:
        closed = self._writer.close()
        if self._reader is not self._writer:
            closed.addCallback(lambda _: self._reader.close())
        return closed

    def _lane(self, connection: SqliteConnection, kind: type[ReactorExecutor | ThreadExecutor], name: str) -> Executor:
        if self.reactor is None:
            return InlineExecutor(connection, self._deliver)
        lane = kind(connection, self._deliver, self.reactor, name)
        lane.start()
        return lane


@contextmanager
def _refusing(connection: sqlite3.Connection, path: str) -> Iterator[None]:
    """Close a database that turns out not to be ours, or cannot be worked with."""
    try:
        yield
    except (StoreRefused, Unavailable, sqlite3.Error) as error:
        connection.close()
        if isinstance(error, StoreRefused):
            raise
        raise StoreRefused(f"{path} cannot be opened: {error}.") from error
