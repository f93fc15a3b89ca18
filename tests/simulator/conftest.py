"""What the tests of the simulator share."""

import pytest
from twisted.internet.task import Clock

from tests.simulator.counterpart import Counterpart


@pytest.fixture
def server(clock: Clock) -> Counterpart:
    """A server that a test answers for."""
    return Counterpart(clock)
