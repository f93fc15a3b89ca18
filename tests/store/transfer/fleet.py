"""A fleet with a value in each column of each table, to be moved."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from pushd.store.sqlite.connection import connect
from pushd.store.sqlite.migrations import migrate

Rows = Sequence[Mapping[str, Any]]

READER = "controlid:7"
COMMAND = "01890a5d-ac96-774b-bcce-b302099a{:04x}"
DIGEST = bytes(range(32))
NOW = 1_900_000_000_000
"""Wall milliseconds."""
LAST_EVENT = 900
"""The last event; it was purged."""

_SELECTORS = {"devices": '["controlid:7"]', "sites": '["Lisbon"]', "tags": '["door"]', "endpoints": '["open"]'}


def _command(number: int, **fields: Any) -> Mapping[str, Any]:
    return {
        "id": COMMAND.format(number),
        "device": READER,
        "state": "queued",
        "payload": '{"endpoint":"open","name":"Zoë 門\U0001f6aa"}',
        "endpoint": "open",
        "delivery": "at_most_once",
        "priority": 5,
        "ttl": 60.5,
        "created_at": NOW,
        "expires_at": NOW + 60_500,
        "expires_elapsed": NOW - 500,
        "max_attempts": 2,
        "lease": 30.25,
        "deadline": 90.0,
        "late": 0,
        "created_by": "admin",
        **fields,
    }


_IN_FLIGHT = {"attempts": 1, "lease_until": 12_345, "deadline_until": 99_999, "sent_at": NOW + 1}

ROWS: Mapping[str, Rows] = {
    "device": [
        {
            "id": READER,
            "dialect": "controlid",
            "serial": "00000?/000007",
            "name": "Häuptling",
            "name_key": "häuptling",
            "site": "Lisbon",
            "tags": '["door"]',
            "facts": '{"floor":1}',
            "admission": "approved",
            "presence": "offline",
            "muted_until": NOW + 1,
            "muted_elapsed": NOW - 1,
            "last_seen_at": NOW,
            "last_address": "192.0.2.1",
            "poll_gap": 0.1,
            "heartbeat_timeout": 30.0,
            "hold": 20.0,
            "learned_hold": 1 / 3,
            "batch": 3,
            "allow_from": "[]",
            "created_at": NOW,
        }
    ],
    "proof": [{"digest": DIGEST, "device": READER, "kind": "secret", "expires_at": NOW}],
    "token": [
        {
            "id": "t1",
            "name": "gate",
            "role": "operator",
            **_SELECTORS,
            "expires_at": NOW,
            "expires_elapsed": NOW - 1000,
            "last_used_at": NOW,
            "created_by": "admin",
            "created_at": NOW,
        }
    ],
    "token_secret": [{"digest": DIGEST, "token": "t1", "expires_at": NOW}],
    "person": [
        {"name": "Ana", "role": "admin", **_SELECTORS, "secret": "s", "created_by": "admin", "created_at": NOW},
    ],
    "invitation": [{"person": "Ana", "digest": DIGEST, "expires_at": NOW}],
    "session": [
        {
            "id": name,
            "digest": DIGEST + name.encode(),
            **who,
            "address": "192.0.2.2",
            "user_agent": "Firefox",
            "created_at": NOW,
            "last_used_at": NOW + 1,
            "created_elapsed": NOW - 2,
            "used_elapsed": NOW - 1,
        }
        for name, who in (("s1", {"person": "Ana"}), ("s2", {"token_digest": DIGEST}))
    ],
    "command": [
        _command(1, not_before=NOW + 9, endpoints='["open"]', trace="order 7", resend_of=COMMAND.format(9)),
        _command(2, state="sent", **_IN_FLIGHT, idempotency_key="k", fingerprint=DIGEST, version=3),
        _command(3, state="acknowledged", **_IN_FLIGHT, acknowledged_at=NOW + 2),
        _command(
            4,
            state="failed",
            attempts=1,
            sent_at=NOW + 1,
            finished_at=NOW + 3,
            result="large:4",
            error="no such door",
            late=1,
            evidence="device",
            matched_by="uuid",
            resent_as=COMMAND.format(5),
        ),
    ],
    "large_text": [{"command": COMMAND.format(4), "name": "result", "text": b'{"a":"' + b"x" * 100_000 + b'"}'}],
    "attempt": [
        {
            "serial": 5 + number,
            "command": COMMAND.format(number),
            "number": 1,
            "device": READER,
            "uuid": f"u{number}",
            "sent_at": NOW + 1,
            "handover": f"h{number}",
            "position": 1,
        }
        for number in (2, 3, 4)
    ],
    "orphan": [
        {"id": 3, "device": READER, "at": NOW, "reason": "unknown", "reference": "u9", "size": 3, "raw": b"\0\xff\\"}
    ],
    "event": [
        {
            "seq": seq,
            "type": "command.queued",
            "at": NOW,
            "device": READER,
            "by": "admin",
            "command": COMMAND.format(1),
            "data": '{"a":"b\\n\\t"}',
        }
        for seq in (1, 2, 899)
    ],
    "audit": [
        {
            "id": 4,
            "epoch": "0123456789ab",
            "at": NOW,
            "by": "admin",
            "address": "192.0.2.2",
            "action": "device.change",
            "object": "device:controlid:7",
            "before": "{}",
            "after": "{}",
        }
    ],
    "epoch": [
        {"number": 6, "name": "0123456789ab", "first_event": 1, "first_alert": 1, "last_command": COMMAND.format(0)},
        {"number": 8, "name": "ba9876543210", "first_event": 800, "first_alert": 2},
    ],
    "clock": [{"id": 1, "wall": NOW, "elapsed": NOW - 1000, "retention_from": 17}],
    "clock_set_back": [
        {"elapsed": 1, "event": 2, "orphan": 3, "delivery": 4, "alert": 5, "command": COMMAND.format(0)}
        for _ in range(2)
    ],
    "pending_outage": [
        {"device": READER, "address": "192.0.2.1", "offline_at": NOW, "grace": 12.5, "grace_until": 4711},
    ],
    "presence_change": [{"id": 2, "device": READER, "elapsed": NOW}],
    "alert": [
        {
            "id": 7,
            "kind": "site_offline",
            "address": "192.0.2.1",
            "site": "Lisbon",
            "count": 1,
            "raised_at": NOW,
            "raised_elapsed": NOW - 1000,
            "cleared_at": NOW + 5,
            "duration": 0.005,
            "acknowledged_at": NOW + 1,
            "acknowledged_by": "Ana",
            "recheck_at": 1,
            "mail_at": 2,
            "mailed_at": 3,
            "mail_error": "refused",
        },
        {"id": 8, "kind": "webhook", "webhook": "w1", "raised_at": NOW, "raised_elapsed": NOW},
    ],
    "alert_device": [{"alert": 7, "device": READER, "kind": "site_offline", "cleared_at": NOW + 5}],
    "webhook": [
        {
            "id": "w1",
            "url": "https://example.org/hook",
            "format": "slack",
            "types": "[]",
            "devices": "[]",
            "sites": "[]",
            "tags": "[]",
            "include_result": 1,
            "parallel": 4,
            "created_at": NOW,
            "revision": 6,
            "cursor": 850,
            "failing": 851,
            "failing_since": NOW,
            "next_attempt_at": NOW + 1,
            "disabled_at": NOW + 2,
            "disabled_reason": "410",
        }
    ],
    "webhook_secret": [{"id": 2, "webhook": "w1", "secret": "whsec_x", "expires_at": NOW}],
    "delivery": [
        {"id": 9, "webhook": "w1", "seq": 850, "at": NOW, "duration": 12, "status": 500, "error": "Internal"}
    ],
}


def fill(path: Path, rows: Mapping[str, Rows] = ROWS) -> Path:
    """Make a database with these rows."""
    with closing(connect(str(path))) as connection:
        migrate(connection, str(path))
        for table, values in rows.items():
            for row in values:
                names, places = ", ".join(row), ", ".join(f":{name}" for name in row)
                connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", row)
        connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'event'", (LAST_EVENT,))
    return path


def many_events(path: Path, count: int) -> Path:
    """Make a database with many events, and commands with large payloads."""
    fill(path)
    with closing(connect(str(path))) as connection:
        _add_many(connection, count)
    return path


def _add_many(connection: sqlite3.Connection, count: int) -> None:
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO event (seq, type, at, device, data) VALUES (?, 'device.online', ?, ?, '{}')",
        ((LAST_EVENT + number, NOW + number, READER) for number in range(1, count + 1)),
    )
    connection.execute("COMMIT")
