"""The newest events, of all nodes and in their order, for the listeners of this process."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from attrs import define, field
from twisted.logger import Logger

from pushd.lib import strict_json
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

_TYPES = {kind.value: kind for kind in EventType}
"""By their names: to call the enumeration takes eight times as long."""

_LAST = Request(b"SELECT last FROM feed")
_NEXT = f"seq > $1::bigint ORDER BY seq LIMIT {LIMIT}"
_EPOCH = EPOCH_OF_EVENT.format(seq="event.seq")
_EVENTS = f"SELECT seq, type, at, device, by, command, data, {_EPOCH} FROM event WHERE {_NEXT}".encode()
_QUEUES = (
    f"SELECT {QUEUED_TIMES} FROM command WHERE finished_at IS NULL"
    f" AND device IN (SELECT device FROM event WHERE {_NEXT})"
).encode()


def read_tail(connection: Connection, after: int) -> Tail:
    """The next events behind ``after``, with the queues of their devices.

    It takes one round trip. Each statement has a snapshot of its own: events may be newer than the number that was
    read before them, and queues are as of the newest event at least.

    :raises psycopg.Error: if they cannot be read.
    """
    behind = [b"%d" % after]
    [(last,)], events, queued = exchange(connection, [_LAST, Request(_EVENTS, behind), Request(_QUEUES, behind)])
    found = [_to_event(*event) for event in events]
    as_of = max(last, found[-1].seq) if found else last
    return found, to_queues({event.device for event in found if event.device is not None}, queued), as_of


def _to_event(
    seq: int, kind: str, at: int, device: str | None, by: str | None, command: str | None, data: str, epoch: str
) -> Event:
    read = strict_json.parse(data)
    return Event(seq=seq, type=_TYPES[kind], at=at, device=device, by=by, command=command, data=read, epoch=epoch)


@define(eq=False)
class FeedTail:
    """Delivers the events of all nodes in the order of their numbers, those of this process with its operations.

    Events of other nodes are read when a notification says that there are more, or when an operation of this process
    has a later one. The index of queues is brought up to date before a listener is called.
    """

    index: QueueIndex
    ask: Callable[[], None]
    """Has the events behind :attr:`known` read, by :func:`read_tail`, which go to :meth:`take`."""
    deliver: Callable[[Sequence[PendingTransaction]], None]
    """Calls listeners with the events of operations, and then their Deferreds."""
    position: int = 0
    """The number of the last event that was delivered."""
    known: int = 0
    """All events up to this number were read, or delivered."""
    _read: deque[Event] = field(factory=deque, init=False)
    """Events that are not delivered yet."""
    _waiting: deque[PendingTransaction] = field(factory=deque, init=False)
    """Operations of this process, in the order of their commits."""
    _is_delivering: bool = field(default=False, init=False)
    _log = Logger()

    def begin(self, position: int) -> None:
        """All events up to this number are known."""
        self.position = self.known = position

    def add(self, done: Sequence[PendingTransaction]) -> None:
        """Operations of this process are done."""
        self._waiting.extend(done)
        self._advance()

    def take(self, tail: Tail) -> None:
        """What was read behind :attr:`known`, perhaps before that was what it is now."""
        events, queues, as_of = tail
        self.index.update(queues, as_of)
        is_all = len(events) < LIMIT
        self._read.extend(event for event in events if event.seq > self.known)
        self.known = max(self.known, as_of if is_all else events[-1].seq)  # what is missing was purged
        self._advance()
        if not is_all:
            self.ask()

    def fail(self, why: str) -> None:
        """The database cannot be read: operations are answered; their events are read again, in order, later."""
        if self._waiting:
            self._log.warn("Events of other nodes could not be read: {why}", why=why)
        while self._waiting:
            pending = self._waiting.popleft()
            pending.events = ()
            self.deliver([pending])

    def _advance(self) -> None:
        """Deliver what can be delivered in order, and ask for what is before."""
        while not self._is_delivering:
            while self._read and self._read[0].seq <= self.position:
                self._read.popleft()
            first = next((event.seq for event in self._waiting[0].events), 0) if self._waiting else None
            if self._read and (first is None or self._read[0].seq < first):
                self._deliver(PendingTransaction(read_tail, events=self._read_before(first)))
            elif first is None:
                return
            elif first > self.known + 1:
                self.ask()
                return
            else:
                self._deliver(self._waiting.popleft())

    def _read_before(self, first: int | None) -> list[Event]:
        events: list[Event] = []
        while self._read and (first is None or self._read[0].seq < first):
            events.append(self._read.popleft())
        return events

    def _deliver(self, pending: PendingTransaction) -> None:
        self._is_delivering = True
        try:
            pending.events = [event for event in pending.events if event.seq > self.position]
            if pending.events:
                self.position = pending.events[-1].seq
                self.known = max(self.known, self.position)
            self.deliver([pending])
        finally:
            self._is_delivering = False
