"""A recorded server and ``pushctl`` before it."""

from tests.pushctl.conftest import desk, server

__all__ = ["desk", "server"]
