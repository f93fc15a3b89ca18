"""The fake server of the tests of ``pushctl``."""

from tests.pushctl.conftest import server

__all__ = ["server"]
