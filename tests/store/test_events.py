"""Tests of the feed: every change, in order, with a cursor that misses nothing."""

import pytest

from pushd.model.device import PresenceState
from pushd.model.errors import EventsPurged, InvalidQuery
from pushd.model.event import Event, EventType
from pushd.store.filters import EventFilter, EventPage
from pushd.store.interface import IStore
from tests.store.conftest import StoreUnderTest
from tests.store.samples import OTHER_READER, READER, at, command_id, wall
from tests.store.steps import all_events, event_types, put, send, tamper

ANY = EventFilter()
PRESENCES = [PresenceState.ONLINE, PresenceState.SIGNED_OFF]


async def happen(store: IStore, times: int, device: str = READER) -> None:
    """Let something change, again and again."""
    for number in range(times):
        await store.set_presence(device, PRESENCES[number % 2], at(number))


async def test_the_feed_is_empty_at_first(empty: IStore) -> None:
    """Where nothing happened there is nothing to read, and one reads on from the beginning."""
    assert await empty.events(ANY, 0, 10) == EventPage(items=(), next=0)
    assert await empty.last_event() == 0


async def test_entries_ascend(store: IStore) -> None:
    """Each entry has a greater number than those before, and the newest is known."""
    await happen(store, 5)
    numbers = [event.seq for event in await all_events(store)]
    assert numbers == sorted(set(numbers))
    assert await store.last_event() == numbers[-1]


async def test_an_entry_is_kept_whole(store: IStore) -> None:
    """An entry says what happened, when, to which device and command, and whatever else there is to say."""
    await send(store, 1, now=at(7))
    assert (await all_events(store))[-1] == Event(
        seq=await store.last_event(),
        type=EventType.COMMAND_SENT,
        at=wall(7),
        device=READER,
        command=command_id(1),
        data={"attempt": 1},
    )


async def test_the_feed_is_read_page_by_page(store: IStore) -> None:
    """Whoever reads on after ``next`` misses nothing and reads nothing twice."""
    await happen(store, 7)
    read: list[Event] = []
    after = 0
    while (page := await store.events(ANY, after, 2)).items:
        assert len(page.items) <= 2
        read.extend(page.items)
        after = page.next
    assert read == await all_events(store)
    assert after == await store.last_event()


async def test_entries_are_filtered(store: IStore) -> None:
    """By device, by type, by several types, and by both."""
    await put(store, 1)
    await put(store, 2, name=OTHER_READER)
    await store.cancel(command_id(2), at())
    queued, cancelled = EventType.COMMAND_QUEUED, EventType.COMMAND_CANCELLED

    async def types(which: EventFilter) -> list[str]:
        return event_types((await store.events(which, 2, 10)).items)

    assert await types(ANY) == ["command.queued", "command.queued", "command.cancelled"]
    assert await types(EventFilter(device=OTHER_READER)) == ["command.queued", "command.cancelled"]
    assert await types(EventFilter(types=(queued,))) == ["command.queued", "command.queued"]
    assert await types(EventFilter(types=(cancelled, queued), device=OTHER_READER)) == [
        "command.queued",
        "command.cancelled",
    ]
    assert await types(EventFilter(types=(cancelled,), device=READER)) == []


async def test_a_filter_does_not_read_the_same_again(store: IStore) -> None:
    """Behind entries that a filter leaves out, one reads on after them: the next look need not go over them."""
    await happen(store, 5)
    assert await store.events(EventFilter(device=OTHER_READER), 2, 10) == EventPage(
        items=(), next=await store.last_event()
    )


async def test_a_full_page_goes_on_after_its_last_entry(store: IStore) -> None:
    """Where more may follow, nothing between is skipped."""
    await happen(store, 1)
    await happen(store, 4, OTHER_READER)
    page = await store.events(EventFilter(device=OTHER_READER), 2, 2)
    assert page.next == page.items[-1].seq
    rest = await store.events(EventFilter(device=OTHER_READER), page.next, 10)
    assert len(rest.items) == 2


async def test_whoever_comes_too_late_is_told_where_the_feed_begins(store: IStore) -> None:
    """If entries after the cursor are gone, that is an error, and it says which is the oldest kept."""
    await happen(store, 8)
    await tamper(store, "DELETE FROM event WHERE seq <= 5")
    with pytest.raises(EventsPurged) as caught:
        await store.events(ANY, 4, 10)
    assert caught.value.oldest == 6


async def test_whoever_has_read_all_that_is_gone_misses_nothing(store: IStore) -> None:
    """A cursor at the last purged entry is as good as any."""
    await happen(store, 8)
    await tamper(store, "DELETE FROM event WHERE seq <= 5")
    assert (await store.events(ANY, 5, 10)).items[0].seq == 6


async def test_without_a_cursor_the_feed_begins_with_the_oldest_kept(store: IStore) -> None:
    """Whoever has read nothing yet starts with what there is."""
    await happen(store, 8)
    await tamper(store, "DELETE FROM event WHERE seq <= 5")
    assert (await store.events(ANY, 0, 10)).items[0].seq == 6


async def test_where_all_is_gone_the_feed_goes_on(store: IStore) -> None:
    """Numbers are not given again after everything was purged, and old cursors are told so."""
    await happen(store, 3)
    last = await store.last_event()
    await tamper(store, "DELETE FROM event")
    assert await store.last_event() == last
    assert await store.events(ANY, last, 10) == EventPage(items=(), next=last)
    with pytest.raises(EventsPurged) as caught:
        await store.events(ANY, last - 1, 10)
    assert caught.value.oldest == last + 1
    await happen(store, 1, OTHER_READER)
    assert [event.seq for event in (await store.events(ANY, last, 10)).items] == [last + 1]


async def test_a_cursor_of_another_feed_is_refused(store: IStore) -> None:
    """A number that was never given cannot be read on after: entries would be missed without a word."""
    last = await store.last_event()
    with pytest.raises(InvalidQuery):
        await store.events(ANY, last + 1, 10)


@pytest.mark.parametrize("kind", ["file", "threads"])
async def test_the_feed_goes_on_after_a_restart(under_test: StoreUnderTest, store: IStore) -> None:
    """Entries of before are there, and numbers go on, even where the newest were purged."""
    await happen(store, 3)
    before = await all_events(store)
    await under_test.restart(at(9))
    assert await all_events(under_test.store) == before
    await tamper(under_test.store, "DELETE FROM event")
    await under_test.restart(at(9))
    await happen(under_test.store, 1, OTHER_READER)
    assert [event.seq for event in await all_events(under_test.store)] == [before[-1].seq + 1]
