"""A store whose transactions a test executes step by step: submitted, committed, notified."""

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from pushd.model.errors import Unavailable
from pushd.model.timestamps import Now
from pushd.store.group_commit import Deliver, Executor, IConnection, Operation, PendingTransaction
from pushd.store.sqlite.connection import SqliteConnection
from pushd.store.sqlite.store import MEMORY, SqliteStore
from tests.store.clock import StoreClock

T = TypeVar("T")

MAX_STEPS = 10_000
"""Steps of one :meth:`SteppedExecutor.run`; if there are more, the transactions submit each other for ever."""


@define(eq=False)
class SteppedExecutor:
    """A :class:`pushd.store.group_commit.Executor` that runs transactions in their order, when the test says so."""

    connection: IConnection
    deliver: Deliver
    submitted: deque[PendingTransaction] = field(factory=deque, init=False)
    committed: deque[PendingTransaction] = field(factory=deque, init=False)
    """Durable, but neither the subscribers nor the caller know it yet."""

    def submit(self, operation: Operation[T], *args: Any) -> Deferred[T]:
        pending = PendingTransaction(operation, args)
        self.submitted.append(pending)
        return pending.done

    submit_long = submit

    def close(self) -> Deferred[None]:
        self.run()
        self.connection.close()
        closed: Deferred[None] = Deferred()
        closed.callback(None)
        return closed

    def commit(self) -> None:
        """Run the transaction that was submitted first."""
        pending = self.submitted.popleft()
        self.connection.run([pending])
        self.committed.append(pending)

    def fail(self) -> None:
        """Let the transaction that was submitted first fail, as on a full disk."""
        pending = self.submitted.popleft()
        pending.outcome = Failure(Unavailable("the disk is full"))
        self.committed.append(pending)

    def notify(self) -> None:
        """Notify the subscribers and the caller of the transaction that was committed, or has failed, first."""
        self.deliver([self.committed.popleft()])

    def run(self) -> None:
        """Commit and notify until nothing is left to do."""
        for _ in range(MAX_STEPS):
            if self.committed:
                self.notify()
            elif self.submitted:
                self.commit()
            else:
                return
        raise AssertionError("the transactions never end")

    @property
    def idle(self) -> bool:
        """Whether nothing is left to do."""
        return not self.submitted and not self.committed


@define(eq=False)
class SteppedStore(SqliteStore):
    """SQLite in memory behind a :class:`SteppedExecutor`."""

    path: str = MEMORY
    now: Callable[[], Now] = field(factory=StoreClock, kw_only=True)
    executor: SteppedExecutor = field(init=False)

    def _executor(self, connection: SqliteConnection, kind: object, name: str) -> Executor:
        self.executor = SteppedExecutor(connection, self._deliver)
        return self.executor
