"""A recorded server and ``pushctl`` before it."""

from tests.pushctl.conftest import pushctl, server

__all__ = ["pushctl", "server"]
