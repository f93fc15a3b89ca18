"""Tests of subscriptions: no event is missed or repeated, whatever happens and however slow a client is."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import define, field
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from pushd.config import Config
from pushd.core.events.broadcaster import BATCH_SIZE, SLICE_SIZE
from pushd.core.events.recent_events import RecentEvents, matches
from pushd.model.event import Event, EventType
from pushd.store.filters import EventFilter
from tests.core.conftest import HarnessBuilder
from tests.core.events.event_client import EventClient
from tests.core.harness import CONTAINER, READER, CoreHarness
from tests.stepped import SteppedExecutor, SteppedStore

OF_CONTAINER = EventFilter(devices=(CONTAINER,))


def last_seq(harness: CoreHarness) -> int:
    """The ``seq`` of the newest event."""
    return harness.result(harness.core.feed.last_seq())


def seqs_after(harness: CoreHarness, after: int = 0) -> list[int]:
    """The ``seq`` of each event after one."""
    return [event.seq for event in harness.events if event.seq > after]


def clear_recent(harness: CoreHarness, most: int = 1024) -> None:
    """Empty the ring buffer, as after a restart, and limit it to so many events."""
    feed = harness.core.feed
    feed._recent = feed._broadcaster.recent = RecentEvents(most)


def test_old_and_new_events(harness: CoreHarness, clock: Clock) -> None:
    """A client that subscribes from the past gets all old events, and then the new ones."""
    for _ in range(2 * BATCH_SIZE):
        harness.put(READER)
    clear_recent(harness)
    client = EventClient(harness, 0)
    harness.put(CONTAINER)
    clock.advance(0)
    assert client.seqs == seqs_after(harness)
    assert max(client.batches) == BATCH_SIZE
    client.disconnect()


def test_a_filter(harness: CoreHarness, clock: Clock) -> None:
    """A filter applies to old and new events alike."""
    harness.put(READER)
    harness.put(CONTAINER)
    client = EventClient(harness, 0, OF_CONTAINER)
    harness.put(READER)
    harness.put(CONTAINER)
    clock.advance(0)
    assert client.seqs == [event.seq for event in harness.events if event.device == CONTAINER]
    client.disconnect()


def test_many_events_come_in_batches(harness: CoreHarness, clock: Clock) -> None:
    """Events between two flushes come in batches that a connection can take."""
    client = EventClient(harness, last_seq(harness))
    for _ in range(2 * BATCH_SIZE + 1):
        harness.put(READER)
    clock.advance(0)
    assert client.batches == [BATCH_SIZE, BATCH_SIZE, 1]
    client.disconnect()


def test_without_subscribers_there_is_no_timer(harness: CoreHarness, clock: Clock) -> None:
    """After all clients have disconnected no timer runs."""
    clients = [EventClient(harness, 0) for _ in range(3)]
    harness.put(READER)
    for client in clients:
        client.disconnect()
    assert not clock.getDelayedCalls()


def test_all_clients_disconnect_while_they_are_flushed(harness: CoreHarness, clock: Clock) -> None:
    """The flush ends without an error, and leaves no timer."""
    clients = [EventClient(harness, last_seq(harness)) for _ in range(3)]

    def disconnect_all() -> None:
        for client in clients:
            client.disconnect()

    clients[0].on_receive = disconnect_all
    harness.put(READER)
    clock.advance(0)
    assert [len(client.received) for client in clients] == [1, 0, 0]
    assert not clock.getDelayedCalls()


def test_a_client_that_disconnects_while_it_catches_up(stepped: CoreHarness, clock: Clock) -> None:
    """It receives nothing, and leaves no timer."""
    clear_recent(stepped)
    client = EventClient(stepped, 0)
    client.disconnect()
    stepped.run()
    assert (client.received, client.ends) == ([], [])
    assert not clock.getDelayedCalls()


def test_an_unavailable_store_ends_the_subscription(
    stepped: CoreHarness, executor: SteppedExecutor, clock: Clock
) -> None:
    """A client that needs old events is disconnected, and may reconnect."""
    clear_recent(stepped)
    client = EventClient(stepped, 0)
    executor.fail()
    executor.notify()
    assert client.ends == ["end"]
    assert not clock.getDelayedCalls()


def test_a_stop_ends_all_subscriptions(harness: CoreHarness, clock: Clock) -> None:
    """When the server stops, clients are disconnected; paused ones are aborted."""
    ready, paused = EventClient(harness, 0), EventClient(harness, 0)
    paused.subscriber.pause()
    harness.core.drain()
    late = EventClient(harness, 0)
    assert (ready.ends, paused.ends, late.ends) == (["end"], ["abort"], ["end"])
    assert not clock.getDelayedCalls()


def test_a_slow_client_that_catches_up(harness: CoreHarness, clock: Clock) -> None:
    """A slow client that reads old events is not disconnected for being far behind, and gets all of them."""
    clear_recent(harness, 10)
    for _ in range(3 * BATCH_SIZE):
        harness.put(READER)
    client = EventClient(harness, 0, pause_after=BATCH_SIZE)
    for _ in range(4):
        clock.advance(29)
        client.subscriber.resume()
    assert client.seqs == seqs_after(harness)
    assert client.ends == []
    client.disconnect()


@define(eq=False)
class ReactorTurns:
    """Counts the turns of a reactor, as far as timers make them."""

    clock: Clock
    now: int = 0
    _call_later: Callable[..., Any] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._call_later = self.clock.callLater
        self.clock.callLater = self._counted  # type: ignore[method-assign,assignment]

    def _counted(self, seconds: float, call: Callable[..., object], *args: Any, **named: Any) -> Any:
        def turn() -> None:
            self.now += 1
            call(*args, **named)

        return self._call_later(seconds, turn)


@define(eq=False, repr=False)
class ManyClients:
    """A thousand clients, and how many of them received something in each turn."""

    harness: CoreHarness
    turns: ReactorTurns
    busy: Counter[int] = field(factory=Counter)
    clients: list[EventClient] = field(init=False)

    def __attrs_post_init__(self) -> None:
        after = last_seq(self.harness)
        self.clients = [EventClient(self.harness, after, on_receive=self._count) for _ in range(1000)]

    def received(self) -> list[int]:
        """The events that all of them received alike."""
        (alike,) = {tuple(client.seqs) for client in self.clients}
        return list(alike)

    def _count(self) -> None:
        self.busy[self.turns.now] += 1


@pytest.fixture
def clients(harness: CoreHarness, clock: Clock) -> Iterator[ManyClients]:
    """A thousand clients that disconnect at the end."""
    clients = ManyClients(harness, ReactorTurns(clock))
    yield clients
    for client in clients.clients:
        client.disconnect()


def test_many_clients_are_served_in_slices(harness: CoreHarness, clock: Clock, clients: ManyClients) -> None:
    """Each of a thousand clients gets an event once, and no turn of the reactor serves more than a few of them."""
    harness.put(READER)
    clock.advance(0.2)
    assert clients.received() == [last_seq(harness)]
    assert max(clients.busy.values()) == SLICE_SIZE
    clock.advance(5)
    assert sum(clients.busy.values()) == 1000


def test_many_clients_get_many_events_in_few_flushes(harness: CoreHarness, clock: Clock, clients: ManyClients) -> None:
    """With many events a thousand clients are written to a few times a second, and get all of them."""
    before = last_seq(harness)
    for _ in range(100):
        harness.put(READER)
        clock.advance(0.01)
    clock.advance(0.2)
    assert clients.received() == seqs_after(harness, before)
    assert sum(clients.busy.values()) <= 6 * 1000


STEPS = ("put", "commit", "notify", "pause", "resume", "wait", "reconnect")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.sampled_from(STEPS), max_size=60),
    st.integers(1, 5),
    st.sampled_from([0, 1, 2]),
    st.sampled_from([0, 1, 2]),
    st.sampled_from([EventFilter(), OF_CONTAINER]),
)
def test_any_order_of_steps(steps: list[str], most: int, after: int, early: int, event_filter: EventFilter) -> None:
    """Whatever is committed, delayed, paused or disconnected in whatever order: each event arrives once, in order."""
    clock = Clock()
    builder = HarnessBuilder(clock)
    harness = builder.build(Config(), 0.0, SteppedStore())
    assert isinstance(harness.core.store, SteppedStore)
    executor = harness.core.store.executor
    clear_recent(harness, most)
    for _ in range(early):
        harness.put(CONTAINER)
    client = EventClient(harness, after, event_filter)
    for number, step in enumerate(steps):
        if step == "put":
            harness.putting((READER, CONTAINER)[number % 2])
        elif step == "commit" and executor.submitted:
            executor.commit()
        elif step == "notify" and executor.committed:
            executor.notify()
        elif step == "pause":
            client.subscriber.pause()
        elif step == "resume" and not client.ends:
            client.subscriber.resume()
        elif step == "wait":
            clock.advance(10)
        elif step == "reconnect":
            client.disconnect()
            client.connect()
        if client.ends:
            client.ends.clear()
            client.connect()
    client.subscriber.resume()
    harness.run()
    clock.advance(1)
    harness.run()
    expected = [event.seq for event in harness.events if event.seq > after and matches(event_filter, event)]
    assert client.seqs == expected
    client.disconnect()
    builder.close()
    assert not clock.getDelayedCalls()


def test_the_ring_buffer_is_bounded() -> None:
    """The ring buffer keeps the newest events, and knows from where on it has all of them."""
    recent = RecentEvents(capacity=2)
    for seq in range(1, 5):
        recent.append(Event(seq=seq, type=EventType.COMMAND_FAILED, at=0))
    assert [event.seq for event in recent.after(0)] == [3, 4]
    assert (recent.covers(1), recent.covers(2)) == (False, True)
