"""
What the tests of alerts share.
"""

from tests.house import build_house, house

__all__ = ["build_house", "house"]
