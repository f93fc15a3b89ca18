"""Tests of operations that read many rows: others need not wait for them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]
from twisted.internet.defer import Deferred, gatherResults

from benchmarks.sample_data import make_data_dir
from pushd.model.errors import EventsPurged
from pushd.model.event import EventType
from pushd.model.timestamps import Now
from pushd.store.filters import CommandFilter, DeviceFilter, EventFilter
from pushd.store.sqlite.store import SqliteStore
from pushd.store.transactions import consistency, queries
from tests.store.clock import new_store, when
from tests.store.reactor import ReactorWithManualClock

COMMANDS = 300
SLICES = 30
"""In how many transactions a slow operation reads the commands at least."""

ANY = EventFilter()
RARE = EventFilter(types=(EventType.DEVICE_BLOCKED,))


@pytest.fixture
def used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteStore]:
    """A store with threads and many commands, for slices that are small."""
    for module in (consistency, queries):
        monkeypatch.setattr(module, "SLICE_SIZE", COMMANDS // SLICES)
    data = make_data_dir(tmp_path / "data", servereye=10, controlid=1, commands=COMMANDS)
    reactor: Any = ReactorWithManualClock()
    store = new_store(str(data / "pushd.sqlite"), reactor=reactor)
    store.open()
    yield store
    pytest_twisted.blockon(store.close())


async def finished(slow: Deferred[Any], *others: Deferred[Any]) -> list[str]:
    """In which order a slow operation and others, which were submitted later, are finished."""
    order: list[str] = []
    slow.addCallback(lambda _: order.append("slow"))
    rest = gatherResults(others).addCallback(lambda _: order.append("others"))
    await gatherResults([slow, rest])
    return order


async def test_a_consistency_check_delays_no_other_reader(used: SqliteStore) -> None:
    """While all commands are checked, a command is shown and explained, the feed goes on, and lists are answered."""
    [command] = await used.commands(CommandFilter(), None, 1)
    check = used.fsck()
    others = (
        used.command(command.id),
        used.command_context(command.id),
        used.events(ANY, 0, 10),
        used.commands(CommandFilter(), None, 10),
        used.devices(DeviceFilter(), None, 10),
    )
    assert await finished(check, *others) == ["others", "slow"]


async def test_a_reader_of_rare_events_delays_no_other(used: SqliteStore) -> None:
    """While the whole feed is searched for a type of event that it does not have, others are answered."""
    search = used.events(RARE, 0, 10)
    others = used.events(ANY, 0, 10), used.last_event(), used.commands(CommandFilter(), None, 10)
    assert await finished(search, *others) == ["others", "slow"]


async def test_a_rare_event_is_found_wherever_it_is(used: SqliteStore) -> None:
    """Pages are the same as if the feed had been read at once: whole, without gaps, up to the newest event."""
    whole = await used.events(ANY, 0, 10 * COMMANDS)
    sent = [event for event in whole.items if event.type is EventType.COMMAND_SENT]
    first = await used.events(EventFilter(types=(EventType.COMMAND_SENT,)), 0, 2 * COMMANDS // 3)
    rest = await used.events(EventFilter(types=(EventType.COMMAND_SENT,)), first.next, COMMANDS)
    assert [*first.items, *rest.items] == sent
    assert first.next == first.items[-1].seq
    assert rest.next == whole.next
    assert await used.events(RARE, 0, 10) == await used.events(RARE, whole.next, 10)


async def test_a_purge_during_a_long_read(used: SqliteStore) -> None:
    """A reader from the oldest event on gets what is left; one that asked for all after an event gets an error."""
    part = await used._reader.submit(queries.list_events, RARE, 1, 10)
    assert not part.complete
    while await when(used, Now(2**62, 0)).purge(2**62, COMMANDS):
        pass
    rest = await used._scanner.submit(queries.list_events, RARE, 0, 10, part.next)
    assert (rest.items, rest.complete) == ((), True)
    with pytest.raises(EventsPurged):
        await used._scanner.submit(queries.list_events, RARE, 1, 10, part.next)
