"""Tests of reading the feed."""

from collections.abc import Iterable

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from pushd.model.errors import InvalidQuery, Unavailable
from pushd.model.event import Event, EventType
from pushd.store.filters import EventFilter, EventPage
from tests.core.harness import CONTAINER, READER, CoreHarness, result_of
from tests.stepped import SteppedExecutor

ALL = EventFilter()
OF_CONTAINER = EventFilter(device=CONTAINER)
ENDS = EventFilter(types=(EventType.COMMAND_CANCELLED, EventType.COMMAND_FAILED))


def read(
    harness: CoreHarness, after: int, seconds: float = 0, which: EventFilter = ALL, limit: int = 50
) -> Deferred[EventPage]:
    """Begin to read."""
    return Deferred.fromCoroutine(harness.core.feed.read(which, after, limit, seconds))


def last(harness: CoreHarness) -> int:
    """Where the feed ends now."""
    return harness.result(harness.core.feed.last_seq())


def words(items: Iterable[Event]) -> list[str]:
    """The types of events."""
    return [str(event.type) for event in items]


def test_what_has_happened_is_read_at_once(harness: CoreHarness, clock: Clock) -> None:
    """A reader that has something to read does not wait, however long it would."""
    harness.put(READER)
    page = result_of(read(harness, 0, 60))
    assert list(page.items) == harness.events
    assert page.next == page.items[-1].seq
    assert not clock.getDelayedCalls()


def test_a_reader_goes_on_where_it_stopped(harness: CoreHarness) -> None:
    """Page by page nothing is read twice, and nothing is left out."""
    for _ in range(3):
        harness.put(READER)
    seen: list[Event] = []
    after = 0
    while after != last(harness):
        page = result_of(read(harness, after, 60, limit=2))
        seen += page.items
        after = page.next
    assert seen == harness.events


def test_without_waiting_nothing_new_is_an_empty_page(harness: CoreHarness, clock: Clock) -> None:
    """Who does not wait is told that there is nothing, and where to go on."""
    reading = read(harness, last(harness))
    clock.advance(0)
    assert result_of(reading) == EventPage(items=(), next=last(harness))


def test_a_waiting_reader_hears_what_happens(harness: CoreHarness, clock: Clock) -> None:
    """What happens is read as it happens."""
    reading = read(harness, last(harness), 60)
    assert not reading.called
    harness.put(READER)
    assert words(result_of(reading).items) == ["command.queued"]
    assert not clock.getDelayedCalls()


def test_waiting_has_an_end(harness: CoreHarness, clock: Clock) -> None:
    """A feed that stands still answers with an empty page when the time is over."""
    reading = read(harness, last(harness), 60)
    clock.advance(59.999)
    assert not reading.called
    clock.advance(0.001)
    assert result_of(reading).items == ()


@pytest.mark.parametrize("which", [OF_CONTAINER, ENDS])
def test_a_reader_is_not_answered_with_what_it_did_not_ask_for(
    harness: CoreHarness, clock: Clock, which: EventFilter
) -> None:
    """Events of others let it wait on, no longer than it would have, and it need not read them again."""
    reading = read(harness, last(harness), 60, which)
    clock.advance(30)
    harness.put(READER)
    assert not reading.called
    clock.advance(30)
    assert result_of(reading) == EventPage(items=(), next=last(harness))


def test_a_reader_hears_what_it_asked_for_among_others(harness: CoreHarness) -> None:
    """A filter lets through what it is for."""
    reading = read(harness, last(harness), 60, ENDS)
    command = harness.put(READER)
    harness.put(CONTAINER)
    harness.result(harness.core.command_queue.cancel(command))
    assert words(result_of(reading).items) == ["command.cancelled"]


def test_an_event_while_the_reader_looks_is_not_missed(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """What is committed after the page was read, and before the reader has it, ends the waiting."""
    reading = read(stepped, last(stepped), 60)
    executor.commit()
    Deferred.fromCoroutine(stepped.putting(READER))
    executor.commit()
    stepped.run()
    assert words(result_of(reading).items) == ["command.queued"]


def test_many_may_read(harness: CoreHarness) -> None:
    """Everybody who waits is answered."""
    readings = [read(harness, last(harness), 60) for _ in range(3)]
    harness.put(READER)
    assert [words(result_of(reading).items) for reading in readings] == [["command.queued"]] * 3


def test_a_reader_that_leaves_leaves_nothing(harness: CoreHarness, clock: Clock) -> None:
    """Who hangs up takes its timer along."""
    reading = read(harness, last(harness), 60)
    reading.cancel()
    assert reading.called
    assert not clock.getDelayedCalls()
    harness.put(READER)


def test_a_reader_that_leaves_while_it_looks_leaves_nothing(stepped: CoreHarness, clock: Clock) -> None:
    """Not even the answer of the store, that comes later, disturbs anybody."""
    reading = read(stepped, last(stepped), 60)
    reading.cancel()
    with pytest.raises(CancelledError):
        result_of(reading)
    stepped.run()
    assert not clock.getDelayedCalls()


def test_a_reader_is_told_when_the_store_is_down(
    stepped: CoreHarness, executor: SteppedExecutor, clock: Clock
) -> None:
    """An error ends the reading at once, and leaves nothing."""
    reading = read(stepped, 0, 60)
    executor.fail()
    executor.notify()
    with pytest.raises(Unavailable):
        result_of(reading)
    assert not clock.getDelayedCalls()


def test_nobody_reads_from_the_future(harness: CoreHarness, clock: Clock) -> None:
    """A place beyond the newest event is a mistake, not something to wait for."""
    with pytest.raises(InvalidQuery):
        result_of(read(harness, last(harness) + 1, 60))
    assert not clock.getDelayedCalls()


def test_a_stop_lets_all_readers_go(harness: CoreHarness, clock: Clock) -> None:
    """When we are about to stop, whoever waits is answered with an empty page."""
    readings = [read(harness, last(harness), 60), read(harness, last(harness), 60, ENDS)]
    harness.core.drain()
    assert [result_of(reading).items for reading in readings] == [(), ()]
    assert not clock.getDelayedCalls()
