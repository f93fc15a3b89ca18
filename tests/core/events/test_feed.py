"""Tests of reading the event log."""

from collections.abc import Iterable

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from pushd.model.errors import EventsPurged, Unavailable
from pushd.model.event import Event, EventType
from pushd.store.filters import EventFilter, EventPage
from tests.core.harness import CONTAINER, READER, CoreHarness
from tests.results import result_of
from tests.stepped import SteppedExecutor

ALL = EventFilter()
OF_CONTAINER = EventFilter(devices=(CONTAINER,))
ENDS = EventFilter(types=(EventType.COMMAND_CANCELLED, EventType.COMMAND_FAILED))


def read(
    harness: CoreHarness, after: int, seconds: float = 0, event_filter: EventFilter = ALL, limit: int = 50
) -> Deferred[EventPage]:
    """Start to read."""
    return Deferred.fromCoroutine(harness.core.feed.read(event_filter, after, limit, seconds))


def last_seq(harness: CoreHarness) -> int:
    """The ``seq`` of the newest event."""
    return harness.result(harness.core.feed.last_seq())


def types(items: Iterable[Event]) -> list[str]:
    """The types of events."""
    return [str(event.type) for event in items]


def test_old_events_are_read_at_once(harness: CoreHarness, clock: Clock) -> None:
    """A reader that has something to read does not wait."""
    harness.put(READER)
    page = result_of(read(harness, 0, 60))
    assert list(page.items) == harness.events
    assert page.next == page.items[-1].seq
    assert not clock.getDelayedCalls()


def test_reading_page_by_page(harness: CoreHarness) -> None:
    """Page by page no event is read twice, and none is left out."""
    for _ in range(3):
        harness.put(READER)
    seen: list[Event] = []
    after = 0
    while after != last_seq(harness):
        page = result_of(read(harness, after, 60, limit=2))
        seen += page.items
        after = page.next
    assert seen == harness.events


def test_without_waiting_nothing_new_is_an_empty_page(harness: CoreHarness, clock: Clock) -> None:
    """A reader that does not wait gets an empty page, and the position from event_filter to continue."""
    reading = read(harness, last_seq(harness))
    clock.advance(0)
    assert result_of(reading) == EventPage(items=(), next=last_seq(harness))


def test_a_waiting_reader_gets_new_events(harness: CoreHarness, clock: Clock) -> None:
    """A new event ends the wait."""
    reading = read(harness, last_seq(harness), 60)
    assert not reading.called
    harness.put(READER)
    assert types(result_of(reading).items) == ["command.queued"]
    assert not clock.getDelayedCalls()


def test_a_wait_has_a_timeout(harness: CoreHarness, clock: Clock) -> None:
    """Without new events the answer is an empty page after the timeout."""
    reading = read(harness, last_seq(harness), 60)
    clock.advance(59.999)
    assert not reading.called
    clock.advance(0.001)
    assert result_of(reading).items == ()


@pytest.mark.parametrize("event_filter", [OF_CONTAINER, ENDS])
def test_other_events_do_not_end_the_wait(harness: CoreHarness, clock: Clock, event_filter: EventFilter) -> None:
    """Events that do not pass the filter neither end nor extend the wait, and are not read again."""
    reading = read(harness, last_seq(harness), 60, event_filter)
    clock.advance(30)
    harness.put(READER)
    assert not reading.called
    clock.advance(30)
    assert result_of(reading) == EventPage(items=(), next=last_seq(harness))


def test_an_event_that_passes_the_filter_ends_the_wait(harness: CoreHarness) -> None:
    """A filter lets the right event through among others."""
    reading = read(harness, last_seq(harness), 60, ENDS)
    command = harness.put(READER)
    harness.put(CONTAINER)
    harness.result(harness.core.command_queue.cancel(command))
    assert types(result_of(reading).items) == ["command.cancelled"]


def test_an_event_during_the_read_is_not_missed(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """An event that is committed after the page was read, and before the reader has it, ends the wait."""
    reading = read(stepped, last_seq(stepped), 60)
    executor.commit()
    stepped.putting(READER)
    executor.commit()
    stepped.run()
    assert types(result_of(reading).items) == ["command.queued"]


def test_many_may_read(harness: CoreHarness) -> None:
    """All waiting readers are answered."""
    readings = [read(harness, last_seq(harness), 60) for _ in range(3)]
    harness.put(READER)
    assert [types(result_of(reading).items) for reading in readings] == [["command.queued"]] * 3


def test_a_cancelled_wait_leaves_nothing(harness: CoreHarness, clock: Clock) -> None:
    """A reader that disconnects leaves no timer."""
    reading = read(harness, last_seq(harness), 60)
    reading.cancel()
    assert reading.called
    assert not clock.getDelayedCalls()
    harness.put(READER)


def test_a_cancelled_read_leaves_nothing(stepped: CoreHarness, clock: Clock) -> None:
    """The answer of the store that arrives later has no effect."""
    reading = read(stepped, last_seq(stepped), 60)
    reading.cancel()
    with pytest.raises(CancelledError):
        result_of(reading)
    stepped.run()
    assert not clock.getDelayedCalls()


def test_an_unavailable_store_ends_the_read(stepped: CoreHarness, executor: SteppedExecutor, clock: Clock) -> None:
    """An error ends the read at once, and leaves no timer."""
    reading = read(stepped, 0, 60)
    executor.fail()
    executor.notify()
    with pytest.raises(Unavailable):
        result_of(reading)
    assert not clock.getDelayedCalls()


def test_a_position_in_the_future_is_an_error(harness: CoreHarness, clock: Clock) -> None:
    """A position beyond the newest event is an error at once."""
    with pytest.raises(EventsPurged):
        result_of(read(harness, last_seq(harness) + 1, 60))
    assert not clock.getDelayedCalls()


def test_a_stop_ends_all_waits(harness: CoreHarness, clock: Clock) -> None:
    """When the server stops, each wait is answered with an empty page."""
    readings = [read(harness, last_seq(harness), 60), read(harness, last_seq(harness), 60, ENDS)]
    harness.core.drain()
    assert [result_of(reading).items for reading in readings] == [(), ()]
    assert not clock.getDelayedCalls()
