"""The base of a store: submits operations to its executors, and calls listeners with events."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from pushd.model.event import Event, EventType
from pushd.store.filters import Slice
from pushd.store.group_commit import Executor, Operation, PendingTransaction
from pushd.store.interface import Listener

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
            if isinstance(pending.outcome, Failure):
                pending.done.errback(pending.outcome)
            else:
                pending.done.callback(pending.outcome)

    def _notify(self, event: Event) -> None:
        for listener in self._listeners[event.type]:
            try:
                listener(event)
            except Exception:
                self._log.failure(
                    "A store listener failed on {event.type}; other listeners are still called", event=event
                )

    def _seconds(self) -> float:
        """A monotonic clock, by which long operations are bounded; it may stand still."""
        raise NotImplementedError

    def _in_slices(
        self, operation: Operation[Slice[T]], *args: Any, start: Any, limit: int | None = None
    ) -> "Deferred[list[T]]":
        """Call ``operation``, each time in a transaction of its own, until it has read all rows or found ``limit``;
        its last argument is ``start``, later where it is to resume.
        """

        async def scan() -> list[T]:
            found: list[T] = []
            resume = start
            while resume is not None and (limit is None or len(found) < limit):
                part = await self._scanner.submit(operation, *args, resume)
                found += part.items
                resume = part.resume
            return found[:limit]

        return Deferred.fromCoroutine(scan())
