"""Tests of how often a group of operations waits for an answer of PostgreSQL."""

from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]
from attrs import evolve
from twisted.python.failure import Failure

from pushd.model.token import Role, Token
from pushd.rules.queueing import ClaimNext, Enqueue, FindEarlier
from pushd.rules.reporting import Acknowledge, Settle
from pushd.rules.view import Rule
from pushd.store.group_commit import PendingTransaction
from pushd.store.overlay import decide
from pushd.store.postgres.store import PostgresStore
from tests.harness.round_trips import count_round_trips
from tests.postgres import ReusedDatabase
from tests.store.clock import new_postgres_store
from tests.store.samples import LIMIT, StubResult, device, draft

DEVICES = 100


@pytest.fixture
def store(postgres_database: ReusedDatabase) -> Iterator[PostgresStore]:
    """An open store without threads, with many devices."""
    postgres_database.restore("empty")
    store = new_postgres_store(postgres_database.url)
    store.open()
    for number in range(DEVICES):
        pytest_twisted.blockon(store.add_device(device(f"controlid:{number}"), False))
    yield store
    pytest_twisted.blockon(store.close())


@pytest.mark.parametrize("devices", [1, DEVICES])
async def test_a_group_takes_two_round_trips(store: PostgresStore, tmp_path: Path, devices: int) -> None:
    """One to lock and read all that its operations look at, with what admits who wants them, and one to write all that
    they change, however many.
    """
    tokens = [await store.add_token(Token(id=f"t{n}", name=f"t{n}", role=Role.OPERATOR), b"%d" % n) for n in range(3)]
    admitted = [await store.stored_device(f"controlid:{number}") for number in range(devices)]
    revisions = [stored.device.revision for stored in admitted if stored is not None]
    connection = store._writer.groups.connection  # type: ignore[attr-defined]
    connection.session.clock = lambda: 0.0  # plans are kept

    def run(rules: Sequence[Rule[object]]) -> list[Any]:
        group = [PendingTransaction(decide, (rule,)) for rule in rules]
        with count_round_trips(connection.session.connection, tmp_path / "trace") as counted:
            connection.run(group)
        outcomes = [pending.outcome for pending in group]
        assert not any(isinstance(outcome, Failure) for outcome in outcomes)
        assert counted.round_trips == 2
        return outcomes

    names = [f"controlid:{number}" for number in range(devices)]
    revision_of = dict(zip(names, revisions, strict=True))
    drafts = [
        evolve(draft(name, key="once", fingerprint=b"f"), token=token.known_revision)
        for name, token in zip(names, cycle(tokens), strict=False)
    ]
    assert None not in (*revisions, *(each.token for each in drafts))
    put = run([Enqueue(each, False, LIMIT) for each in drafts])
    again = run([FindEarlier("admin", name, "once", b"f") for name in names])
    assert [command.id for command in again] == [command.id for command, _ in put]
    claims = run([ClaimNext(name, "u", True, 1, revision=revision_of[name]) for name in names])
    assert all(len(claim.dispatched) == 1 for claim in claims)
    run([Acknowledge(name, command.id, revision_of[name]) for name, (command, _) in zip(names, put, strict=True)])
    run([Settle(name, StubResult(uuid="u"), revision_of[name]) for name in names])
