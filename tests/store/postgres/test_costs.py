"""Tests of what PostgreSQL has to do for the usual operations."""

from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]

from pushd.rules.queueing import ClaimNext
from pushd.rules.reporting import Acknowledge
from pushd.store.overlay import decide
from pushd.store.postgres.store import PostgresStore
from pushd.store.transaction import ITransaction, Statement
from tests.postgres import ReusedDatabase
from tests.store.clock import new_postgres_store
from tests.store.samples import READER, command_id
from tests.store.steps import put

_UPDATES = Statement(
    "count updates",
    "SELECT n_tup_upd AS updated, n_tup_hot_upd AS hot FROM pg_stat_xact_user_tables"
    " WHERE relid = 'command'::regclass",
)


@pytest.fixture
def store(postgres_database: ReusedDatabase) -> Iterator[PostgresStore]:
    """An open store without threads."""
    postgres_database.restore("two_devices")
    store = new_postgres_store(postgres_database.url)
    store.open()
    yield store
    pytest_twisted.blockon(store.close())


async def test_sending_and_acknowledging_write_no_index(store: PostgresStore) -> None:
    """No index has a column that they change, and pages keep free space for the new version of a row."""
    await put(store, 1)

    def claim(tx: ITransaction) -> list[Any]:
        ClaimNext(READER, None, False, 1).decide(tx.commands)
        Acknowledge(READER, command_id(1)).decide(tx.commands)
        tx.commands.save()
        tx.commands.change(tx.commands.open_of(READER)[0].changed())
        tx.commands.save()
        return [dict(row) for row in tx.rows(_UPDATES)]

    class Rule:
        def needs(self) -> Any:
            return ClaimNext(READER, None, False, 1).needs()

        def decide(self, view: Any) -> Any:
            return claim(view.tx)

    assert await store._writer.submit(decide, Rule()) == [{"updated": 2, "hot": 2}]
