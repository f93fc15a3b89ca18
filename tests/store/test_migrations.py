"""Tests of migrations."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pushd.dialects.controlid.serial_number import to_serial
from pushd.dialects.servereye.wire import write_message
from pushd.model.errors import StoreRefused
from pushd.model.timestamps import Now
from pushd.store.sqlite.connection import connect
from pushd.store.sqlite.migrations import _schemas, migrate
from pushd.store.sqlite.store import MEMORY
from tests.results import result_of, text_of
from tests.store.clock import new_store, when

FIRST = _schemas()[1]
SECOND = """
-- What a later version might add.
ALTER TABLE device ADD COLUMN colour TEXT;
CREATE INDEX device_colour ON device (colour) WHERE colour IS NOT NULL;
UPDATE schema_version SET version = 2;
-- The end"""
THIRD = """
CREATE TABLE palette (colour TEXT PRIMARY KEY);
INSERT INTO palette SELECT DISTINCT id FROM token;
UPDATE schema_version SET version = 3;
"""
FAILING = """
ALTER TABLE device ADD COLUMN colour TEXT;
UPDATE schema_version SET version = 2;
INSERT INTO nothing VALUES (1);
"""

BEFORE_SCOPES = 16
"""The last version whose tokens have no scope."""

TOKEN = "INSERT INTO token VALUES ('t', 'admin', 'admin', x'00', 0)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database is, or will be."""
    return tmp_path / "pushd.sqlite"


@pytest.fixture
def old(path: Path) -> Iterator[sqlite3.Connection]:
    """A database of the first version, with a row in it."""
    with closing(connect(str(path))) as connection:
        migrate(connection, str(path), {1: FIRST})
        connection.execute(TOKEN)
        yield connection


def shape(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    """All tables and indexes, with their columns."""
    names = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    columns = connection.execute(
        "SELECT m.name AS main, c.name, c.type, c.pk FROM sqlite_master AS m, pragma_table_info(m.name) AS c"
    ).fetchall()
    return {tuple(map(str, row)) for row in names + columns}


def version(connection: sqlite3.Connection) -> int:
    """The version of a database."""
    [row] = connection.execute("SELECT version FROM schema_version").fetchall()
    return int(row["version"])


def backups(path: Path) -> list[str]:
    """The names of the copies beside a database."""
    return sorted(each.name for each in path.parent.glob("*.backup-*"))


def test_each_schema_says_which_version_it_makes() -> None:
    """Each migration has its number, none is left out, and it sets the version of the database."""
    steps = _schemas()
    assert sorted(steps) == list(range(1, len(steps) + 1))
    for step in steps:
        with closing(connect(MEMORY)) as connection:
            migrate(connection, MEMORY, {number: sql for number, sql in steps.items() if number <= step})
            assert version(connection) == step


def test_a_new_database_is_of_the_newest_version(path: Path) -> None:
    """An empty database gets all migrations, and no copy is made."""
    with closing(connect(str(path))) as connection:
        migrate(connection, str(path), {1: FIRST, 2: SECOND, 3: THIRD})
        assert version(connection) == 3
    assert backups(path) == []


@pytest.mark.parametrize(
    "steps", [_schemas(), {1: FIRST, 2: SECOND}, {1: FIRST, 2: SECOND, 3: THIRD}], ids=["ours", "one", "two"]
)
def test_an_upgraded_database_equals_a_new_one(old: sqlite3.Connection, path: Path, steps: dict[int, str]) -> None:
    """A database that was migrated has the same schema as one that was created."""
    migrate(old, str(path), steps)
    with closing(connect(MEMORY)) as fresh:
        migrate(fresh, MEMORY, steps)
        assert shape(old) == shape(fresh)
        assert version(old) == version(fresh) == max(steps)


def test_rows_survive_a_migration(old: sqlite3.Connection, path: Path) -> None:
    """A migration loses no rows, and may use them."""
    migrate(old, str(path), {1: FIRST, 2: SECOND, 3: THIRD})
    assert [row["name"] for row in old.execute("SELECT name FROM token")] == ["admin"]
    assert [row["colour"] for row in old.execute("SELECT colour FROM palette")] == ["t"]


def test_tokens_of_an_earlier_version(path: Path) -> None:
    """A token stays valid, with its name and role, and without a scope; its secret has a row of its own."""
    steps = _schemas()
    with closing(connect(str(path))) as connection:
        migrate(connection, str(path), {number: sql for number, sql in steps.items() if number <= BEFORE_SCOPES})
        connection.execute(TOKEN)
    store = new_store(str(path))
    known = store.open()
    result_of(store.close())
    [token], [secret] = known.tokens, known.token_secrets
    assert (token.id, token.name, token.role, token.scope, token.expires_at) == ("t", "admin", "admin", None, None)
    assert (secret.token, secret.digest, secret.expires_at) == ("t", b"\x00", None)


def test_a_copy_is_kept(old: sqlite3.Connection, path: Path) -> None:
    """Before a migration the whole database is copied beside itself."""
    before = shape(old)
    migrate(old, str(path), {1: FIRST, 2: SECOND, 3: THIRD})
    assert backups(path) == ["pushd.sqlite.backup-v1"]
    with closing(connect(f"{path}.backup-v1")) as copy:
        assert version(copy) == 1
        assert shape(copy) == before
        assert [row["name"] for row in copy.execute("SELECT name FROM token")] == ["admin"]


def test_an_older_copy_is_replaced(old: sqlite3.Connection, path: Path) -> None:
    """A copy that an interrupted migration left does not prevent the next."""
    Path(f"{path}.backup-v1").write_text("half of a copy")
    migrate(old, str(path), {1: FIRST, 2: SECOND})
    with closing(connect(f"{path}.backup-v1")) as copy:
        assert version(copy) == 1


def test_the_same_version_is_left_alone(old: sqlite3.Connection, path: Path) -> None:
    """A database that is up to date is not changed."""
    before = shape(old)
    migrate(old, str(path), {1: FIRST})
    assert shape(old) == before
    assert backups(path) == []


def test_a_step_that_fails_leaves_the_old_version(old: sqlite3.Connection, path: Path) -> None:
    """A migration that fails is undone, and can be tried again."""
    before = shape(old)
    with pytest.raises(sqlite3.OperationalError, match="nothing"):
        migrate(old, str(path), {1: FIRST, 2: FAILING})
    assert (shape(old), version(old)) == (before, 1)
    assert not old.in_transaction
    migrate(old, str(path), {1: FIRST, 2: SECOND})
    assert version(old) == 2


def test_steps_before_the_one_that_failed_are_kept(old: sqlite3.Connection, path: Path) -> None:
    """Each migration is applied as a whole or not at all."""
    with pytest.raises(sqlite3.OperationalError):
        migrate(old, str(path), {1: FIRST, 2: SECOND, 3: "INSERT INTO nothing VALUES (1)"})
    assert version(old) == 2


def test_a_newer_database_is_refused(old: sqlite3.Connection, path: Path) -> None:
    """An older program says which version is needed."""
    migrate(old, str(path), {1: FIRST, 2: SECOND})
    with pytest.raises(StoreRefused, match=r"newer pushd \(schema 2, this one knows 1\)"):
        migrate(old, str(path), {1: FIRST})
    assert version(old) == 2


def test_two_starts_make_one_database(path: Path) -> None:
    """Opening again does not change the schema."""
    shapes = []
    for _ in range(2):
        store = new_store(str(path))
        store.open()
        store.close()
        with closing(connect(str(path))) as connection:
            shapes.append(shape(connection))
    assert shapes[0] == shapes[1]


def test_commands_of_an_older_version_are_kept(path: Path) -> None:
    """They are there after a migration with each column, and are guarded like new ones."""
    before = {number: sql for number, sql in _schemas().items() if number <= 2}
    with closing(connect(str(path))) as connection:
        migrate(connection, str(path), before)
        connection.execute(
            "INSERT INTO command (id, device, state, payload, delivery, priority, ttl, created_at, expires_at,"
            " attempts, max_attempts, lease, deadline, sent_at, finished_at, result, evidence, matched_by, created_by)"
            " VALUES ('c', 'servereye:d', 'succeeded', '{}', 'at_most_once', 5, 300.0, 1, 300001, 1, 5, 30.0, 3600.0,"
            " 2, 3, '{}', 'device', 'message', 'admin')"
        )
        (old,) = (dict(row) for row in connection.execute("SELECT * FROM command"))
        migrate(connection, str(path))
        (new,) = (dict(row) for row in connection.execute("SELECT * FROM command"))
        assert {name: new[name] for name in old} == old
        for change in ("state = 'queued'", "matched_by = 'guess'", "lease_until = 1"):
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(f"UPDATE command SET {change}")


LARGE_TEXTS = """
INSERT INTO command (id, device, state, payload, delivery, priority, ttl, created_at, expires_at, attempts,
                     max_attempts, lease, deadline, sent_at, finished_at, result, evidence, created_by)
    SELECT state, 'servereye:d', state, '{"control":"X","data":"' || printf('%.*c', size, 'x') || '"}',
           'at_most_once', 5, 300.0, 1, 300001, state <> 'queued', 5, 30.0, 3600.0, 2, finished, result, 'device', 'a'
    FROM (SELECT 'succeeded' AS state, 70000 AS size, 3 AS finished,
                 '{"success":true,"data":"' || replace(printf('%.*c', 70000, 'x'), 'x', 'é') || '"}' AS result
          UNION ALL SELECT 'failed', 10, 3, '{"success":false}'
          UNION ALL SELECT 'unknown', 70000, 3, NULL
          UNION ALL SELECT 'queued', 70000, NULL, NULL);
"""
"""Commands of any earlier version, by their state: three have large payloads, one has a large result."""


@pytest.mark.parametrize("earlier", [number for number in _schemas() if number < 10])
def test_large_texts_are_whole_after_an_upgrade(path: Path, earlier: int) -> None:
    """They are shown, sent and judged as before; what may not be sent again is kept apart."""
    before = {number: sql for number, sql in _schemas().items() if number <= earlier}
    with closing(connect(str(path))) as connection:
        migrate(connection, str(path), before)
        connection.execute(
            "INSERT INTO device (id, dialect, name, tags, admission, presence, heartbeat_timeout,"
            " allow_from, created_at) VALUES ('servereye:d', 'servereye', '', '[]', 'approved', 'online', 1, '[]', 1)"
        )
        connection.executescript(LARGE_TEXTS)
        if earlier >= 6:  # since then the time to live runs by elapsed time, too
            connection.execute("UPDATE command SET expires_elapsed = expires_at")
        texts = {row["id"]: (row["payload"], row["result"]) for row in connection.execute("SELECT * FROM command")}
    store = new_store(str(path))
    when(store, Now(wall=10, steady=10)).open()
    for name, (payload, result) in texts.items():
        found = result_of(store.command(name))
        assert dict(found.payload) == json.loads(payload)
        assert text_of(found.result) == (result or "")
        assert found.endpoint == "X"
    [sent] = result_of(when(store, Now(wall=10, steady=10)).claim("servereye:d", None, False, 1)).dispatched
    assert write_message("d", "queued", sent.payload).count(b"x" * 70000) == 1
    with closing(connect(str(path))) as connection:
        kept = [tuple(row) for row in connection.execute("SELECT command, name FROM large_text ORDER BY name")]
    assert kept == [("succeeded", "payload"), ("succeeded", "result")]
    store.close()


CALLED = """
INSERT INTO command (id, device, state, payload, delivery, priority, ttl, created_at, expires_at, max_attempts, lease,
                     deadline, created_by)
    SELECT id, 'controlid:1', 'queued', payload, 'at_most_once', 5, 300.0, 1, 300001, 5, 30.0, 3600.0, 'admin'
    FROM (SELECT 'reader' AS id, '{"verb":"POST","endpoint":"load_objects"}' AS payload
          UNION ALL SELECT 'container', '{"control":"REFRESH_AGENT"}'
          UNION ALL SELECT 'batch', '{"transactions":[{"endpoint":"b"},{"endpoint":"a"},{"endpoint":"b"}]}'
          UNION ALL SELECT 'large reader', '{"endpoint":"load_objects","body":"' || printf('%.*c', 70000, 'x') || '"}'
          UNION ALL SELECT 'large batch', '{"transactions":[{"endpoint":"a"},{"endpoint":"b","body":"'
                                          || printf('%.*c', 70000, 'x') || '"}]}');
INSERT INTO event (type, at, device, data) VALUES ('device.online', 1000, 'controlid:1', '{}');
"""
"""Commands and an event of any earlier version."""

LARGE_ONES = """
INSERT INTO large_text SELECT id, 'payload', CAST(payload AS BLOB) FROM command WHERE length(payload) > 65536;
UPDATE command SET payload = 'large:' || id WHERE length(payload) > 65536;
"""
"""Where large payloads are since version 10."""


@pytest.mark.parametrize("earlier", [number for number in _schemas() if number < 14])
def test_what_commands_call_is_known_after_an_upgrade(path: Path, earlier: int) -> None:
    """Their endpoints are read from their payloads; who caused the events is not known."""
    before = {number: sql for number, sql in _schemas().items() if number <= earlier}
    with closing(connect(str(path))) as connection:
        migrate(connection, str(path), before)
        connection.executescript(CALLED if earlier < 10 else CALLED + LARGE_ONES)
        migrate(connection, str(path))
        found = {
            row["id"]: (row["endpoint"], row["endpoints"], row["trace"])
            for row in connection.execute("SELECT id, endpoint, endpoints, trace FROM command")
        }
        assert [row["by"] for row in connection.execute("SELECT by FROM event")] == [None]
    assert found == {
        "reader": ("load_objects", None, None),
        "container": ("REFRESH_AGENT", None, None),
        "batch": (None, '["b","a"]', None),
        "large reader": ("load_objects", None, None),
        "large batch": (None, '["a","b"]', None),
    }


DURATIONS = """
INSERT INTO command (id, device, state, payload, delivery, priority, ttl, created_at, expires_at, max_attempts, lease,
                     deadline, created_by) VALUES
    ('c', 'servereye:d', 'queued', '{}', 'at_most_once', 5, 300.0, 1, 300001, 5, 30.0, 3600.0, 'admin');
INSERT INTO device (id, dialect, name, tags, admission, presence, muted_until, heartbeat_timeout, allow_from,
                    created_at)
    VALUES ('servereye:d', 'servereye', '', '[]', 'approved', 'online', 7000000, 1200.0, '[]', 1);
INSERT INTO event (type, at, device, data) VALUES
    ('device.offline', 1000, 'servereye:d', '{}'), ('device.online', 4000000, 'servereye:d', '{"after":"offline"}'),
    ('device.offline', 5000000, 'servereye:d', '{}'), ('device.online', 5000001, 'servereye:d', '{"after":"offline"}'),
    ('device.online', 5000002, 'servereye:d', '{"after":"signed_off"}');
"""
"""What a database of any earlier version may have that a step of the wall clock used to change."""


@pytest.mark.parametrize("earlier", [number for number in _schemas() if number < 6])
def test_durations_go_on_after_an_upgrade(path: Path, earlier: int) -> None:
    """Times to live, mutes, and the changes of the last hour that count as flapping are the same as before."""
    before = {number: sql for number, sql in _schemas().items() if number <= earlier}
    with closing(connect(str(path))) as connection:
        migrate(connection, str(path), before)
        connection.executescript(DURATIONS)
        if earlier > 1:
            connection.execute("INSERT INTO alert (kind, raised_at, cleared_at) VALUES ('flapping', 1000, 3500)")
        migrate(connection, str(path))
        assert connection.execute("SELECT expires_elapsed FROM command").fetchone()[0] == 300001
        assert connection.execute("SELECT muted_elapsed FROM device").fetchone()[0] == 7000000
        changes = connection.execute("SELECT device, elapsed FROM presence_change ORDER BY id").fetchall()
        assert [tuple(row) for row in changes] == [
            ("servereye:d", 4000000),
            ("servereye:d", 5000000),
            ("servereye:d", 5000001),
        ]
        if earlier > 1:
            alert = connection.execute("SELECT raised_elapsed, duration FROM alert").fetchone()
            assert tuple(alert) == (1000, 2.5)


ALERTS = """
INSERT INTO silence VALUES
    ('controlid:1', NULL, 100, 30.0, 5), ('controlid:2', '192.0.2.1', 200, 60.5, 6);
INSERT INTO alert (id, kind, address, webhook, raised_at, cleared_at, acknowledged_at, acknowledged_by, look_at,
                   mail_at, mailed_at) VALUES
    (1, 'silence', NULL, NULL, 10, NULL, NULL, NULL, NULL, NULL, NULL),
    (2, 'silence', '192.0.2.1', NULL, 11, NULL, 12, 'ana', NULL, 99, 13),
    (3, 'silence', NULL, NULL, 12, 20, NULL, NULL, NULL, 98, NULL),
    (4, 'silence', '192.0.2.2', NULL, 13, 21, 14, 'bob', NULL, NULL, 15),
    (5, 'flapping', NULL, NULL, 14, NULL, NULL, NULL, 50, NULL, NULL),
    (6, 'webhook', NULL, 'wh', 15, NULL, NULL, NULL, NULL, NULL, NULL),
    (9, 'flapping', NULL, NULL, 16, 17, NULL, NULL, NULL, NULL, NULL);
INSERT INTO alert_device VALUES
    (1, 'controlid:3', 'silence', NULL), (2, 'controlid:4', 'silence', NULL), (2, 'controlid:5', 'silence', 19),
    (3, 'controlid:3', 'silence', 20), (4, 'controlid:4', 'silence', 21), (5, 'controlid:3', 'flapping', NULL),
    (9, 'controlid:5', 'flapping', 17);
INSERT INTO event (type, at, device, data) VALUES
    ('alert.raised', 10, 'controlid:3', '{"alert":"1","kind":"silence","devices":["controlid:3"],"count":1}'),
    ('alert.raised', 11, NULL, '{"alert":"2","kind":"silence","devices":["\u00e9","b"],"count":2,"address":"::1"}'),
    ('alert.acknowledged', 12, NULL, '{"alert":"4","kind":"silence","devices":["a"],"count":1,"by":"bob"}'),
    ('alert.acknowledged', 12, NULL, '{"alert":"7","kind":"silence","devices":["a","b"],"count":2,"by":"bob"}'),
    ('alert.cleared', 20, 'a', '{"alert":"3","kind":"silence","devices":["a"],"count":1,"duration":0.01}'),
    ('alert.raised', 14, 'a', '{"alert":"5","kind":"flapping","devices":["a"],"count":1}'),
    ('alert.raised', 15, NULL, '{"alert":"6","kind":"webhook","webhook":"wh"}'),
    ('command.cancelled', 16, 'a', '{"kind":"silence"}');
DELETE FROM alert WHERE id = 9;
"""
"""Alerts of each kind as an earlier version kept them: open, acknowledged, cleared, and one that was purged; devices
that wait out the time before their alert; and the events.
"""

NEW_KINDS = {1: "offline", 2: "site_offline", 3: "offline", 4: "site_offline", 5: "flapping", 6: "webhook"}


@pytest.fixture(params=[number for number in _schemas() if 1 < number < 4])
def alerted(request: pytest.FixtureRequest, path: Path) -> Iterator[sqlite3.Connection]:
    """A database of a version that had alerts of the kind ``silence``, brought up to date."""
    before = {number: sql for number, sql in _schemas().items() if number <= request.param}
    with closing(connect(str(path))) as connection:
        migrate(connection, str(path), before)
        connection.executescript(ALERTS)
        migrate(connection, str(path))
        yield connection


def test_alerts_of_kind_silence_are_of_kind_offline_or_site_offline(alerted: sqlite3.Connection) -> None:
    """An alert with an address was about a site, one without about a device; all else of it stays as it was."""
    alerts = alerted.execute(
        "SELECT id, kind, address, webhook, raised_at, cleared_at, acknowledged_at, acknowledged_by, recheck_at,"
        " mail_at, mailed_at FROM alert ORDER BY id"
    ).fetchall()
    assert {row["id"]: row["kind"] for row in alerts} == NEW_KINDS
    assert [tuple(row)[2:] for row in alerts] == [
        (None, None, 10, None, None, None, None, None, None),
        ("192.0.2.1", None, 11, None, 12, "ana", None, 99, 13),
        (None, None, 12, 20, None, None, None, 98, None),
        ("192.0.2.2", None, 13, 21, 14, "bob", None, None, 15),
        (None, None, 14, None, None, None, 50, None, None),
        (None, "wh", 15, None, None, None, None, None, None),
    ]
    counts = alerted.execute("SELECT id, count FROM alert WHERE count > 0 ORDER BY id").fetchall()
    assert [tuple(row) for row in counts] == [(1, 1), (2, 2), (3, 1), (4, 1), (5, 1)]
    devices = alerted.execute("SELECT alert, kind FROM alert_device WHERE alert <> 9").fetchall()
    assert [tuple(row) for row in devices if row["kind"] != NEW_KINDS[row["alert"]]] == []
    assert len(devices) == 6


def test_grace_periods_run_on_after_an_upgrade(alerted: sqlite3.Connection) -> None:
    """Offline devices whose alert was not raised yet wait for it as before."""
    pending = alerted.execute("SELECT device, address, offline_at, grace, grace_until FROM pending_outage").fetchall()
    assert [tuple(row) for row in pending] == [
        ("controlid:1", None, 100, 30.0, 5),
        ("controlid:2", "192.0.2.1", 200, 60.5, 6),
    ]


def test_events_about_alerts_name_the_new_kinds(alerted: sqlite3.Connection) -> None:
    """Consumers that read the feed again find the same kind in an event as in its alert, and nothing else changed."""
    old = [
        json.loads(line[line.index("'{") + 1 : line.rindex("}'") + 1]) for line in ALERTS.splitlines() if "'{" in line
    ]
    new = [json.loads(row["data"]) for row in alerted.execute("SELECT data FROM event ORDER BY seq")]
    kinds = ["offline", "site_offline", "site_offline", "site_offline", "offline", "flapping", "webhook", "silence"]
    assert new == [data | {"kind": kind} for data, kind in zip(old, kinds, strict=True)]


def test_ids_of_purged_alerts_are_not_given_again(alerted: sqlite3.Connection) -> None:
    """A new alert has a greater id than any before, though the newest was purged before the upgrade."""
    insert = "INSERT INTO alert (kind, raised_at) VALUES ('flapping', 30) RETURNING id"
    assert alerted.execute(insert).fetchone()["id"] == 10


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO alert (kind, raised_at) VALUES ('silence', 0)",
        "INSERT INTO alert (kind, raised_at) VALUES ('site_offline', 0)",
        "INSERT INTO alert (kind, address, raised_at) VALUES ('offline', '192.0.2.1', 0)",
        "INSERT INTO alert (kind, webhook, raised_at) VALUES ('webhook', 'wh', 0)",
        "INSERT INTO alert_device VALUES (8, 'controlid:4', 'offline', NULL)",
        "INSERT INTO alert_device VALUES (8, 'controlid:3', 'site_offline', NULL)",
        "INSERT INTO alert_device VALUES (8, 'controlid:3', 'flapping', NULL)",
    ],
)
def test_guards_of_alerts_hold_after_an_upgrade(alerted: sqlite3.Connection, change: str) -> None:
    """No alert has an old kind, or an address that does not fit its kind; no device is in two open ones as offline."""
    with pytest.raises(sqlite3.IntegrityError):
        alerted.execute(change)
    alerted.execute("INSERT INTO alert_device VALUES (8, 'controlid:4', 'flapping', NULL)")
    alerted.execute("INSERT INTO alert_device VALUES (8, 'controlid:5', 'offline', NULL)")


SERIALS = [0, 7, 3206485144263533, 36**5 * 2**32 - 2**32 + 2**24 - 1, 36**5 * 2**32, 2**24, -1, -(2**63), 2**63 - 1]


def test_devices_get_their_serial_numbers(path: Path) -> None:
    """Devices of an earlier version can be found by the serial numbers on their labels; others have none."""
    before = {number: sql for number, sql in _schemas().items() if number < 12}
    with closing(connect(str(path))) as connection:
        migrate(connection, str(path), before)
        connection.executemany(
            "INSERT INTO device (id, dialect, name, tags, admission, presence, heartbeat_timeout, allow_from,"
            " created_at) VALUES (?, ?, '', '[]', 'approved', 'online', 1, '[]', 1)",
            [(f"controlid:{number}", "controlid") for number in SERIALS] + [("servereye:7", "servereye")],
        )
        migrate(connection, str(path))
        found = {row["id"]: (row["serial"], row["facts"]) for row in connection.execute("SELECT * FROM device")}
    expected = {f"controlid:{number}": (to_serial(str(number)), "{}") for number in SERIALS}
    assert found == expected | {"servereye:7": (None, "{}")}
    assert [serial for serial, _ in expected.values()].count(None) == 5
