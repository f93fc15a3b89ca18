"""Server processes for tests; each is killed at the end."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import scalar_row

from tests.integration.nodes import Cluster
from tests.integration.server import OPEN, Server
from tests.postgres import PostgresServer

MakeServer = Callable[..., Server]


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    """Makes a server with its data in the test's directory; it is not started."""
    servers: list[Server] = []

    def make(*options: str, usual: Sequence[str] = OPEN, preexec: Callable[[], None] | None = None) -> Server:
        servers.append(Server(tmp_path, (*usual, *options), preexec))
        return servers[-1]

    yield make
    for server in servers:
        if server.starts:
            server.kill()


@pytest.fixture
def server(make_server: MakeServer) -> Server:
    """A running server that admits any device."""
    return make_server().start()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server that admits any device, shared by tests that each use devices of their own."""
    server = Server(tmp_path_factory.mktemp("shared"))
    try:
        yield server.start()
    finally:
        server.kill()


@pytest.fixture
def cluster(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Cluster]:
    """A database, and no node yet."""
    with (
        postgres_server.database() as url,
        psycopg.connect(url, autocommit=True, row_factory=scalar_row) as admin,
    ):
        cluster = Cluster(postgres_server, url, tmp_path, admin)
        yield cluster
        for node in cluster.nodes:
            node.kill()
        for poll in cluster.polls:
            poll.hang_up()
