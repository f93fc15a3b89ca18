"""Server processes for tests; each is killed at the end."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.integration.server import OPEN, Server

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
