"""The newest events, of all nodes and in their order, for the listeners of this process."""

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from pushd.model.event import Event, EventType
from pushd.store.group_commit import PendingTransaction
from pushd.store.postgres.pipeline import Request, exchange
from pushd.store.postgres.queue_index import QUEUED_TIMES, DeviceQueue, QueueIndex, to_queues
from pushd.store.postgres.session import Connection
from pushd.store.transactions.epochs import EPOCH_OF_EVENT

LIMIT = 1000
"""Events that are read at once."""

Tail = tuple[Sequence[Event], Mapping[str, DeviceQueue], int]
"""Events, and what is queued for their devices as of the number of an event."""

_LAST = Request(b"SELECT last FROM feed")
_NEXT = f"seq > $1::bigint AND seq <= $2::bigint ORDER BY seq LIMIT {LIMIT}"
_EPOCH = EPOCH_OF_EVENT.format(seq="event.seq")
_EVENTS = f"SELECT seq, type, at, device, by, command, data, {_EPOCH} FROM event WHERE {_NEXT}".encode()
_QUEUES = (
    f"SELECT {QUEUED_TIMES} FROM command WHERE finished_at IS NULL"
    f" AND device IN (SELECT device FROM event WHERE {_NEXT})"
).encode()
_NO_END = 2**63 - 1


def read_tail(connection: Connection, after: int, until: int | None) -> Tail:
    """The next events behind ``after``, up to ``until`` if that is given, with the queues of their devices.

    It takes one round trip. Each statement has a snapshot of its own: what is read later may be newer, which is right.

    :raises psycopg.Error: if they cannot be read.
    """
    between = [b"%d" % after, b"%d" % (_NO_END if until is None else until)]
    [(last,)], events, queued = exchange(connection, [_LAST, Request(_EVENTS, between), Request(_QUEUES, between)])
    found = [_to_event(*event) for event in events]
    return found, to_queues({event.device for event in found if event.device is not None}, queued), last


def _to_event(
    seq: int, kind: str, at: int, device: str | None, by: str | None, command: str | None, data: str, epoch: str
) -> Event:
    return Event(
        seq=seq, type=EventType(kind), at=at, device=device, by=by, command=command, data=json.loads(data), epoch=epoch
    )


@define(eq=False)
class FeedTail:
    """Delivers the events of all nodes in the order of their numbers, those of this process with its operations.

    Events of other nodes are read when a notification says that there are more, or when an operation of this process
    has a later one. The index of queues is brought up to date before a listener is called.
    """

    index: QueueIndex
    read: Callable[[int, int | None], Deferred[Tail]]
    """Runs :func:`read_tail`."""
    deliver: Callable[[Sequence[PendingTransaction]], None]
    """Calls listeners with the events of operations, and then their Deferreds."""
    position: int = 0
    """The number of the last event that was delivered."""
    _waiting: deque[PendingTransaction] = field(factory=deque, init=False)
    """Operations of this process, in the order of their commits."""
    _has_more: bool = field(default=False, init=False)
    """Whether other nodes have said that there are more events."""
    _is_busy: bool = field(default=False, init=False)
    """Whether events are being read, or delivered."""
    _log = Logger()

    def add(self, done: Sequence[PendingTransaction]) -> None:
        """Operations of this process are done."""
        self._waiting.extend(done)
        self._advance()

    def look(self) -> None:
        """Other nodes may have committed events."""
        self._has_more = True
        self._advance()

    def _advance(self) -> None:
        """Deliver what can be delivered in order, and read what is before."""
        while not self._is_busy:
            if self._waiting:
                first = next((event.seq for event in self._waiting[0].events), None)
                if first is not None and first > self.position + 1:
                    self._read(first - 1)
                else:
                    self._deliver(self._waiting.popleft())
            elif self._has_more:
                self._has_more = False
                self._read(None)
            else:
                return

    def _deliver(self, pending: PendingTransaction) -> None:
        self._is_busy = True
        try:
            pending.events = [event for event in pending.events if event.seq > self.position]
            if pending.events:
                self.position = pending.events[-1].seq
            self.deliver([pending])
        finally:
            self._is_busy = False

    def _read(self, until: int | None) -> None:
        self._is_busy = True
        self.read(self.position, until).addCallbacks(self._on_events, self._on_failure, callbackArgs=(until,)).addBoth(
            lambda _: self._advance()
        )

    def _on_events(self, tail: Tail, until: int | None) -> None:
        events, queues, as_of = tail
        self.index.update(queues, as_of)
        is_all = len(events) < LIMIT
        if events:
            self.deliver([PendingTransaction(read_tail, events=events)])
            self.position = events[-1].seq
        if until is not None and is_all:
            self.position = max(self.position, until)  # what is missing was purged
        self._has_more |= not is_all
        self._is_busy = False

    def _on_failure(self, failure: Failure) -> None:
        """The database cannot be read: operations are answered; their events are read again, in order, later."""
        self._log.warn("Events of other nodes could not be read: {error}", error=failure.getErrorMessage())
        self._is_busy = False
        while self._waiting:
            pending = self._waiting.popleft()
            pending.events = ()
            self.deliver([pending])
