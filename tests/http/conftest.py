"""What the tests of the doors share."""

from tests.in_memory_server import build_house, house

__all__ = ["build_house", "house"]
