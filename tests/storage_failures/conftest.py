"""Fixtures that these tests share with others."""

from tests.in_memory_server import build_server
from tests.integration.conftest import make_server

__all__ = ["build_server", "make_server"]
