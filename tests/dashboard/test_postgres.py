"""Tests of the dashboard of a server whose state is on PostgreSQL: stories of one device and of people, once more."""

from collections.abc import Callable, Iterator

import pytest

from tests.dashboard.conftest import MakeServer
from tests.dashboard.on_postgres import on_postgres
from tests.dashboard.test_administration import (
    test_a_person_is_added_and_logs_in,
    test_a_token_is_made_used_rotated_and_revoked,
)
from tests.dashboard.test_login import test_a_session_that_ends, test_an_invitation
from tests.dashboard.test_open import (
    own,
    test_a_door_opens,
    test_a_reader_that_does_not_poll_or_answer,
    test_a_simulated_reader,
)
from tests.integration.server import Server
from tests.postgres import PostgresServer

__all__ = [
    "own",
    "test_a_door_opens",
    "test_a_person_is_added_and_logs_in",
    "test_a_reader_that_does_not_poll_or_answer",
    "test_a_session_that_ends",
    "test_a_simulated_reader",
    "test_a_token_is_made_used_rotated_and_revoked",
    "test_an_invitation",
]

pytestmark = pytest.mark.slow(seconds=20)


@pytest.fixture
def make_server(make_server: MakeServer, postgres_server: PostgresServer) -> Iterator[Callable[..., Server]]:
    """Makes servers on PostgreSQL."""
    with on_postgres(make_server, postgres_server) as make:
        yield make
