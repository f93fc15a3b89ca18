"""Tests of :mod:`pushd.admin.health`."""

import pytest
from twisted.internet.defer import Deferred

from pushd.model.errors import Unavailable
from pushd.store.filters import Violation
from pushd.store.sqlite.store import SqliteStore
from tests.api_examples.probes import cannot_sync
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


def test_not_ready_while_the_disk_fails(server: InMemoryServer) -> None:
    """A process whose disk cannot sync is not ready; nothing that a client has sent is in doubt."""
    cannot_sync(server)
    problem = server.call(request("GET /readyz")).answer().problem(503)
    assert (problem["type"], problem["detail"]) == ("unavailable", "The disk of the database fails.")


def test_not_ready_at_shutdown(server: InMemoryServer) -> None:
    """A process that is about to stop is not ready."""
    server.core.drain()
    answer = server.call(request("GET /readyz")).answer()
    assert (answer.code, answer.json["detail"]) == (503, "This process is about to stop.")


def test_consistency_checks_that_are_abandoned(server: InMemoryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that ask for a consistency check again and again, and give up, cause one check at a time and no more
    than they wait for: it reads the whole database.
    """
    checks: list[Deferred[list[Violation]]] = []

    def fsck(*_args: object) -> Deferred[list[Violation]]:
        checks.append(Deferred())
        return checks[-1]

    monkeypatch.setattr(SqliteStore, "fsck", fsck)
    abandoned = [server.begin("GET /v1/fsck") for _ in range(5)]
    waiting = server.begin("GET /v1/fsck")
    assert len(checks) == 1
    for connection in abandoned:
        connection.hang_up()
    checks[0].callback([])
    assert len(checks) == 2
    checks[1].callback([])
    assert waiting.answer().json == {"items": []}
    assert server.begin("GET /v1/fsck").answers() == []
    checks[2].errback(Unavailable("the disk fails"))
    server.begin("GET /v1/fsck")
    assert len(checks) == 4
