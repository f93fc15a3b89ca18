"""Tests of the indexes of devices on SQLite, to which new rows are added in batches."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pushd.model.command import Command
from pushd.model.event import Event, EventType
from pushd.model.lifecycle import State
from pushd.store.device_indexes import Batches
from pushd.store.filters import SLICE_SIZE, CommandFilter, EventFilter
from pushd.store.sqlite.connection import connect
from pushd.store.sqlite.migrations import _schemas, migrate
from pushd.store.sqlite.store import SqliteStore
from pushd.store.transactions import queries
from tests.results import result_of
from tests.store.clock import new_store
from tests.store.samples import OTHER_READER, READER, draft

BATCH = 8
"""Events, of which each command in these tests has one."""

ONLINE = "device.online"

BEFORE = 23
"""The last version with an entry of each row in each index."""


@pytest.fixture
def path(database: Path, tmp_path: Path) -> Path:
    """A database with two devices."""
    found = tmp_path / "pushd.sqlite"
    found.write_bytes(database.read_bytes())
    return found


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """A store with small batches."""
    store = new_store(str(path), index_batch=BATCH)
    store.open()
    yield store
    store.close()


def put(store: SqliteStore, target: str) -> str:
    """Queue a command; its id."""
    command, _ = result_of(store.put(draft(target), False, 10_000))
    return str(command.id)


def unindexed(path: Path) -> tuple[int, int]:
    """How many commands and events are not in the indexes of devices."""
    with closing(sqlite3.connect(path)) as connection:
        return tuple(
            connection.execute(f"SELECT COUNT(*) FROM {table} WHERE indexed = 0").fetchone()[0]
            for table in ("command", "event")
        )


def commands_of(store: SqliteStore, target: str, before: str | None = None, limit: int = 1000) -> list[str]:
    """The commands of a device, newest first."""
    found: list[Command] = result_of(store.commands(CommandFilter(device=target), before, limit))
    return [command.id for command in found]


def events_of(store: SqliteStore, *targets: str, limit: int = 1000, **which: Any) -> list[Event]:
    """The events of devices, oldest first."""
    return list(result_of(store.events(EventFilter(devices=targets, **which), 0, limit)).items)


@pytest.mark.parametrize("commands", range(2 * BATCH + 2))
def test_lists_of_a_device_have_all_rows(store: SqliteStore, path: Path, commands: int) -> None:
    """Wherever a batch ends, a device's commands and events are listed once each, in order, page by page."""
    sent = [(target, put(store, target)) for _ in range(commands) for target in (READER, OTHER_READER)]
    assert max(unindexed(path)) <= BATCH
    for target in (READER, OTHER_READER):
        own = [command for owner, command in sent if owner == target]
        assert commands_of(store, target) == own[::-1]
        queued = [event for event in events_of(store, target) if event.command is not None]
        assert [event.command for event in queued] == own
        paged: list[str] = []
        while page := commands_of(store, target, paged[-1] if paged else None, 3):
            paged += page
        assert paged == own[::-1]
    both = [event.command for event in events_of(store, READER, OTHER_READER) if event.command is not None]
    assert both == [command for _, command in sent]
    assert len(events_of(store, READER, OTHER_READER, limit=3)) == min(3, 2 + 2 * commands)


def test_a_start_adds_what_an_earlier_process_has_left(path: Path) -> None:
    """What was not added before a process ended is listed, and is added with a batch of the next one."""
    store = new_store(str(path), index_batch=1000)
    store.open()
    sent = [put(store, READER) for _ in range(3)]
    store.close()
    assert unindexed(path)[0] == len(sent)
    store = new_store(str(path), index_batch=1)
    store.open()
    assert commands_of(store, READER) == sent[::-1]
    sent.append(put(store, READER))
    assert unindexed(path) == (0, 0)
    assert commands_of(store, READER) == sent[::-1]
    store.close()


@pytest.mark.parametrize(
    ("operations", "events"), [(1, 128), (4, 128), (20, 640), (1000, 4096)], ids=["alone", "few", "some", "many"]
)
def test_batches_are_larger_on_a_busy_server(operations: int, events: int) -> None:
    """A commit that few wait for is not delayed by a large batch."""
    batches = Batches()
    assert batches.is_due(1_000_000, operations), "what an earlier process has left"
    due = next(newest for newest in count(1_000_001) if batches.is_due(newest, operations))
    assert due == 1_000_000 + events
    assert not batches.is_due(due + 1, operations)


def test_rows_of_an_earlier_version_are_in_the_indexes(path: Path, tmp_path: Path) -> None:
    """After an upgrade the commands and events of a device are listed, also those of before."""
    older = tmp_path / "older.sqlite"
    steps = {number: sql for number, sql in _schemas().items() if number <= BEFORE}
    with closing(connect(str(older))) as connection:
        migrate(connection, str(older), steps)
        connection.execute(
            "INSERT INTO device (id, dialect, name, tags, admission, presence, heartbeat_timeout, allow_from,"
            " created_at) VALUES (?, 'controlid', '', '[]', 'approved', 'online', 1, '[]', 1)",
            (READER,),
        )
        connection.execute(
            "INSERT INTO command (id, device, state, payload, delivery, priority, ttl, created_at, expires_at,"
            " attempts, max_attempts, lease, deadline, sent_at, finished_at, result, evidence, matched_by, created_by)"
            " VALUES ('00000000-0000-7000-8000-000000000000', ?, 'succeeded', '{}', 'at_most_once', 5, 300.0, 1,"
            " 300001, 1, 5, 30.0, 3600.0, 2, 3, '{}', 'device', 'message', 'admin')",
            (READER,),
        )
        connection.execute("INSERT INTO event (type, at, device, data) VALUES (?, 1, ?, '{}')", (ONLINE, READER))
    store = new_store(str(older), index_batch=1000)
    store.open()
    new = [put(store, READER), put(store, READER)]
    assert commands_of(store, READER) == [*new[::-1], "00000000-0000-7000-8000-000000000000"]
    assert [event.type for event in events_of(store, READER)] == [ONLINE, "command.queued", "command.queued"]
    store.close()


THIRD_READER = "controlid:3"
DEVICES = (READER, OTHER_READER, THIRD_READER)
ENDS = ("succeeded", "failed", "unknown")
TYPES = (EventType.COMMAND_SENT, EventType.DEVICE_ONLINE, EventType.DEVICE_OFFLINE)


class Narrow:
    """A client that sees two devices, the commands of one sender, and not when devices come online."""

    def covers(self, name: str) -> bool:
        """Whether it sees a device."""
        return name != THIRD_READER

    def shows(self, command: Command) -> bool:
        """Whether it sees a command."""
        return command.created_by == "a"

    def narrow(self, event: Event) -> Event | None:
        """The event, if it sees that."""
        return None if event.type == ONLINE else event


def add_history(path: Path, random: Random, commands: int, indexed: int) -> None:
    """Store commands and events, of which the first are in the indexes of devices."""
    add_command = (
        "INSERT INTO command (id, device, state, payload, delivery, priority, ttl, created_at, expires_at, attempts,"
        " max_attempts, lease, deadline, sent_at, lease_until, finished_at, created_by, trace, endpoint, indexed)"
        " VALUES (:id, :device, :state, '{}', 'at_most_once', 5, 300.0, :at, 300001, 1, 5, 30.0, 3600.0, 2,"
        " iif(:state = 'sent', 5, NULL), iif(:state = 'sent', NULL, 3), :by, :trace, :endpoint, :indexed)"
    )
    add_event = "INSERT INTO event (type, at, device, data, indexed) VALUES (?, ?, ?, '{}', ?)"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE event SET indexed = 1")
        for number in range(commands):
            values = {
                "id": f"01900000-0000-7000-8000-{number:012d}",
                "device": random.choice(DEVICES),
                "state": random.choice((*ENDS, "sent")),
                "at": 0x019000000000 + random.randrange(3),
                "by": random.choice("ab"),
                "trace": random.choice(("t", None)),
                "endpoint": random.choice("ef"),
                "indexed": number < indexed,
            }
            connection.execute(add_command, values)
            for _ in range(random.randrange(4)):
                kind, device = random.choice(TYPES).value, random.choice((*DEVICES, None))
                connection.execute(add_event, (kind, random.randrange(5), device, number < indexed))
        connection.commit()


def random_commands(random: Random) -> CommandFilter:
    """Any filter for commands."""
    return CommandFilter(
        device=random.choice((*DEVICES, None)),
        state=random.choice((None, *map(State, (*ENDS, "sent")))),
        since=random.choice((None, 0x019000000001)),
        trace=random.choice((None, "t")),
        endpoint=random.choice((None, None, "e")),
        by=random.choice((None, None, "a")),
        q=random.choice((None, None, "T")),
        view=random.choice((None, Narrow())),
    )


def random_events(random: Random) -> EventFilter:
    """Any filter for events."""
    return EventFilter(
        devices=tuple(random.sample((*DEVICES, "controlid:9"), random.randrange(4))),
        types=random.choice(((), TYPES[:1], TYPES[1:])),
        since=random.choice((None, 2)),
        view=random.choice((None, Narrow())),
    )


def all_events(store: SqliteStore, which: EventFilter, after: int, limit: int) -> Sequence[Event]:
    """All events that pass a filter, page by page."""
    found: list[Event] = []
    while (page := result_of(store.events(which, after, limit))).next != after:
        found += page.items
        after = page.next
    return found


@pytest.mark.parametrize("seed", range(12))
def test_lists_do_not_depend_on_what_is_in_the_indexes(
    path: Path, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the new rows begin, each list is the same as that of a copy that has all rows in its indexes."""
    random = Random(seed)
    monkeypatch.setattr(queries, "SLICE_SIZE", random.choice((3, 7, 20, 2000)))
    commands = random.randrange(30, 90)
    add_history(path, random, commands, random.randrange(commands + 1))
    other = tmp_path / "other.sqlite"
    other.write_bytes(path.read_bytes())
    with closing(sqlite3.connect(other)) as connection:
        for table in ("command", "event"):
            connection.execute(f"UPDATE {table} SET indexed = 1")
        if random.choice((True, False)):
            connection.execute("ANALYZE")
        connection.commit()
    stores = [new_store(str(each), index_batch=100_000) for each in (path, other)]
    for store in stores:
        store.open()
    for _ in range(60):
        which, limit = random_commands(random), random.choice((1, 2, 5, 1000))
        before = random.choice((None, f"01900000-0000-7000-8000-{random.randrange(commands):012d}"))
        one, two = (result_of(store.commands(which, before, limit)) for store in stores)
        assert one == two, (which, before, limit)
        events, after = random_events(random), random.choice((0, 1, 5, 20))
        first, second = (all_events(store, events, after, limit) for store in stores)
        assert first == second, (events, after, limit)
    for store in stores:
        store.close()


@pytest.mark.parametrize("is_indexed", [True, False])
def test_events_behind_many_that_a_client_may_not_see(path: Path, is_indexed: bool) -> None:
    """However many events of some devices are hidden from a client, indexed or not, it gets those behind them."""
    hidden = [("device.online", READER, is_indexed)] * (SLICE_SIZE + 100)
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany(
            "INSERT INTO event (type, at, device, data, indexed) VALUES (?, 1, ?, '{}', ?)",
            [*hidden, ("device.offline", OTHER_READER, is_indexed)],
        )
        connection.commit()
    store = new_store(str(path), index_batch=100_000)
    store.open()
    which = EventFilter(devices=(READER, OTHER_READER), view=Narrow())
    assert [event.type for event in all_events(store, which, 0, 100)][-1] == "device.offline"
    store.close()
