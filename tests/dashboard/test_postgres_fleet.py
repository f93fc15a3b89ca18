"""Tests of the dashboard of a server whose state is on PostgreSQL: stories of a fleet, once more."""

from collections.abc import Callable, Iterator

import pytest

from tests.dashboard.conftest import MakeServer
from tests.dashboard.on_postgres import on_postgres
from tests.dashboard.test_commands import (
    own,
    test_a_command_is_cancelled_and_sent_again,
    test_an_outage,
    test_hostile_and_large_content,
    test_the_inbox,
)
from tests.dashboard.test_now import test_approving, test_the_server_goes_away_and_comes_back
from tests.integration.server import Server
from tests.postgres import PostgresServer

__all__ = [
    "own",
    "test_a_command_is_cancelled_and_sent_again",
    "test_an_outage",
    "test_approving",
    "test_hostile_and_large_content",
    "test_the_inbox",
    "test_the_server_goes_away_and_comes_back",
]

pytestmark = pytest.mark.slow(seconds=20)


@pytest.fixture
def make_server(make_server: MakeServer, postgres_server: PostgresServer) -> Iterator[Callable[..., Server]]:
    """Makes servers on PostgreSQL."""
    with on_postgres(make_server, postgres_server) as make:
        yield make
