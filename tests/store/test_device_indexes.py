"""Tests of the indexes of devices on SQLite, to which new rows are added in batches."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pushd.model.command import Command
from pushd.model.event import Event
from pushd.store.device_indexes import Batches
from pushd.store.filters import CommandFilter, EventFilter
from pushd.store.sqlite.connection import connect
from pushd.store.sqlite.migrations import _schemas, migrate
from pushd.store.sqlite.store import SqliteStore
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
