"""Executors: how operations reach a database, many of them in one commit."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from queue import SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, Protocol, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime

from pushd.model.audit import AuditEntry
from pushd.model.errors import Unavailable
from pushd.model.event import Event

T = TypeVar("T")

Operation = Callable[..., T]
"""What runs in a transaction, which is its first argument; the others are those that it was submitted with."""

CommitJob = Callable[[], Sequence["PendingTransaction"]]
"""What the commit thread runs: it waits for the disk, and gives the operations of the group with their outcomes."""

MAX_GROUP = 512
"""Operations in one commit at most, so that the first of them need not wait for very many."""

TURN_SECONDS = 0.01
"""Seconds for which the reactor runs operations before it returns to its sockets."""


@define(eq=False)
class PendingTransaction:
    """A submitted operation.

    ``outcome`` is set when it has run, to a Failure if it failed; ``done`` fires with it after the commit.
    """

    operation: Operation[Any]
    args: tuple[Any, ...] = ()
    done: Deferred[Any] = field(factory=Deferred)
    outcome: Any = None
    events: Sequence[Event] = ()
    audited: Sequence[AuditEntry] = ()


class IExecutorReactor(IReactorFromThreads, IReactorTime):
    """What executors need of a reactor; its ``seconds`` limit how long a group may run."""


class IRunner(Protocol):
    """A database connection that runs operations."""

    def run(self, group: Sequence[PendingTransaction]) -> Sequence[PendingTransaction]:
        """Run and commit; afterwards each has its outcome, a Failure where it, or the commit, failed."""

    def close(self) -> None:
        """Close; nothing is run afterwards."""


class IConnection(IRunner, Protocol):
    """A database connection that runs a group of operations in one transaction, all at once, or on one thread while it
    moves large texts and waits for the disk on another.
    """

    def execute(self, group: Iterable[PendingTransaction], wait_for_lock: bool) -> bool:
        """Run operations in a transaction that is not committed yet; False, and nothing was run, if another program
        has locked the database and ``wait_for_lock`` is False.
        """

    def commit(self) -> Sequence[PendingTransaction]:
        """Do what the operations have deferred, and commit; the operations of the group, each with its outcome."""

    def confirm(self, group: Sequence[PendingTransaction]) -> None:
        """On the reactor's thread, take over into memory what was committed, and fail the operations of a group that
        was committed to files which the next start will not find; takes microseconds.
        """


Deliver = Callable[[Sequence[PendingTransaction]], None]
"""Called on the reactor's thread with each group after its commit: notifies listeners and callers."""


class Executor(Protocol):
    """Takes operations to a connection, in order, and delivers their outcomes on the reactor's thread, in order."""

    def submit(self, operation: Operation[T], *args: Any) -> Deferred[T]:
        """Run an operation with the next group; its Deferred fires after the commit."""

    def submit_long(self, operation: Operation[T], *args: Any) -> Deferred[T]:
        """Run an operation that takes milliseconds, never on the reactor's thread, and apart from the others."""

    def close(self) -> Deferred[None]:
        """Finish what was submitted, then close the connection."""


@define(eq=False)
class InlineExecutor:
    """Runs and commits each operation on the calling thread before ``submit`` returns: for tests and tools."""

    connection: IRunner
    deliver: Deliver
    _undelivered: deque[Sequence[PendingTransaction]] = field(factory=deque, init=False)

    def submit(self, operation: Operation[T], *args: Any) -> Deferred[T]:
        pending = PendingTransaction(operation, args)
        self._undelivered.append(self.connection.run([pending]))
        if len(self._undelivered) > 1:  # a listener submitted it: others get the event that it handles first
            return pending.done
        while self._undelivered:
            self.deliver(self._undelivered[0])
            self._undelivered.popleft()
        return pending.done

    submit_long = submit

    def close(self) -> Deferred[None]:
        self.connection.close()
        return succeed(None)


@define(eq=False)
class ThreadExecutor:
    """Runs and commits on a thread: what was submitted during a commit is the next group."""

    connection: IRunner
    deliver: Deliver
    reactor: IReactorFromThreads
    name: str
    _waiting: "SimpleQueue[PendingTransaction | None]" = field(factory=SimpleQueue, init=False)
    _closing: bool = field(default=False, init=False)
    _closed: Deferred[None] = field(factory=Deferred, init=False)

    def start(self) -> None:
        """Start the thread; only after twistd has become a daemon."""
        Thread(target=self._loop, name=self.name, daemon=True).start()

    def submit(self, operation: Operation[T], *args: Any) -> Deferred[T]:
        if self._closing:
            return fail(Unavailable("The store is closed."))
        pending = PendingTransaction(operation, args)
        self._waiting.put(pending)
        return pending.done

    submit_long = submit

    def close(self) -> Deferred[None]:
        self._closing = True
        self._waiting.put(None)
        return self._closed

    def _loop(self) -> None:
        while (group := self._next_group()) is not None:
            self.connection.run(group)
            self.reactor.callFromThread(self.deliver, group)
            del group  # it may hold large texts, which must not wait for the next one to be freed
        self.connection.close()
        self.reactor.callFromThread(self._closed.callback, None)

    def _next_group(self) -> list[PendingTransaction] | None:
        first = self._waiting.get()
        if first is None:
            return None
        group = [first]
        while len(group) < MAX_GROUP and not self._waiting.empty():
            pending = self._waiting.get()
            if pending is None:
                self._waiting.put(None)
                break
            group.append(pending)
        return group


@define(eq=False)
class ReactorExecutor:
    """Runs operations on the reactor's thread, those of one turn as one group, and commits on another thread.

    Only the commit waits for the disk; to pass each statement from thread to thread would cost more than to run it.
    Long operations run on the thread that commits: meanwhile the reactor serves its sockets, and writes nothing.
    """

    connection: IConnection
    deliver: Deliver
    reactor: IExecutorReactor
    name: str
    observe: Callable[[float], None]
    """Called on the thread that commits, with the seconds that each commit took."""
    _waiting: deque[PendingTransaction] = field(factory=deque, init=False)
    _waiting_long: deque[PendingTransaction] = field(factory=deque, init=False)
    _jobs: "SimpleQueue[CommitJob | None]" = field(factory=SimpleQueue, init=False)
    """Jobs of the commit thread; None ends it."""
    _busy: bool = field(default=False, init=False)
    """A group is scheduled, running or being committed."""
    _long_is_next: bool = field(default=False, init=False)
    """Whether a long operation comes before the next group: they take turns."""
    _closing: bool = field(default=False, init=False)
    _closed: Deferred[None] = field(factory=Deferred, init=False)

    def start(self) -> None:
        """Start the thread; only after twistd has become a daemon."""
        Thread(target=self._loop, name=self.name, daemon=True).start()

    def submit(self, operation: Operation[T], *args: Any) -> Deferred[T]:
        return self._submit(self._waiting, PendingTransaction(operation, args))

    def submit_long(self, operation: Operation[T], *args: Any) -> Deferred[T]:
        return self._submit(self._waiting_long, PendingTransaction(operation, args))

    def _submit(self, waiting: deque[PendingTransaction], pending: PendingTransaction) -> Deferred[Any]:
        if self._closing:
            return fail(Unavailable("The store is closed."))
        waiting.append(pending)
        if not self._busy:
            self._busy = True
            self.reactor.callLater(0, self._run_group)  # with all that is submitted in this turn
        return pending.done

    def close(self) -> Deferred[None]:
        self._closing = True
        if not self._busy:
            self._jobs.put(None)
        return self._closed

    def _run_group(self) -> None:
        if self._waiting_long and (self._long_is_next or not self._waiting):
            self._long_is_next = False
            self._jobs.put(partial(self._run, [self._waiting_long.popleft()]))
            return
        self._long_is_next = True
        if self.connection.execute(self._next_group(), wait_for_lock=False):
            self._jobs.put(self.connection.commit)
        else:
            self._jobs.put(partial(self._run, list(self._next_group())))  # waits for the lock on its thread

    def _run(self, group: Sequence[PendingTransaction]) -> Sequence[PendingTransaction]:
        """Run and commit a group on the thread that commits."""
        self.connection.execute(group, wait_for_lock=True)
        return self.connection.commit()

    def _next_group(self) -> Iterator[PendingTransaction]:
        """What was submitted, until :data:`TURN_SECONDS` have passed."""
        until = self.reactor.seconds() + TURN_SECONDS
        while self._waiting:
            yield self._waiting.popleft()
            if self.reactor.seconds() > until:
                return

    def _committed(self, group: Sequence[PendingTransaction]) -> None:
        self.connection.confirm(group)  # here: on the commit thread it would wait for the GIL once more
        try:
            self.deliver(group)
        finally:
            self._next()

    def _next(self) -> None:
        if self._waiting or self._waiting_long:
            self._run_group()
            return
        self._busy = False
        if self._closing:
            self._jobs.put(None)

    def _loop(self) -> None:
        while (job := self._jobs.get()) is not None:
            began = monotonic()
            group = job()
            self.observe(monotonic() - began)
            self.reactor.callFromThread(self._committed, group)
            del group, job  # they may hold large texts, which must not wait for the next one to be freed
        self.connection.close()
        self.reactor.callFromThread(self._closed.callback, None)
