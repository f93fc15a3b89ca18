"""Fixtures that these tests share with others."""

from tests.in_memory_server import build_house
from tests.integration.conftest import make_server

__all__ = ["build_house", "make_server"]
