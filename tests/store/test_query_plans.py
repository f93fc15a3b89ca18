"""Tests of query plans: on the hot path no table is scanned."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from pushd.model.lifecycle import State
from pushd.store import command_rows, device_indexes
from pushd.store.filters import CommandFilter
from pushd.store.sqlite.connection import connect
from pushd.store.sqlite.migrations import migrate
from pushd.store.sqlite.store import MEMORY
from pushd.store.transaction import Statement
from pushd.store.transactions import queries, startup

of = partial(CommandFilter, device="d")

HOT = {
    "command by id": command_rows._BY_ID,
    "idempotency key": command_rows._BY_KEY,
    "device": command_rows._DEVICE,
    "newest attempt": command_rows._NEWEST,
    "by uuid": command_rows._BY_UUID,
    "newest lapsed": command_rows._LATEST_LAPSED,
    "trim of orphans": command_rows._TRIM,
    "save of a command": command_rows.SAVE,
    "save of a result": command_rows.SAVE_WITH_RESULT,
    "delete of an attempt": command_rows._DELETE_ATTEMPT,
    "sign-off of a device": queries._SIGNED_OFF,
    "last event": queries._NEWEST,
    "oldest event": queries._OLDEST,
    "greatest id": command_rows._LAST,
}

SMALL = ("CONSTANT ROW", "sqlite_sequence", "(subquery-1)")
"""Tables with few rows, which may be scanned."""


HISTORY = {
    "newest lapsed": (command_rows._LATEST_LAPSED, "attempt_handover (handover=?)"),
    "commands in a state": (
        queries.command_listing(of(state=State.FAILED), None)[0],
        "command_ended (device=? AND state=?)",
    ),
    "the next of them": (
        queries.command_listing(of(state=State.UNKNOWN), "x")[0],
        "command_ended (device=? AND state=? AND id<?)",
    ),
    "new commands": (queries.command_listing(CommandFilter(since=1), None)[0], "PRIMARY KEY (id>?)"),
    "the next of a device's new ones": (
        queries.command_listing(of(since=1), "x")[0],
        "command_device (device=? AND id>? AND id<?)",
    ),
    "new commands in a state": (
        queries.command_listing(CommandFilter(state=State.FAILED, since=1), None)[0],
        "command_state (state=? AND id>?)",
    ),
    "commands with a trace": (
        queries.command_listing(CommandFilter(trace="t"), "x")[0],
        "command_trace (trace=? AND id<?)",
    ),
    "a device's commands with a trace": (
        queries.command_listing(of(trace="t"), "x")[0],
        "command_trace (trace=? AND id<?)",
    ),
    "a device's failed commands with a trace": (
        queries.command_listing(of(trace="t", state=State.FAILED), None)[0],
        "command_trace (trace=?)",
    ),
    "commands in a state, of all devices": (
        queries.command_listing(CommandFilter(state=State.UNKNOWN), None)[0],
        "command_state (state=?)",
    ),
}
"""Statements about a few of the ended commands, each with the index that it must use."""


ROWS = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO event (type, at, device, data) SELECT 'device.online', i, 'controlid:' || (i % 100), '{}' FROM n;
ANALYZE;
"""


@pytest.fixture(scope="module", params=["empty", "analyzed"])
def connection(request: pytest.FixtureRequest) -> Iterator[sqlite3.Connection]:
    """A database that is empty, or has rows and was analyzed, as an administrator may do; no test changes it."""
    with closing(connect(MEMORY)) as connection:
        migrate(connection, MEMORY)
        if request.param == "analyzed":
            connection.executescript(ROWS)
        yield connection


def plan(connection: sqlite3.Connection, statement: Statement) -> list[str]:
    """The steps of SQLite's query plan."""
    values: Any = (None,) * statement.sql.count("?") if "?" in statement.sql else defaultdict(int)
    rows = connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", values).fetchall()
    return [row["detail"] for row in rows]


SCANS = ("SCAN command", "SCAN attempt", "SCAN event")


def without_new_rows(steps: list[str]) -> list[str]:
    """The steps of a plan, without those that read the result of another one, and those that find where the rows begin
    that no index of devices has: they read these rows, and one more.
    """
    is_found = [one.startswith("SCALAR SUBQUERY") and other in SCANS for one, other in pairwise(["", *steps])]
    results = {step.replace("CO-ROUTINE", "SCAN") for step in steps if step.startswith("CO-ROUTINE")}
    return [step for step, found in zip(steps, is_found, strict=True) if not found and step not in results]


@pytest.mark.parametrize("name", HOT)
def test_hot_statements_use_an_index(connection: sqlite3.Connection, name: str) -> None:
    """However many commands are stored, finding the few that matter costs the same."""
    steps = without_new_rows(plan(connection, HOT[name]))
    assert steps
    assert not [step for step in steps if step.startswith("SCAN") and step.removeprefix("SCAN ") not in SMALL]


@pytest.mark.parametrize("name", HISTORY)
def test_a_device_does_not_pay_for_its_history(connection: sqlite3.Connection, name: str) -> None:
    """However long its history, rows of it are found by an index, and in order."""
    statement, found = HISTORY[name]
    steps = without_new_rows(plan(connection, statement))
    assert next(step for step in steps if step.startswith("SEARCH")).endswith(found)
    assert not [step for step in steps if "SCAN" in step or "TEMP B-TREE" in step]


@pytest.mark.parametrize("statement", device_indexes._ADD, ids=lambda one: str(one.description))
def test_a_batch_is_found_by_its_keys(connection: sqlite3.Connection, statement: Statement) -> None:
    """However many rows a table has, those that are added to the indexes of devices are found without the others."""
    [step] = [step for step in without_new_rows(plan(connection, statement)) if step.startswith("SEARCH")]
    assert "PRIMARY KEY" in step


def test_events_of_some_devices_are_found_by_their_index(connection: sqlite3.Connection) -> None:
    """However many events other devices have, those of some are found without them."""
    listing = Statement("list events", queries._EVENTS_OF_FEW.format(where="seq > :after AND seq <= :until"))
    for statement in (listing, queries._SLICE_OF_FEW):
        first, *others = [step for step in without_new_rows(plan(connection, statement)) if " event " in step]
        assert "INDEX event_device (device=? AND seq>?" in first
        assert all("PRIMARY KEY (rowid>?" in step for step in others)


OPEN = [startup._UNKNOWN, command_rows._OPEN, command_rows._VERSIONS]


@pytest.mark.parametrize("statement", OPEN, ids=lambda one: str(one.description))
def test_a_start_reads_only_open_commands(connection: sqlite3.Connection, statement: Statement) -> None:
    """However many commands have ended, a start reads only open and unknown ones."""
    steps = [step for step in plan(connection, statement) if "command" in step and "attempt" not in step]
    assert steps
    for step in steps:
        assert any(index in step for index in ("command_open", "command_state")), steps


@pytest.mark.parametrize("device", [None, "d"])
@pytest.mark.parametrize("state", [State.QUEUED, State.SENT, State.ACKNOWLEDGED])
def test_a_list_of_open_commands_does_not_read_ended_ones(
    connection: sqlite3.Connection, state: State, device: str | None
) -> None:
    """However many commands have ended, those that are queued, or in flight, are listed by their own index."""
    listing, _ = queries.command_listing(CommandFilter(state=state, device=device), "x", "a")
    assert plan(connection, listing) == ["SEARCH command USING INDEX command_open (id>? AND id<?)"]


@pytest.mark.parametrize(
    ("statement", "index"), [(queries._QUEUED, "command_open"), (queries._UNKNOWN, "command_state")]
)
def test_counting_reads_what_is_counted(connection: sqlite3.Connection, statement: Statement, index: str) -> None:
    """However many commands have ended, counting the queued and the unknown ones does not read the others."""
    assert index in plan(connection, statement)[0]
