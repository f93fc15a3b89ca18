"""Reading executors: operations that only read, each over a session that is opened again when it was lost."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
from attrs import define
from psycopg import IsolationLevel
from twisted.python.failure import Failure

from pushd.model.errors import Unavailable
from pushd.model.timestamps import Now
from pushd.model.uuid7 import IdSource
from pushd.store.event_limiter import EventLimiter
from pushd.store.group_commit import PendingTransaction
from pushd.store.open_commands import OpenCommands
from pushd.store.overlay import Overlay
from pushd.store.postgres.session import Connection, Session, reason
from pushd.store.postgres.transaction import PostgresTransaction

Begin = Callable[[Connection], AbstractContextManager[Any]]
"""Makes of a connection what operations get as their first argument."""


def in_snapshot(now: Callable[[], Now]) -> Begin:
    """For operations that only read, each from one snapshot: a transaction; ``now`` is read when it has begun."""
    limiter = EventLimiter()

    @contextmanager
    def begin(connection: Connection) -> Iterator[PostgresTransaction]:
        connection.isolation_level, connection.read_only = IsolationLevel.REPEATABLE_READ, True
        with connection.transaction():
            tx = PostgresTransaction(connection, limiter, now())
            tx.commands = Overlay(OpenCommands(), tx, IdSource(), IdSource())
            try:
                yield tx
                for step in tx.steps:
                    step(tx)
            finally:
                del tx.commands  # else the two would keep each other

    return begin


@define(eq=False)
class PostgresReader:
    """An :class:`pushd.store.group_commit.IConnection` whose operations only read."""

    session: Session
    begin: Begin

    def run(self, group: Sequence[PendingTransaction]) -> Sequence[PendingTransaction]:
        """Run operations, one after the other."""
        for pending in group:
            try:
                try:
                    pending.outcome = self._read(pending)
                except (psycopg.OperationalError, Unavailable):
                    if self.session.connection is None or not self.session.connection.closed:
                        raise
                    pending.outcome = self._read(pending)  # over another connection
            except psycopg.Error as error:
                pending.outcome = Failure(Unavailable(f"Unable to read: {reason(error)}"))
            except Exception:  # whatever it is, the executor must go on
                pending.outcome = Failure()
        return group

    def _read(self, pending: PendingTransaction) -> Any:
        with self.begin(self.session.get()) as first:
            return pending.operation(first, *pending.args)

    def close(self) -> None:
        """Close the session; nothing is run afterwards."""
        self.session.close()
