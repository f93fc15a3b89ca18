"""The base of a store: submits operations to its executors, and calls listeners with events."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pushd.model.event import Event, EventType
from pushd.store.filters import Slice
from pushd.store.group_commit import Executor, PendingTransaction, resolve
from pushd.store.interface import Listener
from pushd.store.transaction import ITransaction

T = TypeVar("T")


@define(eq=False)
class OperationBase:
    """Submits operations; after their commit, calls listeners with their events and fires their Deferreds."""

    _listeners: Mapping[EventType, list[Listener]] = field(init=False)
    """The listeners of each type of event."""
    _writer: Executor = field(init=False)
    _reader: Executor = field(init=False)
    """For operations that read a few rows."""
    _scanner: Executor = field(init=False)
    """For operations that may read many rows, in slices, so that those of others run in between."""
    _log = Logger()

    @_listeners.default
    def _no_listeners(self) -> Mapping[EventType, list[Listener]]:
        return {kind: [] for kind in EventType}

    def subscribe(self, listener: Listener, *types: EventType) -> None:
        for kind in types or EventType:
            self._listeners[kind].append(listener)

    def _deliver(self, group: Sequence[PendingTransaction]) -> None:
        for pending in group:
            for event in pending.events:
                self._notify(event)
            resolve(pending)

    def _notify(self, event: Event) -> None:
        for listener in self._listeners[event.type]:
            try:
                listener(event)
            except Exception:
                self._log.failure(
                    "A store listener failed on {event.type}; other listeners are still called", event=event
                )

    def _write(self, operation: Callable[..., T], *args: Any) -> "Deferred[T]":
        return self._writer.submit(partial(_call, operation, args))

    def _seconds(self) -> float:
        """A monotonic clock, by which long operations are bounded; it may stand still."""
        raise NotImplementedError

    def _write_long(self, operation: Callable[..., T], *args: Any) -> "Deferred[T]":
        return self._writer.submit_long(partial(_call, operation, args))

    def _read(self, operation: Callable[..., T], *args: Any) -> "Deferred[T]":
        return self._reader.submit(partial(_call, operation, args))

    def _scan(self, operation: Callable[..., T], *args: Any) -> "Deferred[T]":
        return self._scanner.submit(partial(_call, operation, args))

    def _in_slices(
        self, operation: Callable[..., Slice[T]], *args: Any, start: Any, limit: int | None = None
    ) -> "Deferred[list[T]]":
        """Call ``operation``, each time in a transaction of its own, until it has read all rows or found ``limit``;
        its last argument is ``start``, later where it is to resume.
        """

        async def scan() -> list[T]:
            found: list[T] = []
            resume = start
            while resume is not None and (limit is None or len(found) < limit):
                part = await self._scan(operation, *args, resume)
                found += part.items
                resume = part.resume
            return found[:limit]

        return Deferred.fromCoroutine(scan())


def _call(operation: Callable[..., T], args: tuple[Any, ...], tx: ITransaction) -> T:
    return operation(tx, *args)
