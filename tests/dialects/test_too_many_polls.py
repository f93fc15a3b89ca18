"""Tests of polls beyond the number that the limit of open files allows, in both dialects."""

import pytest

from pushd.core.devices.device_service import REFUSAL_DELAY
from tests.connection import request
from tests.in_memory_server import BuildServer, InMemoryServer

REFUSED = {
    "GET /push?deviceId=7": (200, b""),
    "GET /push/c": (503, b'{"success":false,"message":"Too many polls are held; try again."}'),
}


@pytest.fixture
def full(build_server: BuildServer) -> InMemoryServer:
    """A server that holds as many polls as it can, one of each dialect."""
    server = build_server()
    server.core.poll_registry.limit = 2
    for line in ("GET /push?deviceId=1", "GET /push/one"):
        server.device_request(request(line))
    return server


@pytest.mark.parametrize("line", REFUSED)
def test_poll_is_refused_slowly(full: InMemoryServer, line: str) -> None:
    """A poll too many is refused after five seconds, since clients poll again at once; later it is held."""
    connection = full.device_request(request(line))
    full.clock.advance(REFUSAL_DELAY - 1)
    assert connection.answers() == []
    full.clock.advance(1)
    answer = connection.answer()
    assert (answer.code, answer.body) == REFUSED[line]
    full.clock.advance(60)  # the polls that were held have ended
    connection = full.device_request(request(line))
    full.clock.advance(REFUSAL_DELAY)
    assert connection.answers() == []


def test_device_that_is_polling_polls_again(full: InMemoryServer) -> None:
    """A device whose poll is held can replace it by a newer one, and gets its command."""
    newer = full.device_request(request("GET /push/one"))
    full.clock.advance(REFUSAL_DELAY)
    assert newer.answers() == []
    full.put("servereye:one", {"control": "a"})
    assert newer.answer().json["success"] is True


def test_results_are_taken(full: InMemoryServer) -> None:
    """Results and sign-offs of any device are taken, however many polls are held."""
    assert full.device_request(request("POST /push/one/result/m", b'{"success":true}')).answer().code == 200
    assert full.device_request(request("GET /push/other/signoff")).answer().code == 200
