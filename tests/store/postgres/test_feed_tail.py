"""Tests of the order in which a process delivers the events of all nodes."""

from collections import deque
from collections.abc import Sequence
from contextlib import closing

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from pushd.model.event import Event, EventType
from pushd.store.group_commit import PendingTransaction
from pushd.store.postgres import feed_tail
from pushd.store.postgres.feed_tail import LIMIT, FeedTail, Tail
from pushd.store.postgres.pipeline import Request, Rows, exchange
from pushd.store.postgres.queue_index import DeviceQueue, QueueIndex
from pushd.store.postgres.session import Connection, SessionOptions
from tests.postgres import ReusedDatabase
from tests.results import result_of
from tests.store.clock import new_postgres_store
from tests.store.samples import LIMIT as MAX_QUEUED
from tests.store.samples import READER, draft


@define(eq=False)
class Node:
    """A process whose database is a list; what it reads, and what it has committed itself, arrives later, in order."""

    stored: list[Event] = field(factory=list)
    delivered: list[int] = field(factory=list)
    answered: list[PendingTransaction] = field(factory=list)
    committed: deque[PendingTransaction] = field(factory=deque)
    read: deque[Tail] = field(factory=deque)
    is_asked: bool = False
    tail: FeedTail = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.tail = FeedTail(QueueIndex(), self.ask, self.deliver)

    def ask(self) -> None:
        """It is asked to read."""
        self.is_asked = True

    def deliver(self, done: Sequence[PendingTransaction]) -> None:
        """What listeners get, and that operations are answered."""
        for pending in done:
            self.delivered += [event.seq for event in pending.events]
            self.answered.append(pending)

    def store(self, count: int) -> Sequence[Event]:
        """Another transaction has committed so many events."""
        first = len(self.stored) + 1
        events = [
            Event(seq=seq, type=EventType.COMMAND_SENT, at=0, device=None, by=None, command=None, data={})
            for seq in range(first, first + count)
        ]
        self.stored += events
        return events

    def commit(self, count: int) -> None:
        """An operation of the process has committed so many events."""
        self.committed.append(PendingTransaction(print, events=self.store(count)))

    def look(self) -> None:
        """Read on the other thread."""
        self.is_asked = False
        events = self.stored[self.tail.known : self.tail.known + LIMIT]
        self.read.append((events, {}, len(self.stored)))

    def take(self) -> None:
        """What was read arrives."""
        if self.read:
            self.tail.take(self.read.popleft())

    def finish(self) -> None:
        """The outcome of the oldest operation arrives."""
        if self.committed:
            self.tail.add([self.committed.popleft()])


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("store"), st.integers(1, 3)),
        st.tuples(st.just("commit"), st.integers(0, 3)),
        st.sampled_from(["look", "take", "finish"]).map(lambda name: (name,)),
    ),
    max_size=40,
)


@given(STEPS)
def test_events_come_once_and_in_order(steps: Sequence[tuple[object, ...]]) -> None:
    """Whatever other nodes commit between the operations of this one, and whenever it reads that."""
    node, operations = Node(), 0
    for name, *arguments in steps:
        operations += name == "commit"
        getattr(node, str(name))(*arguments)
        assert node.delivered == list(range(1, len(node.delivered) + 1))
    while node.committed:
        node.finish()
    while node.read or node.is_asked:
        if not node.read:
            node.look()
        node.take()
    node.look()
    node.take()
    assert node.delivered == list(range(1, len(node.stored) + 1))
    assert sum(pending.operation is print for pending in node.answered) == operations


def test_more_than_is_read_at_once() -> None:
    """What a node has missed for long is read in parts."""
    node = Node()
    node.store(2 * LIMIT + 1)
    node.commit(1)
    node.finish()
    while node.is_asked:
        node.look()
        node.take()
    assert node.delivered == list(range(1, 2 * LIMIT + 3))


def test_events_that_were_purged() -> None:
    """An operation does not wait for events that retention has deleted before they were read."""
    node = Node()
    node.store(2)
    node.commit(1)
    node.tail.add([node.committed.popleft()])
    assert node.is_asked
    node.tail.take(([], {}, 3))
    assert node.delivered == [3]


def test_operations_are_answered_when_nothing_can_be_read() -> None:
    """Their events come later, with those before them."""
    node = Node()
    node.store(1)
    node.commit(1)
    node.finish()
    node.tail.fail("The connection was lost")
    assert (node.delivered, len(node.answered)) == ([], 1)
    node.look()
    node.take()
    assert node.delivered == [1, 2]


def test_commits_while_it_is_read(postgres_database: ReusedDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that was read with a later event is not replaced by what the process had committed before that."""
    postgres_database.restore("two_devices")
    store = new_postgres_store(postgres_database.url)
    known, index = store.open().last_event, QueueIndex()

    def commit_between(connection: Connection, requests: Sequence[Request]) -> list[Rows]:
        first = exchange(connection, requests[:1])
        for _ in range(2):
            result_of(store.put(draft(), False, MAX_QUEUED))
        return first + exchange(connection, requests[1:])

    monkeypatch.setattr(feed_tail, "exchange", commit_between)
    with closing(SessionOptions(url=store.url, node="a", instance="1").connect()) as connection:
        events, queues, as_of = feed_tail.read_tail(connection, known)
    assert [event.seq for event in events] == [known + 1, known + 2]
    index.update(queues, as_of)
    index.update({READER: DeviceQueue(READER)}, events[0].seq)
    assert index.count_queued(READER) == 2
    result_of(store.close())
