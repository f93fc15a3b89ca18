"""Servers for tests; none outlives its test."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.integration.server import OPEN, Server

MakeServer = Callable[..., Server]


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    """Makes a server that keeps its state in the test's folder; not started yet."""
    servers: list[Server] = []

    def make(*options: str, usual: Sequence[str] = OPEN, before: Callable[[], None] | None = None) -> Server:
        servers.append(Server(tmp_path, (*usual, *options), before))
        return servers[-1]

    yield make
    for server in servers:
        if server.runs:
            server.kill()


@pytest.fixture
def server(make_server: MakeServer) -> Server:
    """A server of the test's own that is open to any device."""
    return make_server().start()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that is open to any device, for tests that can share it: each has devices of its own."""
    server = Server(tmp_path_factory.mktemp("shared"))
    try:
        yield server.start()
    finally:
        server.kill()
