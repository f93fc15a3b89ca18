"""A store whose every step waits for a test: submitted, committed, told."""

from collections import deque
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from pushd.model.errors import Unavailable
from pushd.store.group_commit import Deliver, Executor, IConnection, Operation, PendingTransaction
from pushd.store.sqlite.connection import SqliteConnection
from pushd.store.sqlite.store import MEMORY, SqliteStore

ENOUGH = 10_000
"""Works in one go; more of them keep each other alive."""


@define(eq=False)
class SteppedLane:
    """See :class:`pushd.store.group_commit.Executor`: in order, but when the test says so."""

    connection: IConnection
    deliver: Deliver
    submitted: deque[PendingTransaction] = field(factory=deque, init=False)
    committed: deque[PendingTransaction] = field(factory=deque, init=False)
    """What is durable, while nobody knows it yet."""

    def submit(self, operation: Operation) -> Deferred[Any]:
        work = PendingTransaction(operation)
        self.submitted.append(work)
        return work.done

    def close(self) -> Deferred[None]:
        self.run()
        self.connection.close()
        closed: Deferred[None] = Deferred()
        closed.callback(None)
        return closed

    def commit(self) -> None:
        """Run the work that was submitted first."""
        work = self.submitted.popleft()
        self.connection.run([work])
        self.committed.append(work)

    def lose(self) -> None:
        """Let the work that was submitted first come to nothing, as on a full disk."""
        work = self.submitted.popleft()
        work.outcome = Failure(Unavailable("the disk is full"))
        self.committed.append(work)

    def tell(self) -> None:
        """Tell whoever waits of the work that was committed first."""
        self.deliver([self.committed.popleft()])

    def run(self) -> None:
        """Commit and tell until there is nothing left to do."""
        for _ in range(ENOUGH):
            if self.committed:
                self.tell()
            elif self.submitted:
                self.commit()
            else:
                return
        raise AssertionError("the works never end")

    @property
    def idle(self) -> bool:
        """Whether all that was submitted was told."""
        return not self.submitted and not self.committed


@define(eq=False)
class SteppedStore(SqliteStore):
    """SQLite in memory behind a :class:`SteppedLane`."""

    path: str = MEMORY
    lane: SteppedLane = field(init=False)

    def _executor(self, connection: SqliteConnection, kind: object, name: str) -> Executor:
        self.lane = SteppedLane(connection, self._deliver)
        return self.lane
