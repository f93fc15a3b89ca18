"""Fixtures for the tests of notifications."""

from collections.abc import Iterator

import pytest

from tests.in_memory_server import InMemoryServer, build_server, server
from tests.notifications.webhook_harness import WebhookHarness

__all__ = ["build_server", "server"]


@pytest.fixture
def harness(server: InMemoryServer) -> Iterator[WebhookHarness]:
    """A server that delivers webhooks to a receiver in memory."""
    harness = WebhookHarness(server)
    yield harness
    if harness.dispatcher.running:
        harness.stop(10)
