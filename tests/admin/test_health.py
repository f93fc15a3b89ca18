"""Tests of :mod:`pushd.admin.health`."""

from tests.connection import request
from tests.in_memory_server import InMemoryServer


def test_healthy(server: InMemoryServer) -> None:
    """A running process is healthy; the check needs no token."""
    answer = server.call(request("GET /healthz")).answer()
    assert (answer.code, answer.json) == (200, {"status": "ok"})
    assert answer.headers["cache-control"] == "no-store"


def test_ready(server: InMemoryServer) -> None:
    """A process whose store answers is ready."""
    answer = server.call(request("GET /readyz")).answer()
    assert (answer.code, answer.json) == (200, {"status": "ready"})


def test_not_ready_without_a_store(server: InMemoryServer) -> None:
    """A process whose store does not answer is healthy, but not ready."""
    server.fail_store()
    answer = server.call(request("GET /readyz")).answer()
    assert (answer.code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert server.call(request("GET /healthz")).answer().code == 200


def test_not_ready_at_shutdown(server: InMemoryServer) -> None:
    """A process that is about to stop is not ready."""
    server.core.drain()
    answer = server.call(request("GET /readyz")).answer()
    assert (answer.code, answer.json["detail"]) == (503, "This process is about to stop.")
