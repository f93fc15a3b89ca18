"""What binds the verbs of a store to its lanes: one that writes, one that reads."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pushd.model.event import Event, EventType
from pushd.store.group_commit import Executor, PendingTransaction, resolve
from pushd.store.interface import Listener
from pushd.store.transaction import ITransaction

T = TypeVar("T")


@define(eq=False)
class OperationBase:
    """Submits verbs, and tells listeners and whoever asked what became of them."""

    _listeners: Mapping[EventType, list[Listener]] = field(init=False)
    """Whom to tell of an event of each type."""
    _writer: Executor = field(init=False)
    _reader: Executor = field(init=False)
    _log = Logger()

    @_listeners.default
    def _nobody(self) -> Mapping[EventType, list[Listener]]:
        return {kind: [] for kind in EventType}

    def subscribe(self, listener: Listener, *types: EventType) -> None:
        for kind in types or EventType:
            self._listeners[kind].append(listener)

    def _deliver(self, group: Sequence[PendingTransaction]) -> None:
        for work in group:
            for event in work.events:
                self._tell(event)
            resolve(work)

    def _tell(self, event: Event) -> None:
        for listener in self._listeners[event.type]:
            try:
                listener(event)
            except Exception:
                self._log.failure("A listener failed on {event.type}", event=event)

    def _write(self, verb: Callable[..., T], *args: Any) -> "Deferred[T]":
        return self._writer.submit(partial(_reordered, verb, args))

    def _read(self, verb: Callable[..., T], *args: Any) -> "Deferred[T]":
        return self._reader.submit(partial(_reordered, verb, args))


def _reordered(verb: Callable[..., T], args: tuple[Any, ...], tx: ITransaction) -> T:
    return verb(tx, *args)
