"""Tests of rejections that processes show each other."""

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from attrs import evolve

from pushd.model.rejection import Rejection, RejectionReason
from pushd.store.postgres.store import PostgresStore
from tests.postgres import ReusedDatabase
from tests.results import result_of
from tests.store.clock import new_postgres_store

REJECTION = Rejection(
    address="192.0.2.1",
    path="/controlid/push",
    reason=RejectionReason.WRONG_BASE,
    count=2,
    first_at=1_000,
    last_at=2_000,
    device="controlid:7",
    remedy="did you mean --base /controlid?",
)
NOT_HTTP = evolve(REJECTION, reason=RejectionReason.NOT_HTTP, address=None, path=None, device=None)


@pytest.fixture
def stores(postgres_database: ReusedDatabase) -> Iterator[list[PostgresStore]]:
    """Two stores with one database."""
    postgres_database.restore("empty")
    stores = [new_postgres_store(postgres_database.url, None, node) for node in "ab"]
    for store in stores:
        store.open()
    yield stores
    for store in stores:
        result_of(store.close())


def test_what_another_node_has_saved_last_is_read(stores: list[PostgresStore]) -> None:
    """A node reads of the other one what that saved last, and nothing of its own."""
    first, second = stores
    result_of(first.save_rejections([NOT_HTTP, REJECTION]))
    result_of(first.save_rejections([REJECTION]))
    result_of(second.save_rejections([NOT_HTTP]))
    assert result_of(second.rejections_elsewhere()) == {"a": [REJECTION]}
    assert result_of(first.rejections_elsewhere()) == {"b": [NOT_HTTP]}


def test_rejections_of_a_node_that_starts_again_are_gone(
    stores: list[PostgresStore], postgres_database: ReusedDatabase
) -> None:
    """They were in the memory of the process that has ended."""
    first, second = stores
    result_of(first.save_rejections([REJECTION]))
    again = new_postgres_store(postgres_database.url, None, "a")
    again.open()
    assert result_of(second.rejections_elsewhere()) == {}
    result_of(again.close())


def test_reason_of_a_newer_version(stores: list[PostgresStore], postgres_database: ReusedDatabase) -> None:
    """While nodes are upgraded, a reason that only newer ones know is left out, and the others are listed."""
    first, second = stores
    result_of(first.save_rejections([NOT_HTTP, REJECTION]))
    with closing(psycopg.connect(postgres_database.url, autocommit=True)) as other:
        other.execute("UPDATE rejection SET items = replace(items, '\"not_http\"', '\"new_reason\"')")
    assert result_of(second.rejections_elsewhere()) == {"a": [REJECTION]}
