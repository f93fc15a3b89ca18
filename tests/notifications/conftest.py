"""What the tests of alerts share."""

from collections.abc import Iterator

import pytest

from tests.in_memory_server import House, build_house, house
from tests.notifications.receiver import Post

__all__ = ["build_house", "house"]


@pytest.fixture
def post(house: House) -> Iterator[Post]:
    """A server whose webhooks go to a receiver in memory."""
    post = Post(house)
    yield post
    if post.couriers.running:
        post.stop(10)
