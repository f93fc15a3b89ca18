"""Tests of :mod:`pushd.admin.health`."""

from tests.connection import request
from tests.in_memory_server import House


def test_healthy(house: House) -> None:
    """A process that turns says so, to anybody."""
    answer = house.call(request("GET /healthz")).answer()
    assert (answer.code, answer.json) == (200, {"status": "ok"})
    assert answer.headers["cache-control"] == "no-store"


def test_ready(house: House) -> None:
    """A process whose store answers is ready."""
    answer = house.call(request("GET /readyz")).answer()
    assert (answer.code, answer.json) == (200, {"status": "ready"})


def test_not_ready_without_a_store(house: House) -> None:
    """A process whose store does not answer turns, but is not ready."""
    house.fail_store()
    answer = house.call(request("GET /readyz")).answer()
    assert (answer.code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert house.call(request("GET /healthz")).answer().code == 200


def test_not_ready_when_we_stop(house: House) -> None:
    """A process that is about to stop is not ready."""
    house.core.drain()
    answer = house.call(request("GET /readyz")).answer()
    assert (answer.code, answer.json["detail"]) == (503, "This process is about to stop.")
