"""What the tests of the dialects share."""

import pytest

from tests.dialects.speakers import SPEAKERS, Speaker
from tests.in_memory_server import build_house, server

__all__ = ["build_house", "server", "speaker"]


@pytest.fixture(params=SPEAKERS, ids=lambda speaker: speaker.device.partition(":")[0])
def speaker(request: pytest.FixtureRequest) -> Speaker:
    """A device of each dialect in turn."""
    found: Speaker = request.param
    return found
