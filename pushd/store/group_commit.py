"""Lanes: how verbs reach a database, many in one commit."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.python.failure import Failure

from pushd.model.errors import Unavailable
from pushd.model.event import Event
from pushd.store.transaction import ITransaction

Verb = Callable[[ITransaction], Any]

Batch = Callable[[], Sequence["PendingTransaction"]]

MAX_GROUP = 512
"""Verbs in one commit, so that the first of them need not wait for a crowd."""

TURN_SECONDS = 0.01
"""For how long the reactor runs verbs before it looks at its sockets again."""


@define(eq=False)
class PendingTransaction:
    """A verb on its way: once run it has an outcome, and once that is committed its Deferred fires."""

    verb: Verb
    done: Deferred[Any] = field(factory=Deferred)
    outcome: Any = None
    events: Sequence[Event] = ()


class IExecutorReactor(IReactorFromThreads, IReactorTime):
    """What lanes need of a reactor."""


class IConnection(Protocol):
    """A database connection that runs a group of verbs in one transaction."""

    def run(self, group: Iterable[PendingTransaction]) -> Sequence[PendingTransaction]:
        """Run and commit; each work has its outcome then, a Failure where its verb, or the commit, failed."""

    def close(self) -> None:
        """Close; nothing is run afterwards."""


class ISplitConnection(IConnection, Protocol):
    """One that can do all but wait for the disk on one thread, and that on another."""

    def execute(self, group: Iterable[PendingTransaction], patient: bool) -> bool:
        """Run verbs in a transaction that is not committed; False, and none of them, if another program has the
        database locked and we are not ``patient``.
        """

    def commit(self) -> Sequence[PendingTransaction]:
        """Commit what was run; the works, each with its outcome."""


Deliver = Callable[[Sequence[PendingTransaction]], None]


class Executor(Protocol):
    """Takes work to a connection, in order, and delivers it on the reactor's thread, in order."""

    def submit(self, verb: Verb) -> Deferred[Any]:
        """Run a verb with the next group; its Deferred fires after the commit."""

    def close(self) -> Deferred[None]:
        """Finish what was submitted, then close the connection."""


@define(eq=False)
class InlineExecutor:
    """Runs each verb at once on the calling thread: for a database in memory, and a Clock."""

    connection: IConnection
    deliver: Deliver
    _undelivered: deque[PendingTransaction] = field(factory=deque, init=False)

    def submit(self, verb: Verb) -> Deferred[Any]:
        work = PendingTransaction(verb)
        self.connection.run([work])
        self._undelivered.append(work)
        if len(self._undelivered) == 1:  # else a listener asked for it: what it heard is told to the others first
            self._deliver_all()
        return work.done

    def _deliver_all(self) -> None:
        while self._undelivered:
            self.deliver([self._undelivered[0]])
            self._undelivered.popleft()

    def close(self) -> Deferred[None]:
        self.connection.close()
        done: Deferred[None] = Deferred()
        done.callback(None)
        return done


@define(eq=False)
class ThreadExecutor:
    """One thread that runs whatever has arrived since its last commit as one group."""

    connection: IConnection
    deliver: Deliver
    reactor: IReactorFromThreads
    name: str
    _waiting: "SimpleQueue[PendingTransaction | None]" = field(factory=SimpleQueue, init=False)
    _closing: bool = field(default=False, init=False)
    _closed: Deferred[None] = field(factory=Deferred, init=False)

    def start(self) -> None:
        """Start the thread; only after twistd has become a daemon."""
        Thread(target=self._work, name=self.name, daemon=True).start()

    def submit(self, verb: Verb) -> Deferred[Any]:
        if self._closing:
            return fail(Unavailable("The store is closed."))
        work = PendingTransaction(verb)
        self._waiting.put(work)
        return work.done

    def close(self) -> Deferred[None]:
        self._closing = True
        self._waiting.put(None)
        return self._closed

    def _work(self) -> None:
        while (group := self._next_group()) is not None:
            self.connection.run(group)
            self.reactor.callFromThread(self.deliver, group)
        self.connection.close()
        self.reactor.callFromThread(self._closed.callback, None)

    def _next_group(self) -> list[PendingTransaction] | None:
        first = self._waiting.get()
        if first is None:
            return None
        group = [first]
        while len(group) < MAX_GROUP and not self._waiting.empty():
            work = self._waiting.get()
            if work is None:
                self._waiting.put(None)
                break
            group.append(work)
        return group


@define(eq=False)
class ReactorExecutor:
    """Runs verbs on the reactor's thread, those of one turn as one group, and only the commit, which waits for the
    disk, on a thread of its own: to hand each statement from thread to thread would cost more than to run it.
    """

    connection: ISplitConnection
    deliver: Deliver
    reactor: IExecutorReactor
    name: str
    _waiting: deque[PendingTransaction] = field(factory=deque, init=False)
    _errands: "SimpleQueue[Batch | None]" = field(factory=SimpleQueue, init=False)
    """What the thread is to do."""
    _busy: bool = field(default=False, init=False)
    """A group is about to be run, or on its way."""
    _closing: bool = field(default=False, init=False)
    _closed: Deferred[None] = field(factory=Deferred, init=False)

    def start(self) -> None:
        """Start the thread; only after twistd has become a daemon."""
        Thread(target=self._work, name=self.name, daemon=True).start()

    def submit(self, verb: Verb) -> Deferred[Any]:
        if self._closing:
            return fail(Unavailable("The store is closed."))
        work = PendingTransaction(verb)
        self._waiting.append(work)
        if not self._busy:
            self._busy = True
            self.reactor.callLater(0, self._run)  # with what else comes in this turn
        return work.done

    def close(self) -> Deferred[None]:
        self._closing = True
        if not self._busy:
            self._errands.put(None)
        return self._closed

    def _run(self) -> None:
        if self.connection.execute(self._next_group(), patient=False):
            self._errands.put(self.connection.commit)
        else:
            self._errands.put(partial(self.connection.run, list(self._next_group())))

    def _next_group(self) -> Iterator[PendingTransaction]:
        """What waits, as much as may be run before others have their turn."""
        until = self.reactor.seconds() + TURN_SECONDS
        while self._waiting:
            yield self._waiting.popleft()
            if self.reactor.seconds() > until:
                return

    def _committed(self, group: Sequence[PendingTransaction]) -> None:
        try:
            self.deliver(group)
        finally:
            self._go_on()

    def _go_on(self) -> None:
        if self._waiting:
            self._run()
            return
        self._busy = False
        if self._closing:
            self._errands.put(None)

    def _work(self) -> None:
        while (errand := self._errands.get()) is not None:
            self.reactor.callFromThread(self._committed, errand())
        self.connection.close()
        self.reactor.callFromThread(self._closed.callback, None)


def resolve(work: PendingTransaction) -> None:
    """Tell whoever waits for it what became of a work."""
    if isinstance(work.outcome, Failure):
        work.done.errback(work.outcome)
    else:
        work.done.callback(work.outcome)
