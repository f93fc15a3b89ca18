"""
What the tests of alerts share.
"""

from collections.abc import Iterator

import pytest

from tests.alerts.receiver import Post
from tests.house import House, build_house, house

__all__ = ["build_house", "house"]


@pytest.fixture
def post(house: House) -> Iterator[Post]:
    """
    A server whose webhooks go to a receiver in memory.
    """
    post = Post(house)
    yield post
    if post.couriers.running:
        post.stop(10)
