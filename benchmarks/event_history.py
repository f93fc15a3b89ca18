"""Fills a database, SQLite or PostgreSQL, with devices and the events of their last day."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from benchmarks.sample_data import make_data_dir
from pushd.store.postgres.migrations import migrate
from pushd.store.postgres.session import SessionOptions
from pushd.store.postgres.sql import translated

EVENTS_A_DAY = 96
"""Events of each device: it went offline and came back eight times, and was sent 20 commands of four events each."""

DAY = 24 * 3600 * 1000

_NUMBERS = "WITH RECURSIVE numbers (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < :count)"

_DEVICES = (
    f"{_NUMBERS} INSERT INTO device (id, dialect, name, name_key, tags, facts, admission, presence, last_seen_at,"
    " heartbeat_timeout, allow_from, created_at) SELECT 'servereye:bench' || i, 'servereye', '', '', '[]', '{}',"
    " 'approved', 'online', :now, 1200.0, '[]', :now - :day FROM numbers"
)
_EVENTS = (
    f"{_NUMBERS} INSERT INTO event (seq, type, at, device, data) SELECT i + 1, CASE (i / :devices) % 12"
    " WHEN 0 THEN 'device.offline' WHEN 6 THEN 'device.online' ELSE CASE (i / :devices) % 4"
    " WHEN 0 THEN 'command.queued' WHEN 1 THEN 'command.sent' WHEN 2 THEN 'command.acknowledged'"
    " ELSE 'command.succeeded' END END, :now - :day + i * (:day / :count), 'servereye:bench' || (i % :devices),"
    ' \'{"name":"Gate","site":"North","tags":[]}\' FROM numbers'
)


def make_sqlite(data: Path, devices: int) -> Path:
    """A data directory with so many containers, from ``servereye:bench0`` on, and a day of events."""
    make_data_dir(data, devices, 0)
    with closing(sqlite3.connect(data / "pushd.sqlite")) as database:
        database.execute(_EVENTS, _events_of(devices))
        database.commit()
    return data


def fill_postgres(url: str, devices: int) -> None:
    """The same in an empty database."""
    with closing(SessionOptions(url=url, node="benchmarks").connect()) as database:
        migrate(database)
        values = _events_of(devices)
        database.execute(translated(_DEVICES).encode(), {**values, "count": devices})
        database.execute(translated(_EVENTS).encode(), values)
        database.execute(b"UPDATE feed SET last = (SELECT MAX(seq) FROM event)")
        database.execute(b"ANALYZE")


def _events_of(devices: int) -> dict[str, int]:
    count = devices * EVENTS_A_DAY
    return {"count": count, "devices": devices, "now": time.time_ns() // 1_000_000, "day": DAY}
