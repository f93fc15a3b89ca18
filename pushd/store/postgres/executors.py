"""Executors: how operations reach PostgreSQL, and their outcomes the reactor."""

from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorFromThreads

from pushd.model.errors import Unavailable
from pushd.store.group_commit import MAX_GROUP, Operation, PendingTransaction
from pushd.store.postgres.connection import GroupOutcome, PostgresConnection

T = TypeVar("T")

Finish = Callable[[GroupOutcome], None]
"""Called on the reactor's thread with what became of a group."""

MAX_PUT_OFF = 3
"""How often an operation is put off because another node holds its device, before it waits for it."""


@define(eq=False)
class Groups:
    """Runs groups, each with those operations of the one before whose devices other nodes held."""

    connection: PostgresConnection
    _put_off: dict[PendingTransaction, int] = field(factory=dict, init=False)
    """How often each was put off, in their order."""

    def __bool__(self) -> bool:
        """Whether there are operations that were put off."""
        return bool(self._put_off)

    def run(self, group: Sequence[PendingTransaction]) -> GroupOutcome:
        """Run a group; what was put off too often runs before, and waits for its devices."""
        waited = [pending for pending, times in self._put_off.items() if times >= MAX_PUT_OFF]
        outcome = self.connection.run(waited, wait=True) if waited else GroupOutcome()
        rest = [pending for pending, times in self._put_off.items() if times < MAX_PUT_OFF]
        if rest or group:
            outcome += self.connection.run([*rest, *group])
        self._put_off = {pending: self._put_off.get(pending, 0) + 1 for pending in outcome.put_off}
        return outcome


@define(eq=False)
class InlineWriter:
    """Runs and commits each operation on the calling thread before ``submit`` returns: for tests and tools."""

    groups: Groups
    finish: Finish
    _undelivered: deque[GroupOutcome] = field(factory=deque, init=False)

    def submit(self, operation: Operation[T], *args: Any) -> Deferred[T]:
        pending = PendingTransaction(operation, args)
        outcome = self.groups.run([pending])
        while self.groups:
            outcome += self.groups.run([])
        self._undelivered.append(outcome)
        if len(self._undelivered) > 1:  # a listener submitted it: others get the event that it handles first
            return pending.done
        while self._undelivered:
            self.finish(self._undelivered[0])
            self._undelivered.popleft()
        return pending.done

    submit_long = submit

    def close(self) -> Deferred[None]:
        self.groups.connection.close()
        return succeed(None)


@define(eq=False)
class ThreadWriter:
    """Runs and commits on a thread: what was submitted during a commit is the next group."""

    groups: Groups
    finish: Finish
    reactor: IReactorFromThreads
    name: str
    observe: Callable[[float], None]
    """Called on the thread, with the seconds that each group took to be run and committed."""
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
            began = monotonic()
            outcome = self.groups.run(group)
            self.observe(monotonic() - began)
            self.reactor.callFromThread(self.finish, outcome)
            del group, outcome  # they may hold large texts, which must not wait for the next one to be freed
        self.groups.connection.close()
        self.reactor.callFromThread(self._closed.callback, None)

    def _next_group(self) -> list[PendingTransaction] | None:
        group: list[PendingTransaction] = []
        while len(group) < MAX_GROUP and not (self._waiting.empty() and (group or self.groups)):
            pending = self._waiting.get()
            if pending is None:
                if not (group or self.groups):
                    return None
                self._waiting.put(None)
                break
            group.append(pending)
        return group
