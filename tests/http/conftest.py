"""Fixtures of the HTTP tests."""

from tests.in_memory_server import build_server, server

__all__ = ["build_server", "server"]
