"""Tests of query plans: on the hot path no table is scanned."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest

from pushd.model.lifecycle import State
from pushd.store.filters import CommandFilter
from pushd.store.sqlite.connection import connect
from pushd.store.sqlite.migrations import migrate
from pushd.store.sqlite.store import MEMORY
from pushd.store.transaction import Statement
from pushd.store.transactions import (
    command_lookup,
    devices,
    enqueue_claim,
    lifecycle_guards,
    queries,
    results,
    startup,
)

of = partial(CommandFilter, device="d")

HOT = {
    "candidates of a claim": enqueue_claim._CANDIDATES,
    "more queued": enqueue_claim._MORE,
    "next due": enqueue_claim._NEXT_DUE,
    "repeated poll": enqueue_claim._REPEATED,
    "may queue": enqueue_claim._MAY_QUEUE,
    "idempotency key": enqueue_claim._BY_KEY,
    "one command": command_lookup._BY_ID,
    "newest attempt": results._NEWEST,
    "by uuid": results._BY_UUID,
    "by message": results._BY_MESSAGE,
    "newest lapsed": results._LATEST_LAPSED,
    "batch": results._BATCH,
    "trim of orphans": results._TRIM,
    "expired": results._EXPIRED,
    "lapsed": results._LAPSED,
    "queue depth": devices._QUEUE_DEPTH,
    "open commands of a device": devices._OPEN_COMMANDS,
    "sign-off of a device": queries._SIGNED_OFF,
    "last event": queries._NEWEST,
    "oldest event": queries._OLDEST,
    "greatest id": startup._LAST_COMMAND,
    "send": lifecycle_guards.SEND,
    "unsend": lifecycle_guards.UNSEND,
    "acknowledge": lifecycle_guards.ACKNOWLEDGE,
    "lapse": lifecycle_guards.LAPSE,
    "expire": lifecycle_guards.EXPIRE,
    "cancel": lifecycle_guards.CANCEL,
}

SMALL = ("CONSTANT ROW", "sqlite_sequence", "(subquery-1)")
"""Tables with few rows, which may be scanned."""

OF_ONE_DEVICE = {
    "candidates of a claim": enqueue_claim._CANDIDATES,
    "may queue": enqueue_claim._MAY_QUEUE,
    "more queued": enqueue_claim._MORE,
    "next due": enqueue_claim._NEXT_DUE,
    "commands ahead": queries._AHEAD,
    "queue depth": devices._QUEUE_DEPTH,
    "open commands of a device": devices._OPEN_COMMANDS,
}

SORTED = ["candidates of a claim", "newest attempt", "by uuid", "newest lapsed", "expired", "lapsed"]


HISTORY = {
    "newest lapsed": (results._LATEST_LAPSED, "attempt_device (device=? AND serial>?)"),
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
    "commands in a state, of all devices": (
        queries.command_listing(CommandFilter(state=State.UNKNOWN), None)[0],
        "command_state (state=?)",
    ),
}
"""Statements about a few of the ended commands, each with the index that it must use."""


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    """An empty database; no test changes it."""
    with closing(connect(MEMORY)) as connection:
        migrate(connection, MEMORY)
        yield connection


def plan(connection: sqlite3.Connection, statement: Statement) -> list[str]:
    """The steps of SQLite's query plan."""
    rows = connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", defaultdict(int)).fetchall()
    return [row["detail"] for row in rows]


@pytest.mark.parametrize("name", HOT)
def test_hot_statements_use_an_index(connection: sqlite3.Connection, name: str) -> None:
    """However many commands are stored, finding the few that matter costs the same."""
    steps = plan(connection, HOT[name])
    assert steps
    assert not [step for step in steps if step.startswith("SCAN") and step.removeprefix("SCAN ") not in SMALL]


@pytest.mark.parametrize("name", SORTED)
def test_ordered_statements_do_not_sort(connection: sqlite3.Connection, name: str) -> None:
    """The first of many rows is found without sorting them."""
    assert not [step for step in plan(connection, HOT[name]) if "TEMP B-TREE" in step]


@pytest.mark.parametrize("name", OF_ONE_DEVICE)
def test_a_device_does_not_pay_for_the_others(connection: sqlite3.Connection, name: str) -> None:
    """Statements about one device read its open commands, not those of all devices or its whole history."""
    searched = [step for step in plan(connection, OF_ONE_DEVICE[name]) if "command" in step]
    assert searched
    for step in searched:
        assert "(device=? AND " in step
        assert any(
            index in step
            for index in ("command_queue", "command_due", "command_out", "command_ended (device=? AND state=?)")
        )


@pytest.mark.parametrize("name", HISTORY)
def test_a_device_does_not_pay_for_its_history(connection: sqlite3.Connection, name: str) -> None:
    """However long its history, rows of it are found by an index, and in order."""
    statement, found = HISTORY[name]
    first, *others = plan(connection, statement)
    assert first.endswith(found)
    assert not [step for step in others if "SCAN" in step or "TEMP B-TREE" in step]


OPEN = {
    State.QUEUED: ("command_expiry (state=?)", "command_queue (device=? AND state=?)"),
    State.SENT: ("command_lease (lease_until>?)", "command_out (device=? AND lease_until>?)"),
}


@pytest.mark.parametrize("state", OPEN)
def test_a_list_of_open_commands_does_not_read_ended_ones(connection: sqlite3.Connection, state: State) -> None:
    """However many commands have ended, those that are queued, or in flight, are listed by their own index."""
    for device, index in zip((None, "d"), OPEN[state], strict=True):
        listing, _ = queries.command_listing(CommandFilter(state=state, device=device), None)
        assert plan(connection, listing)[0].endswith(index)


@pytest.mark.parametrize("statement", [startup._REPORTABLE, startup._QUEUED], ids=lambda one: str(one.description))
def test_a_start_reads_only_open_commands(connection: sqlite3.Connection, statement: Statement) -> None:
    """However many commands have ended, a start reads only open and unknown ones."""
    steps = [step for step in plan(connection, statement) if "command" in step]
    assert steps
    for step in steps:
        assert any(index in step for index in ("command_queue", "command_out", "command_expiry", "command_state"))
