"""Fixtures of the tests of the simulator."""

import pytest
from twisted.internet.task import Clock

from tests.simulator.fake_server import FakeServer


@pytest.fixture
def server(clock: Clock) -> FakeServer:
    """A server whose responses the test sends."""
    return FakeServer(clock)
