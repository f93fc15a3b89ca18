"""A database that tests use one after the other."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]
from twisted.internet.defer import gatherResults

from pushd.store.postgres.migrations import migrate
from pushd.store.postgres.session import SessionOptions
from pushd.store.postgres.store import PostgresStore
from tests.postgres import PostgresServer, ReusedDatabase
from tests.store.clock import new_postgres_store
from tests.store.reactor import ReactorWithManualClock

_FUNCTION = "RETURNS bigint LANGUAGE sql AS 'SELECT by FROM moved'"


@pytest.fixture(scope="session")
def moved_database(postgres_server: PostgresServer) -> Iterator[ReusedDatabase]:
    """An empty database whose clock only tests move."""
    with postgres_server.database() as url:
        with closing(SessionOptions(url=url, node="tests").connect()) as connection:
            migrate(connection)
            connection.execute("CREATE TABLE moved AS SELECT 1000000000::bigint AS by")
            connection.execute(
                "CREATE OR REPLACE FUNCTION wall_ms() RETURNS bigint LANGUAGE sql AS 'SELECT by FROM moved'"
            )
        database = ReusedDatabase(url)
        database.save("empty")
        yield database


@pytest.fixture
def database(moved_database: ReusedDatabase) -> str:
    """The URL of an empty database whose clock only the test moves."""
    moved_database.restore("empty")
    return moved_database.url


@pytest.fixture
def stores(postgres_database: ReusedDatabase) -> Iterator[tuple[PostgresStore, PostgresStore]]:
    """Two stores with one database in which two devices are approved."""
    postgres_database.restore("two_devices")
    reactor: Any = ReactorWithManualClock()
    stores = [new_postgres_store(postgres_database.url, reactor, node) for node in "ab"]
    for store in stores:
        store.open()
    yield stores[0], stores[1]
    pytest_twisted.blockon(gatherResults([store.close() for store in stores]))
