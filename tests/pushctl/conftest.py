"""A recorded server and a desk before it."""

import pytest
from twisted.internet.task import Clock

from tests.pushctl.recorded import Desk, RecordedServer


@pytest.fixture
def server(clock: Clock) -> RecordedServer:
    """A server that knows nothing yet."""
    return RecordedServer(clock)


@pytest.fixture
def desk(server: RecordedServer, clock: Clock) -> Desk:
    """Where ``pushctl`` speaks to that server."""
    return Desk(server, clock)
