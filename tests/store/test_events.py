"""Tests of the event log: every change, in order, with a cursor that misses nothing."""

import pytest

from pushd.model.device import PresenceState
from pushd.model.errors import EventsPurged
from pushd.model.event import Event, EventType
from pushd.store.filters import EventFilter, EventPage
from pushd.store.interface import IStore
from pushd.store.transactions import queries
from tests.store.clock import when
from tests.store.conftest import StoreUnderTest
from tests.store.samples import CALLED, OTHER_READER, READER, UNREGISTERED, at, command_id, wall
from tests.store.steps import all_events, event_types, put, send, tamper

ANY = EventFilter()
PRESENCES = [PresenceState.ONLINE, PresenceState.SIGNED_OFF]


async def change_presence(store: IStore, times: int, device: str = READER) -> None:
    """Record so many events."""
    for number in range(times):
        await when(store, at(number)).set_presence(device, PRESENCES[number % 2])


async def test_the_event_log_is_empty_at_first(empty: IStore) -> None:
    """There is nothing to read, and the cursor is the beginning."""
    assert await empty.events(ANY, 0, 10) == EventPage(items=(), next=0)
    assert await empty.last_event() == 0


async def test_numbers_of_events_ascend(store: IStore) -> None:
    """Each event has a greater ``seq`` than those before, and the newest is known."""
    await change_presence(store, 5)
    numbers = [event.seq for event in await all_events(store)]
    assert numbers == sorted(set(numbers))
    assert await store.last_event() == numbers[-1]


async def test_an_event_is_stored_whole(store: IStore) -> None:
    """It has its type, time, device, command and data."""
    await send(store, 1, now=at(7))
    assert (await all_events(store))[-1] == Event(
        seq=await store.last_event(),
        type=EventType.COMMAND_SENT,
        at=wall(7),
        device=READER,
        command=command_id(1),
        data=CALLED | {"attempt": 1},
    )


async def test_events_are_read_page_by_page(store: IStore) -> None:
    """A reader that goes on after ``next`` misses nothing and reads nothing twice."""
    await change_presence(store, 7)
    read: list[Event] = []
    after = 0
    while (page := await store.events(ANY, after, 2)).items:
        assert len(page.items) <= 2
        read.extend(page.items)
        after = page.next
    assert read == await all_events(store)
    assert after == await store.last_event()


async def test_events_are_filtered(store: IStore) -> None:
    """By device, by type, by several types, and by both."""
    await put(store, 1)
    await put(store, 2, name=OTHER_READER)
    await store.cancel(command_id(2))
    queued, cancelled = EventType.COMMAND_QUEUED, EventType.COMMAND_CANCELLED

    async def types(which: EventFilter) -> list[str]:
        return event_types((await store.events(which, 2, 10)).items)

    assert await types(ANY) == ["command.queued", "command.queued", "command.cancelled"]
    assert await types(EventFilter(devices=(OTHER_READER,))) == ["command.queued", "command.cancelled"]
    assert await types(EventFilter(types=(queued,))) == ["command.queued", "command.queued"]
    assert await types(EventFilter(types=(cancelled, queued), devices=(OTHER_READER,))) == [
        "command.queued",
        "command.cancelled",
    ]
    assert await types(EventFilter(types=(cancelled,), devices=(READER,))) == []


async def test_events_of_some_devices_are_read_in_parts(store: IStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the log, whichever of the devices has many: the same as if the whole log had been read."""
    await put(store, 1)
    await change_presence(store, 3, OTHER_READER)
    await change_presence(store, 30)
    await change_presence(store, 5, OTHER_READER)
    monkeypatch.setattr(queries, "SLICE_SIZE", 6)
    every = await all_events(store)
    for devices in ((READER, OTHER_READER, UNREGISTERED), (OTHER_READER, UNREGISTERED), (UNREGISTERED, "controlid:8")):
        for types in ((), (EventType.DEVICE_ONLINE, EventType.DEVICE_OFFLINE)):
            which = EventFilter(devices=devices, types=types)
            wanted = [each for each in every if each.device in devices and (not types or each.type in types)]
            read: list[Event] = []
            after = 0
            while (page := await store.events(which, after, 4)).items:
                read.extend(page.items)
                after = page.next
            assert read == wanted
            assert page.next == await store.last_event()


async def test_the_cursor_skips_what_a_filter_left_out(store: IStore) -> None:
    """The next page begins after events that the filter left out, so that they are not read again."""
    await change_presence(store, 5)
    assert await store.events(EventFilter(devices=(OTHER_READER,)), 2, 10) == EventPage(
        items=(), next=await store.last_event()
    )


async def test_a_full_page_goes_on_after_its_last_event(store: IStore) -> None:
    """Where more events may follow, none is skipped."""
    await change_presence(store, 1)
    await change_presence(store, 4, OTHER_READER)
    page = await store.events(EventFilter(devices=(OTHER_READER,)), 2, 2)
    assert page.next == page.items[-1].seq
    rest = await store.events(EventFilter(devices=(OTHER_READER,)), page.next, 10)
    assert len(rest.items) == 2


async def test_a_cursor_before_the_oldest_event_is_refused(store: IStore) -> None:
    """If events after the cursor were purged, that is an error, which names the oldest that is kept."""
    await change_presence(store, 8)
    await tamper(store, "DELETE FROM event WHERE seq <= 5")
    with pytest.raises(EventsPurged) as caught:
        await store.events(ANY, 4, 10)
    assert caught.value.oldest == 6


async def test_a_cursor_at_the_last_purged_event_is_valid(store: IStore) -> None:
    """A reader that has read all purged events misses nothing."""
    await change_presence(store, 8)
    await tamper(store, "DELETE FROM event WHERE seq <= 5")
    assert (await store.events(ANY, 5, 10)).items[0].seq == 6


async def test_without_a_cursor_the_oldest_kept_event_is_first(store: IStore) -> None:
    """A reader that has read nothing yet starts with what is kept."""
    await change_presence(store, 8)
    await tamper(store, "DELETE FROM event WHERE seq <= 5")
    assert (await store.events(ANY, 0, 10)).items[0].seq == 6


async def test_numbers_go_on_after_all_events_were_purged(store: IStore) -> None:
    """Numbers are not given again, and old cursors are refused."""
    await change_presence(store, 3)
    last = await store.last_event()
    await tamper(store, "DELETE FROM event")
    assert await store.last_event() == last
    assert await store.events(ANY, last, 10) == EventPage(items=(), next=last)
    with pytest.raises(EventsPurged) as caught:
        await store.events(ANY, last - 1, 10)
    assert caught.value.oldest == last + 1
    await change_presence(store, 1, OTHER_READER)
    assert [event.seq for event in (await store.events(ANY, last, 10)).items] == [last + 1]


async def test_a_cursor_beyond_the_newest_event_is_refused(store: IStore) -> None:
    """A number that was never given is an error: events would be missed unnoticed."""
    last = await store.last_event()
    with pytest.raises(EventsPurged):
        await store.events(ANY, last + 1, 10)


@pytest.mark.parametrize("kind", ["file", "threads", "postgres"])
async def test_numbers_go_on_after_a_restart(under_test: StoreUnderTest, store: IStore) -> None:
    """Earlier events are there, and numbers go on, even where the newest were purged."""
    await change_presence(store, 3)
    before = await all_events(store)
    await under_test.restart(at(9))
    assert await all_events(under_test.store) == before
    await tamper(under_test.store, "DELETE FROM event")
    await under_test.restart(at(9))
    await change_presence(under_test.store, 1, OTHER_READER)
    assert [event.seq for event in await all_events(under_test.store)] == [before[-1].seq + 1]
