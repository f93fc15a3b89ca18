"""A fake server, and ``pushctl`` as its client."""

import pytest
from twisted.internet.task import Clock

from tests.pushctl.fake_server import FakeServer, Pushctl


@pytest.fixture
def server(clock: Clock) -> FakeServer:
    """A server that has no answers yet."""
    return FakeServer(clock)


@pytest.fixture
def pushctl(server: FakeServer, clock: Clock) -> Pushctl:
    """Runs ``pushctl`` against that server."""
    return Pushctl(server, clock)
