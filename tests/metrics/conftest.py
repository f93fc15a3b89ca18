"""Fixtures of the tests of metrics."""

from tests.in_memory_server import build_server, server

__all__ = ["build_server", "server"]
