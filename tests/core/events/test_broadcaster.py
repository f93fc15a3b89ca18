"""Tests of following the feed: nothing is missed and nothing is repeated, whoever is slow and whatever comes
between.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import define, field
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
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

OF_CONTAINER = EventFilter(device=CONTAINER)


def newest(harness: CoreHarness) -> int:
    """Where the feed ends."""
    return harness.result(harness.core.feed.last_seq())


def seqs(harness: CoreHarness, after: int = 0) -> list[int]:
    """The whole feed behind an event."""
    return [event.seq for event in harness.events if event.seq > after]


def forget(harness: CoreHarness, most: int = 1024) -> None:
    """Have the feed remember nothing, as after a restart, and no more than so many events from now on."""
    feed = harness.core.feed
    feed._recent = feed._broadcaster.recent = RecentEvents(most)


def test_past_and_present(harness: CoreHarness, clock: Clock) -> None:
    """Who begins in the past is told of it, and then of what happens."""
    for _ in range(2 * BATCH_SIZE):
        harness.put(READER)
    forget(harness)
    reader = EventClient(harness, 0)
    harness.put(CONTAINER)
    clock.advance(0)
    assert reader.seqs == seqs(harness)
    assert max(reader.batches) == BATCH_SIZE
    reader.disconnect()


def test_only_what_was_asked_for(harness: CoreHarness, clock: Clock) -> None:
    """A filter leaves out the same in the past and in the present."""
    harness.put(READER)
    harness.put(CONTAINER)
    reader = EventClient(harness, 0, OF_CONTAINER)
    harness.put(READER)
    harness.put(CONTAINER)
    clock.advance(0)
    assert reader.seqs == [event.seq for event in harness.events if event.device == CONTAINER]
    reader.disconnect()


def test_much_at_once(harness: CoreHarness, clock: Clock) -> None:
    """What happens between two rounds comes in batches that a connection can take."""
    reader = EventClient(harness, newest(harness))
    for _ in range(2 * BATCH_SIZE + 1):
        harness.put(READER)
    clock.advance(0)
    assert reader.batches == [BATCH_SIZE, BATCH_SIZE, 1]
    reader.disconnect()


def test_nothing_is_left_of_those_who_left(harness: CoreHarness, clock: Clock) -> None:
    """Without a follower there is no timer."""
    readers = [EventClient(harness, 0) for _ in range(3)]
    harness.put(READER)
    for reader in readers:
        reader.disconnect()
    assert not clock.getDelayedCalls()


def test_who_leaves_while_it_catches_up(stepped: CoreHarness, clock: Clock) -> None:
    """Who leaves while the store reads for it is told nothing, and leaves nothing."""
    forget(stepped)
    reader = EventClient(stepped, 0)
    reader.disconnect()
    stepped.run()
    assert (reader.received, reader.ends) == ([], [])
    assert not clock.getDelayedCalls()


def test_store_that_is_away(stepped: CoreHarness, executor: SteppedExecutor, clock: Clock) -> None:
    """Who cannot be told of the past is let go, to come back."""
    forget(stepped)
    reader = EventClient(stepped, 0)
    executor.fail()
    executor.notify()
    assert reader.ends == ["end"]
    assert not clock.getDelayedCalls()


def test_stop(harness: CoreHarness, clock: Clock) -> None:
    """When we stop everybody is let go; whoever is stuck is cut off."""
    ready, stuck = EventClient(harness, 0), EventClient(harness, 0)
    stuck.subscriber.pause()
    harness.core.drain()
    late = EventClient(harness, 0)
    assert (ready.ends, stuck.ends, late.ends) == (["end"], ["abort"], ["end"])
    assert not clock.getDelayedCalls()


def test_slow_reader_of_the_past(harness: CoreHarness, clock: Clock) -> None:
    """Who reads the past slowly is not cut off for being far behind, and is told all of it."""
    forget(harness, 10)
    for _ in range(3 * BATCH_SIZE):
        harness.put(READER)
    reader = EventClient(harness, 0, pause_after=BATCH_SIZE)
    for _ in range(4):
        clock.advance(29)
        reader.subscriber.resume()
    assert reader.seqs == seqs(harness)
    assert reader.ends == []
    reader.disconnect()


@define(eq=False)
class Turns:
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
class Crowd:
    """A thousand readers from now on, and how many of them were told something in each turn."""

    harness: CoreHarness
    turns: Turns
    busy: Counter[int] = field(factory=Counter)
    readers: list[EventClient] = field(init=False)

    def __attrs_post_init__(self) -> None:
        after = newest(self.harness)
        self.readers = [EventClient(self.harness, after, on_receive=self._count) for _ in range(1000)]

    def told(self) -> list[int]:
        """What all of them were told alike."""
        (alike,) = {tuple(reader.seqs) for reader in self.readers}
        return list(alike)

    def _count(self) -> None:
        self.busy[self.turns.now] += 1


@pytest.fixture
def crowd(harness: CoreHarness, clock: Clock) -> Iterator[Crowd]:
    """A crowd that leaves at the end."""
    crowd = Crowd(harness, Turns(clock))
    yield crowd
    for reader in crowd.readers:
        reader.disconnect()


def test_many_are_told_in_slices(harness: CoreHarness, clock: Clock, crowd: Crowd) -> None:
    """A thousand are told of an event once each, and no turn of the reactor is spent on more than a few of them."""
    harness.put(READER)
    clock.advance(0.2)
    assert crowd.told() == [newest(harness)]
    assert max(crowd.busy.values()) == SLICE_SIZE
    clock.advance(5)
    assert sum(crowd.busy.values()) == 1000


def test_many_are_told_of_much_together(harness: CoreHarness, clock: Clock, crowd: Crowd) -> None:
    """However much happens, a thousand readers are written to a few times in a second, and told all of it."""
    before = newest(harness)
    for _ in range(100):
        harness.put(READER)
        clock.advance(0.01)
    clock.advance(0.2)
    assert crowd.told() == seqs(harness, before)
    assert sum(crowd.busy.values()) <= 6 * 1000


STEPS = ("put", "commit", "tell", "pause", "resume", "wait", "break")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.sampled_from(STEPS), max_size=60),
    st.integers(1, 5),
    st.sampled_from([0, 1, 2]),
    st.sampled_from([0, 1, 2]),
    st.sampled_from([EventFilter(), OF_CONTAINER]),
)
def test_any_order_of_things(steps: list[str], most: int, after: int, early: int, which: EventFilter) -> None:
    """Whatever is committed, told, broken or stuck in whatever order: each event is told once, in order."""
    clock = Clock()
    builder = HarnessBuilder(clock)
    harness = builder.build(Config(), 0.0, SteppedStore())
    assert isinstance(harness.core.store, SteppedStore)
    executor = harness.core.store.executor
    forget(harness, most)
    for _ in range(early):
        harness.put(CONTAINER)
    reader = EventClient(harness, after, which)
    for number, step in enumerate(steps):
        if step == "put":
            Deferred.fromCoroutine(harness.putting((READER, CONTAINER)[number % 2]))
        elif step == "commit" and executor.submitted:
            executor.commit()
        elif step == "tell" and executor.committed:
            executor.notify()
        elif step == "pause":
            reader.subscriber.pause()
        elif step == "resume" and not reader.ends:
            reader.subscriber.resume()
        elif step == "wait":
            clock.advance(10)
        elif step == "break":
            reader.disconnect()
            reader.connect()
        if reader.ends:
            reader.ends.clear()
            reader.connect()
    reader.subscriber.resume()
    harness.run()
    clock.advance(1)
    harness.run()
    expected = [event.seq for event in harness.events if event.seq > after and matches(which, event)]
    assert reader.seqs == expected
    reader.disconnect()
    builder.close()
    assert not clock.getDelayedCalls()


def test_tail_is_bounded() -> None:
    """Memory keeps the newest events, and knows from where on it has all of them."""
    tail = RecentEvents(capacity=2)
    for seq in range(1, 5):
        tail.append(Event(seq=seq, type=EventType.COMMAND_FAILED, at=0))
    assert [event.seq for event in tail.after(0)] == [3, 4]
    assert (tail.covers(1), tail.covers(2)) == (False, True)
