"""Tests of the lifecycle table as SQL: each statement makes the moves of the table, and no other."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from typing import Any

import pytest
from attrs import frozen

from pushd.model.lifecycle import ENDED, LIFECYCLE, OUT, Delivery, Guard, Move, State, rules
from pushd.store.sqlite.connection import connect
from pushd.store.sqlite.migrations import migrate
from pushd.store.sqlite.store import MEMORY
from pushd.store.transaction import Statement
from pushd.store.transactions import lifecycle_guards
from tests.store.samples import STEADY, WALL, command_id

STATEMENTS: dict[Move, Statement] = {
    Move.SEND: lifecycle_guards.SEND,
    Move.UNSEND: lifecycle_guards.UNSEND,
    Move.ACKNOWLEDGE: lifecycle_guards.ACKNOWLEDGE,
    **lifecycle_guards.REPORTS,
    Move.LAPSE: lifecycle_guards.LAPSE,
    Move.EXPIRE: lifecycle_guards.EXPIRE,
    Move.CANCEL: lifecycle_guards.CANCEL,
    Move.FORGET: lifecycle_guards.FORGET,
    Move.RESTORE: lifecycle_guards.RESTORE,
    **lifecycle_guards.RESOLVES,
}

LEASE_MS = 60_000
MAX_ATTEMPTS = 2


@frozen(kw_only=True)
class Circumstances:
    """What guards and statements depend on."""

    delivery: Delivery
    attempts: int
    expires_in: int
    """Milliseconds."""

    @property
    def live(self) -> bool:
        """Whether the time to live is not over."""
        return self.expires_in > 0

    @property
    def repeatable(self) -> bool:
        """Whether another attempt may be made."""
        return self.delivery is Delivery.AT_LEAST_ONCE and self.attempts < MAX_ATTEMPTS and self.live

    def pass_guard(self, guard: Guard) -> bool:
        """The guard, read in Python."""
        return {
            Guard.ALWAYS: True,
            Guard.LIVE: self.live,
            Guard.UNTRIED: self.attempts == 0,
            Guard.TRIED: self.attempts > 0,
            Guard.REPEATABLE: self.repeatable,
            Guard.SPENT: not self.repeatable,
            Guard.AT_LEAST_ONCE: self.delivery is Delivery.AT_LEAST_ONCE,
        }[guard]

    def pass_statement(self, move: Move) -> bool:
        """The conditions of a statement beside the table: attempts that are left, a time that has come."""
        return {
            Move.SEND: self.attempts < MAX_ATTEMPTS,
            Move.UNSEND: self.attempts > 0,
            Move.EXPIRE: not self.live,
        }.get(move, True)


ALL_CIRCUMSTANCES = [
    Circumstances(delivery=delivery, attempts=attempts, expires_in=expires_in)
    for delivery, attempts, expires_in in product(Delivery, range(MAX_ATTEMPTS + 1), [-1, 0, 1])
]


UNSENT = frozenset({State.EXPIRED, State.CANCELLED})


def possible(state: State) -> list[Circumstances]:
    """All circumstances that a command in this state can be in."""
    if state is State.QUEUED:
        return ALL_CIRCUMSTANCES
    return [each for each in ALL_CIRCUMSTANCES if (each.attempts == 0) is (state in UNSENT)]


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    """An empty database that all tests of this module use."""
    with closing(connect(MEMORY)) as connection:
        migrate(connection, MEMORY)
        yield connection


@pytest.fixture
def connection(database: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """An empty database; what a test changes is rolled back."""
    database.execute("BEGIN")
    yield database
    database.execute("ROLLBACK")


def insert(connection: sqlite3.Connection, state: State, circumstances: Circumstances) -> None:
    """Store a command in these circumstances, whose lease has just run out."""
    values = {
        "id": command_id(1),
        "device": "controlid:1",
        "state": state,
        "payload": "{}",
        "delivery": circumstances.delivery,
        "priority": 5,
        "ttl": 300.0,
        "created_at": WALL,
        "expires_at": WALL + circumstances.expires_in,
        "expires_elapsed": WALL + circumstances.expires_in,
        "attempts": circumstances.attempts,
        "max_attempts": MAX_ATTEMPTS,
        "lease": LEASE_MS / 1000,
        "deadline": 3600.0,
        "lease_until": STEADY if state in OUT else None,
        "deadline_until": STEADY + LEASE_MS if state in OUT else None,
        "sent_at": WALL - LEASE_MS if circumstances.attempts else None,
        "finished_at": WALL - 1 if state in ENDED else None,
        "created_by": "admin",
    }
    names = ", ".join(values)
    connection.execute(f"INSERT INTO command ({names}) VALUES ({', '.join(':' + name for name in values)})", values)


def make(connection: sqlite3.Connection, move: Move, circumstances: Circumstances) -> State | None:
    """Run the statement for a move; the new state, or None if nothing was changed."""
    values: dict[str, Any] = {
        "id": command_id(1),
        "now": WALL,
        "elapsed": WALL,
        "steady": STEADY,
        "attempt": circumstances.attempts,
    }
    values |= {"result": None, "error": None, "late": 0, "matched_by": None}
    rows = connection.execute(STATEMENTS[move].sql, values).fetchall()
    return State(stored(connection)["state"]) if rows else None


def stored(connection: sqlite3.Connection) -> dict[str, Any]:
    """The stored command, column by column."""
    return dict(connection.execute("SELECT * FROM command").fetchone())


def allowed(state: State, move: Move, circumstances: Circumstances) -> State | None:
    """The state to which the table leads, read in Python; None if it allows no such move."""
    if not circumstances.pass_statement(move):
        return None
    targets = [rule.target for rule in rules(move) if rule.source is state and circumstances.pass_guard(rule.guard)]
    return targets[0] if targets else None


def test_each_move_has_its_statement() -> None:
    """There is a guarded statement for each move of the table."""
    assert set(STATEMENTS) == set(Move)


@pytest.mark.parametrize("move", Move)
@pytest.mark.parametrize("state", State)
def test_a_statement_makes_the_moves_of_the_table(connection: sqlite3.Connection, state: State, move: Move) -> None:
    """From each state, in all circumstances, the statement does what the table says and nothing else."""
    made, expected = {}, {}
    for circumstances in possible(state):
        insert(connection, state, circumstances)
        expected[circumstances] = allowed(state, move, circumstances)
        made[circumstances] = make(connection, move, circumstances)
        connection.execute("DELETE FROM command")
    assert made == expected


@pytest.mark.parametrize("move", Move)
@pytest.mark.parametrize("state", State)
def test_a_move_that_is_not_allowed_changes_nothing(connection: sqlite3.Connection, state: State, move: Move) -> None:
    """Where the table has no such move, each column of the command stays as it is."""
    for circumstances in possible(state):
        insert(connection, state, circumstances)
        before = stored(connection)
        if make(connection, move, circumstances) is None:
            assert stored(connection) == before
        connection.execute("DELETE FROM command")


@pytest.mark.parametrize(("source", "target"), list(product(State, State)), ids=str)
def test_the_database_itself_refuses_what_no_rule_allows(
    connection: sqlite3.Connection, source: State, target: State
) -> None:
    """Even a statement without a guard cannot make a move that is not in the table."""
    circumstances = Circumstances(delivery=Delivery.AT_LEAST_ONCE, attempts=1, expires_in=1)
    insert(connection, source, circumstances)
    forced = (
        "UPDATE command SET state = :target, lease_until = CASE WHEN :out THEN 1 ELSE NULL END,"
        " finished_at = CASE WHEN :ended THEN 1 ELSE NULL END"
    )
    values = {"target": target, "out": target in OUT, "ended": target in ENDED}
    if any((rule.source, rule.target) == (source, target) for rule in LIFECYCLE):
        connection.execute(forced, values)
        assert stored(connection)["state"] == target
    else:
        with pytest.raises(sqlite3.IntegrityError, match="no such move"):
            connection.execute(forced, values)
