"""Tests of operations that share a transaction on PostgreSQL."""

from collections.abc import Iterator

import pytest
import pytest_twisted  # type: ignore[import-untyped]
from twisted.python.failure import Failure

from pushd.model.errors import Unavailable
from pushd.rules.queueing import Enqueue
from pushd.store.group_commit import PendingTransaction
from pushd.store.overlay import decide
from pushd.store.postgres.store import PostgresStore
from pushd.store.transaction import ITransaction, Statement
from tests.postgres import ReusedDatabase
from tests.store.clock import new_postgres_store
from tests.store.samples import LIMIT, draft


@pytest.fixture
def store(postgres_database: ReusedDatabase) -> Iterator[PostgresStore]:
    """An open store without threads."""
    postgres_database.restore("two_devices")
    store = new_postgres_store(postgres_database.url)
    store.open()
    yield store
    pytest_twisted.blockon(store.close())


@pytest.mark.parametrize("text", ["\0", "\ud800"])
async def test_text_that_cannot_be_stored_fails_alone(store: PostgresStore, text: str) -> None:
    """PostgreSQL takes neither NUL nor half of a surrogate pair; other operations of the group are committed."""
    rules = [Enqueue(draft(trace=trace), False, LIMIT) for trace in ("before", text, "behind")]
    group = [PendingTransaction(decide, (rule,)) for rule in rules]
    outcome = store._writer.groups.connection.run(group)  # type: ignore[attr-defined]
    assert outcome.done == group
    first, failed, last = (pending.outcome for pending in group)
    assert isinstance(failed, Failure)
    assert failed.check(Unavailable)
    for command, _ in (first, last):
        assert (await store.command(command.id)).trace == command.trace


_SLEEP = Statement("sleep", "SELECT pg_sleep(0.8)")


def _sleep(tx: ITransaction) -> None:
    tx.rows(_SLEEP)


@pytest.mark.slow(seconds=6)
async def test_slow_operations_are_committed_in_parts(store: PostgresStore) -> None:
    """Operations that together take longer than PostgreSQL lets a transaction last are spread over several."""
    groups = store._writer.groups  # type: ignore[attr-defined]
    group = [PendingTransaction(_sleep, ()) for _ in range(7)]
    outcome = groups.run(group)
    assert 1 < len(outcome.done) < len(group)
    while groups:
        outcome += groups.run([])
    assert outcome.done == group
    assert not any(isinstance(pending.outcome, Failure) for pending in group)
