"""Tests of operations that may change thousands of rows: none of their statements runs on the reactor's thread."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]

from pushd.model.alert import AlertKind
from pushd.model.device import PresenceState
from pushd.store.filters import DeviceFilter
from pushd.store.sqlite.store import SqliteStore
from tests.store.clock import new_store, when
from tests.store.outages import RULES, add_site, come_online
from tests.store.reactor import ReactorWithManualClock
from tests.store.samples import LIMIT, OPEN_ALERTS, READER, at, device, draft

MANY = 300


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A store with threads."""
    reactor: Any = ReactorWithManualClock()
    store = new_store(str(tmp_path / "pushd.sqlite"), reactor=reactor)
    store.open()
    yield store
    pytest_twisted.blockon(store.close())


@contextmanager
def statements_by_thread(store: SqliteStore) -> Iterator[dict[int, int]]:
    """How many statements that write run on each thread in here."""
    counts: dict[int, int] = {}

    def count(_statement: str) -> None:
        counts[get_ident()] = counts.get(get_ident(), 0) + 1

    connection: sqlite3.Connection = store._writer.connection.connection  # type: ignore[attr-defined]
    connection.set_trace_callback(count)
    yield counts
    connection.set_trace_callback(None)


async def test_an_alert_about_the_fleet_is_raised_off_the_reactor(store: SqliteStore) -> None:
    """An outage of the whole fleet is one alert, which costs the reactor nothing, and few statements at all."""
    names = [f"controlid:{number}" for number in range(100, 100 + MANY)]
    await add_site(store, names)
    await come_online(store, *names)
    await when(store, at()).mark_offline(dict.fromkeys(names), RULES)
    with statements_by_thread(store) as counts:
        await when(store, at(31)).raise_alerts(RULES, 200)
    [alert] = await store.alerts(OPEN_ALERTS, None, 10)
    assert (alert.kind, alert.count) == (AlertKind.FLEET_OFFLINE, MANY)
    assert get_ident() not in counts
    assert sum(counts.values()) < 30


async def test_a_site_is_alerted_off_the_reactor(store: SqliteStore) -> None:
    """A site of many devices is one alert in few statements, whatever their number."""
    names = [f"controlid:{number}" for number in range(100, 100 + MANY)]
    await add_site(store, names)
    await add_site(store, [f"servereye:{number}" for number in range(MANY)], "192.0.2.9")
    await come_online(store, *names, *(f"servereye:{number}" for number in range(MANY)))
    await when(store, at()).mark_offline(dict.fromkeys(names), RULES)
    with statements_by_thread(store) as counts:
        await when(store, at(31)).raise_alerts(RULES, 200)
    [alert] = await store.alerts(OPEN_ALERTS, None, 10)
    assert (alert.kind, alert.count) == (AlertKind.SITE_OFFLINE, MANY)
    assert get_ident() not in counts
    assert sum(counts.values()) < 30


async def test_a_device_with_a_full_queue_is_deleted_off_the_reactor(store: SqliteStore) -> None:
    """Hundreds of commands end with their device without a pause of the server."""
    await when(store, at()).add_device(device(), False)
    for _ in range(MANY):
        await store.put(draft(), True, LIMIT)
    with statements_by_thread(store) as counts:
        await when(store, at(1)).forget_device(READER)
    assert get_ident() not in counts
    assert await store.devices(DeviceFilter(presence=PresenceState.NEVER_SEEN), None, 10) == []
