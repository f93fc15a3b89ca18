"""
What the tests of the doors share.
"""

from tests.house import build_house, house

__all__ = ["build_house", "house"]
