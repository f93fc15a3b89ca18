"""Fixtures of the HTTP tests."""

from tests.in_memory_server import build_house, server

__all__ = ["build_house", "server"]
