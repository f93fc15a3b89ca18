"""Tests of what the start looks at in PostgreSQL."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from twisted.logger import capturedLogs, formatEvent

from pushd.model.errors import StoreRefused
from pushd.store.postgres.server_checks import check_server
from pushd.store.postgres.session import Connection, SessionOptions
from tests.postgres import ReusedDatabase

Sessions = tuple[Connection, Connection]


@pytest.fixture
def sessions(postgres_database: ReusedDatabase) -> Iterator[Sessions]:
    """Two sessions."""
    options = SessionOptions(url=postgres_database.url, node="tests", is_writer=True)
    with closing(options.connect()) as one, closing(options.connect()) as other:
        yield one, other


def test_the_log_says_how_durable_commits_are(sessions: Sessions) -> None:
    """It names the settings that decide what a power cut, or the loss of a server, may take."""
    with capturedLogs() as logged:
        check_server(*sessions)
    first, *warnings = [formatEvent(event) for event in logged]
    assert "synchronous_commit is on, synchronous standbys: none" in first
    assert all("a power cut may lose what was answered" in warning for warning in warnings)


def test_a_pooler_that_gives_each_transaction_another_session_is_refused(sessions: Sessions) -> None:
    """Locks, settings and notifications belong to a session: of two that are one, the second gets the first's."""
    one, _ = sessions
    with pytest.raises(StoreRefused, match="let it pool by session"):
        check_server(one, one)


def test_commits_are_durable_whatever_the_default(postgres_database: ReusedDatabase) -> None:
    """A database whose default is not to wait for the disk is set to wait, and one that waits for more is left."""
    options = SessionOptions(url=postgres_database.url, node="tests", is_writer=True)
    found = {}
    for default in ("off", "local", "on", "remote_apply"):
        url = f"{postgres_database.url}{'&' if '?' in postgres_database.url else '?'}options=-csynchronous_commit%3D"
        with closing(SessionOptions(url=url + default, node=options.node, is_writer=True).connect()) as connection:
            row = connection.execute("SHOW synchronous_commit").fetchone()
            found[default] = row and row["synchronous_commit"]
    assert found == {"off": "on", "local": "on", "on": "on", "remote_apply": "remote_apply"}
