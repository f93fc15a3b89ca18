"""Tests of reading the feed."""

from collections.abc import Iterable

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from pushd.model.errors import InvalidQuery, Unavailable
from pushd.model.event import Event, EventType
from pushd.store.filters import EventFilter, EventPage
from tests.core.harness import CONTAINER, READER, Rooms, result_of
from tests.stepped import SteppedLane

ALL = EventFilter()
OF_CONTAINER = EventFilter(device=CONTAINER)
ENDS = EventFilter(types=(EventType.COMMAND_CANCELLED, EventType.COMMAND_FAILED))


def read(
    rooms: Rooms, after: int, seconds: float = 0, which: EventFilter = ALL, limit: int = 50
) -> Deferred[EventPage]:
    """Begin to read."""
    return Deferred.fromCoroutine(rooms.core.feed.read(which, after, limit, seconds))


def last(rooms: Rooms) -> int:
    """Where the feed ends now."""
    return rooms.result(rooms.core.feed.last_seq())


def words(items: Iterable[Event]) -> list[str]:
    """The types of events."""
    return [str(event.type) for event in items]


def test_what_has_happened_is_read_at_once(rooms: Rooms, clock: Clock) -> None:
    """A reader that has something to read does not wait, however long it would."""
    rooms.put(READER)
    page = result_of(read(rooms, 0, 60))
    assert list(page.items) == rooms.told
    assert page.next == page.items[-1].seq
    assert not clock.getDelayedCalls()


def test_a_reader_goes_on_where_it_stopped(rooms: Rooms) -> None:
    """Page by page nothing is read twice, and nothing is left out."""
    for _ in range(3):
        rooms.put(READER)
    seen: list[Event] = []
    after = 0
    while after != last(rooms):
        page = result_of(read(rooms, after, 60, limit=2))
        seen += page.items
        after = page.next
    assert seen == rooms.told


def test_without_waiting_nothing_new_is_an_empty_page(rooms: Rooms, clock: Clock) -> None:
    """Who does not wait is told that there is nothing, and where to go on."""
    reading = read(rooms, last(rooms))
    clock.advance(0)
    assert result_of(reading) == EventPage(items=(), next=last(rooms))


def test_a_waiting_reader_hears_what_happens(rooms: Rooms, clock: Clock) -> None:
    """What happens is read as it happens."""
    reading = read(rooms, last(rooms), 60)
    assert not reading.called
    rooms.put(READER)
    assert words(result_of(reading).items) == ["command.queued"]
    assert not clock.getDelayedCalls()


def test_waiting_has_an_end(rooms: Rooms, clock: Clock) -> None:
    """A feed that stands still answers with an empty page when the time is over."""
    reading = read(rooms, last(rooms), 60)
    clock.advance(59.999)
    assert not reading.called
    clock.advance(0.001)
    assert result_of(reading).items == ()


@pytest.mark.parametrize("which", [OF_CONTAINER, ENDS])
def test_a_reader_is_not_answered_with_what_it_did_not_ask_for(rooms: Rooms, clock: Clock, which: EventFilter) -> None:
    """Events of others let it wait on, no longer than it would have, and it need not read them again."""
    reading = read(rooms, last(rooms), 60, which)
    clock.advance(30)
    rooms.put(READER)
    assert not reading.called
    clock.advance(30)
    assert result_of(reading) == EventPage(items=(), next=last(rooms))


def test_a_reader_hears_what_it_asked_for_among_others(rooms: Rooms) -> None:
    """A filter lets through what it is for."""
    reading = read(rooms, last(rooms), 60, ENDS)
    command = rooms.put(READER)
    rooms.put(CONTAINER)
    rooms.result(rooms.core.command_queue.cancel(command))
    assert words(result_of(reading).items) == ["command.cancelled"]


def test_an_event_while_the_reader_looks_is_not_missed(stepped: Rooms, lane: SteppedLane) -> None:
    """What is committed after the page was read, and before the reader has it, ends the waiting."""
    reading = read(stepped, last(stepped), 60)
    lane.commit()
    Deferred.fromCoroutine(stepped.putting(READER))
    lane.commit()
    stepped.run()
    assert words(result_of(reading).items) == ["command.queued"]


def test_many_may_read(rooms: Rooms) -> None:
    """Everybody who waits is answered."""
    readings = [read(rooms, last(rooms), 60) for _ in range(3)]
    rooms.put(READER)
    assert [words(result_of(reading).items) for reading in readings] == [["command.queued"]] * 3


def test_a_reader_that_leaves_leaves_nothing(rooms: Rooms, clock: Clock) -> None:
    """Who hangs up takes its timer along."""
    reading = read(rooms, last(rooms), 60)
    reading.cancel()
    assert reading.called
    assert not clock.getDelayedCalls()
    rooms.put(READER)


def test_a_reader_that_leaves_while_it_looks_leaves_nothing(stepped: Rooms, clock: Clock) -> None:
    """Not even the answer of the store, that comes later, disturbs anybody."""
    reading = read(stepped, last(stepped), 60)
    reading.cancel()
    with pytest.raises(CancelledError):
        result_of(reading)
    stepped.run()
    assert not clock.getDelayedCalls()


def test_a_reader_is_told_when_the_store_is_down(stepped: Rooms, lane: SteppedLane, clock: Clock) -> None:
    """An error ends the reading at once, and leaves nothing."""
    reading = read(stepped, 0, 60)
    lane.lose()
    lane.tell()
    with pytest.raises(Unavailable):
        result_of(reading)
    assert not clock.getDelayedCalls()


def test_nobody_reads_from_the_future(rooms: Rooms, clock: Clock) -> None:
    """A place beyond the newest event is a mistake, not something to wait for."""
    with pytest.raises(InvalidQuery):
        result_of(read(rooms, last(rooms) + 1, 60))
    assert not clock.getDelayedCalls()


def test_a_stop_lets_all_readers_go(rooms: Rooms, clock: Clock) -> None:
    """When we are about to stop, whoever waits is answered with an empty page."""
    readings = [read(rooms, last(rooms), 60), read(rooms, last(rooms), 60, ENDS)]
    rooms.core.drain()
    assert [result_of(reading).items for reading in readings] == [(), ()]
    assert not clock.getDelayedCalls()
