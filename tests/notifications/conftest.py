"""What the tests of alerts share."""

from collections.abc import Iterator

import pytest

from tests.in_memory_server import InMemoryServer, build_house, server
from tests.notifications.receiver import Post

__all__ = ["build_house", "server"]


@pytest.fixture
def post(server: InMemoryServer) -> Iterator[Post]:
    """A server whose webhooks go to a receiver in memory."""
    post = Post(server)
    yield post
    if post.dispatcher.running:
        post.stop(10)
