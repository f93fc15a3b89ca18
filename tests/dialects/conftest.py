"""Fixtures of the dialect tests."""

import pytest

from tests.dialects.dialect_devices import DIALECT_DEVICES, DialectDevice
from tests.in_memory_server import build_server, server

__all__ = ["build_server", "device", "server"]


@pytest.fixture(params=DIALECT_DEVICES, ids=lambda device: device.id.partition(":")[0])
def device(request: pytest.FixtureRequest) -> DialectDevice:
    """A device of each dialect in turn."""
    found: DialectDevice = request.param
    return found
