"""Fixtures of the tests of the admin API."""

from tests.in_memory_server import build_house, server

__all__ = ["build_house", "server"]
