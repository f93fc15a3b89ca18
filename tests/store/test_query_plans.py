"""Tests of how the database finds what it is asked for: on the hot path nothing is ever searched row by row."""

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
    "what is out": enqueue_claim._REPEATED,
    "what is asked before a put": enqueue_claim._MAY_QUEUE,
    "idempotency key": enqueue_claim._BY_KEY,
    "one command": command_lookup._BY_ID,
    "newest attempt": results._NEWEST,
    "by uuid": results._BY_UUID,
    "by message": results._BY_MESSAGE,
    "latest that lapsed": results._LATEST_LAPSED,
    "what went together": results._BATCH,
    "trim of orphans": results._TRIM,
    "what expires": results._EXPIRED,
    "what lapses": results._LAPSED,
    "load of a device": devices._QUEUE_DEPTH,
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
"""What has a row or two, or no more than its limit, and may be read as a whole."""

OF_ONE_DEVICE = {
    "candidates of a claim": enqueue_claim._CANDIDATES,
    "what is asked before a put": enqueue_claim._MAY_QUEUE,
    "more queued": enqueue_claim._MORE,
    "next due": enqueue_claim._NEXT_DUE,
    "what goes before": queries._AHEAD,
    "load of a device": devices._QUEUE_DEPTH,
    "open commands of a device": devices._OPEN_COMMANDS,
}

SORTED = ["candidates of a claim", "newest attempt", "by uuid", "latest that lapsed", "what expires", "what lapses"]


A_PART_OF_ONE_DEVICE = {
    "latest that lapsed": (results._LATEST_LAPSED, "attempt_device (device=? AND serial>?)"),
    "commands in a state": (
        queries.command_listing(of(state=State.FAILED), None)[0],
        "command_ended (device=? AND state=?)",
    ),
    "the next of them": (
        queries.command_listing(of(state=State.UNKNOWN), "x")[0],
        "command_ended (device=? AND state=? AND id<?)",
    ),
    "commands in a state, of all devices": (
        queries.command_listing(CommandFilter(state=State.UNKNOWN), None)[0],
        "command_state (state=?)",
    ),
}
"""What asks for a few of all that one device, or all devices, ever had, with how they are found."""


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    """An empty database; no test changes it."""
    with closing(connect(MEMORY)) as connection:
        migrate(connection, MEMORY)
        yield connection


def plan(connection: sqlite3.Connection, statement: Statement) -> list[str]:
    """What the database would do, step by step."""
    rows = connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", defaultdict(int)).fetchall()
    return [row["detail"] for row in rows]


@pytest.mark.parametrize("name", HOT)
def test_what_is_asked_often_is_found_by_an_index(connection: sqlite3.Connection, name: str) -> None:
    """However many commands are kept, finding the few that matter costs the same."""
    steps = plan(connection, HOT[name])
    assert steps
    assert not [step for step in steps if step.startswith("SCAN") and step.removeprefix("SCAN ") not in SMALL]


@pytest.mark.parametrize("name", SORTED)
def test_what_is_asked_in_order_is_stored_in_order(connection: sqlite3.Connection, name: str) -> None:
    """The first of many is found without sorting the many."""
    assert not [step for step in plan(connection, HOT[name]) if "TEMP B-TREE" in step]


@pytest.mark.parametrize("name", OF_ONE_DEVICE)
def test_a_device_does_not_pay_for_the_others(connection: sqlite3.Connection, name: str) -> None:
    """What concerns one device is found among what is open for it, not among all devices' commands or its whole
    history.
    """
    searched = [step for step in plan(connection, OF_ONE_DEVICE[name]) if "command" in step]
    assert searched
    for step in searched:
        assert "(device=? AND " in step
        assert any(
            index in step
            for index in ("command_queue", "command_due", "command_out", "command_ended (device=? AND state=?)")
        )


@pytest.mark.parametrize("name", A_PART_OF_ONE_DEVICE)
def test_a_device_does_not_pay_for_its_history(connection: sqlite3.Connection, name: str) -> None:
    """However long a device has been there, what is asked of its past is found at once, and in order."""
    statement, found = A_PART_OF_ONE_DEVICE[name]
    first, *others = plan(connection, statement)
    assert first.endswith(found)
    assert not [step for step in others if "SCAN" in step or "TEMP B-TREE" in step]


@pytest.mark.parametrize("statement", [startup._REPORTABLE, startup._QUEUED], ids=lambda one: str(one.description))
def test_a_start_looks_only_at_what_is_open(connection: sqlite3.Connection, statement: Statement) -> None:
    """However many commands have ended, a server that starts reads those that have not, and those in doubt."""
    looks = [step for step in plan(connection, statement) if "command" in step]
    assert looks
    for step in looks:
        assert any(index in step for index in ("command_queue", "command_out", "command_expiry", "command_state"))
