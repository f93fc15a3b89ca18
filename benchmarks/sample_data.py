"""Makes data directories with registered devices and finished commands, as after years of use."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from pushd.model.timestamps import Now
from pushd.store.sqlite.store import SqliteStore

_NUMBERS = "WITH RECURSIVE numbers (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < :count)"

_DEVICES = (
    f"{_NUMBERS} INSERT INTO device (id, dialect, name, tags, admission, presence, last_seen_at, last_address,"
    " heartbeat_timeout, allow_from, created_at)"
    " SELECT :prefix || i, :dialect, '', '[]', 'approved', 'online', :now, '127.0.0.1', :heartbeat, '[]', :now"
    " FROM numbers"
)
_COMMANDS = (
    f"{_NUMBERS} INSERT INTO command (id, device, state, payload, delivery, priority, ttl, created_at, expires_at,"
    " attempts, max_attempts, lease, deadline, sent_at, acknowledged_at, finished_at, result, evidence, matched_by,"
    " created_by)"
    " SELECT printf('%08x-%04x-7%03x-8000-%012x', (:now - :count + i) >> 16, (:now - :count + i) & 65535, 0, i),"
    ' \'servereye:bench\' || (i % :devices), \'succeeded\', \'{"control":"REFRESH_AGENT","data":{"agent":3}}\','
    " 'at_most_once', 5, 300.0, :now - :count + i, :now - :count + i + 300000, 1, 5, 30.0, 3600.0,"
    " :now - :count + i + 1, :now - :count + i + 2, :now - :count + i + 3,"
    ' \'{"success":true,"message":"done","data":""}\', \'device\', \'message\', \'admin\' FROM numbers'
)
_OPEN_COMMANDS = (
    f"{_NUMBERS} INSERT INTO command (id, device, state, payload, delivery, priority, ttl, created_at, expires_at,"
    " expires_elapsed, attempts, max_attempts, lease, deadline, sent_at, lease_until, deadline_until, created_by)"
    " SELECT printf('%08x-%04x-7001-8000-%012x', :now >> 16, :now & 65535, i), 'servereye:bench' || (i % :devices),"
    ' iif(i % 4, \'queued\', \'sent\'), \'{"control":"REFRESH_AGENT","data":{"agent":3}}\','
    " 'at_most_once', 5,"
    " 86400.0, :now, :now + 86400000, :now + 86400000, i % 4 = 0, 5, 30.0, 3600.0, iif(i % 4, NULL, :now),"
    " iif(i % 4, NULL, 30000), iif(i % 4, NULL, 3600000), 'admin' FROM numbers"
)
_ATTEMPTS = (
    "INSERT INTO attempt (command, number, device, sent_at, handover) SELECT id, 1, device, sent_at, id FROM command"
    " WHERE attempts > 0"
)
_EVENTS = (
    "INSERT INTO event (type, at, device, command, data) SELECT column1, finished_at, device, id, '{}' FROM command,"
    " (VALUES ('command.queued'), ('command.sent'), ('command.acknowledged'), ('command.succeeded'))"
    " WHERE finished_at IS NOT NULL ORDER BY id"
)


def make_data_dir(data: Path, servereye: int, controlid: int, commands: int = 0, open_commands: int = 0) -> Path:
    """Make a data directory with devices of both dialects, the first being ``servereye:bench0`` and ``controlid:0``,
    and with commands that have succeeded, one in each millisecond before now.

    Of ``open_commands``, a quarter is in flight, the others are queued.
    """
    data.mkdir(mode=0o700)
    now = time.time_ns() // 1_000_000
    store = SqliteStore(str(data / "pushd.sqlite"), now=lambda: Now(wall=now, steady=0))
    store.open()
    store.close()
    with closing(sqlite3.connect(data / "pushd.sqlite", isolation_level=None)) as database:
        database.execute("BEGIN")
        for prefix, dialect, count, heartbeat in (
            ("servereye:bench", "servereye", servereye, 1200.0),
            ("controlid:", "controlid", controlid, 120.0),
        ):
            values = {"prefix": prefix, "dialect": dialect, "count": count, "heartbeat": heartbeat, "now": now}
            database.execute(_DEVICES, values)
        if commands:
            database.execute(_COMMANDS, {"count": commands, "devices": servereye, "now": now})
        if open_commands:
            database.execute(_OPEN_COMMANDS, {"count": open_commands, "devices": servereye, "now": now})
        database.execute(_ATTEMPTS)
        database.execute(_EVENTS)
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return data
