"""Tests of :mod:`pushd.dialects.servereye.app`: API keys, in each place where clients put them."""

import pytest

from pushd.model.token import Role
from tests.connection import request
from tests.in_memory_server import InMemoryServer

DEVICE = "servereye:c"
PLACES = ["?apiKey={}", "?apikey={}", "x-api-key: {}", "X-Api-Key: {}"]


@pytest.fixture
def key(server: InMemoryServer) -> str:
    """The API key of a container."""
    server.register(DEVICE)
    made = server.ask(f"POST /v1/devices/{DEVICE}/api-key")
    assert made.code == 201
    return str(made.json["key"])


def call(place: str, key: str, line: str = "GET /push/c", body: bytes = b"") -> bytes:
    """A request with an API key in this place."""
    filled = place.format(key)
    return request(line + filled, body) if filled.startswith("?") else request(line, body, filled)


@pytest.mark.parametrize("place", PLACES)
def test_key(server: InMemoryServer, key: str, place: str) -> None:
    """A container with its key is served."""
    server.put(DEVICE, {"control": "REFRESH_AGENT"})
    assert server.device_request(call(place, key)).answer().json["success"] is True


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("wrong", ["", "wrong", "%ff", "\xff"])
def test_wrong_key(server: InMemoryServer, key: str, place: str, wrong: str) -> None:
    """A poll with a wrong key is refused after a delay, with an envelope: the client would poll again at once."""
    command = server.put(DEVICE, {"control": "REFRESH_AGENT"})
    poll = server.device_request(call(place, "" if "?" in place and wrong == "\xff" else wrong))
    server.clock.advance(4.9)
    assert poll.answers() == []
    server.clock.advance(0.1)
    answer = poll.answer()
    assert (answer.code, answer.json) == (403, {"success": False, "message": "This device is not served here."})
    assert server.command(command)["state"] == "queued"


def test_no_key(server: InMemoryServer, key: str) -> None:
    """A poll without the key of its container is refused."""
    poll = server.device_request(request("GET /push/c"))
    server.clock.advance(5)
    assert poll.answer().code == 403


@pytest.mark.parametrize("line", ["POST /push/c/ack/{}", "POST /push/c/result/{}", "GET /push/c/signoff"])
def test_other_requests_with_a_wrong_key(server: InMemoryServer, key: str, line: str) -> None:
    """With a wrong key, acknowledgements, results and sign-offs are refused."""
    command = server.put(DEVICE, {"control": "REFRESH_AGENT"})
    server.device_request(call("?apiKey={}", key))
    answer = server.device_request(call("?apiKey={}", "wrong", line.format(command), b'{"success":true}')).answer()
    assert (answer.code, answer.json["success"]) == (403, False)
    assert server.command(command)["state"] == "sent"
    assert server.device(DEVICE)["presence"] == "online"


def test_key_of_another_container(server: InMemoryServer, key: str) -> None:
    """A key is valid for its own container only."""
    server.register("servereye:other")
    server.ask("POST /v1/devices/servereye:other/api-key")
    poll = server.device_request(call("?apiKey={}", key, "GET /push/other"))
    server.clock.advance(5)
    assert poll.answer().code == 403


def test_device_token(server: InMemoryServer, key: str) -> None:
    """A token with the role device is a valid key for every container."""
    server.put(DEVICE, {"control": "REFRESH_AGENT"})
    many = server.token_of(Role.DEVICE)
    assert server.device_request(call("?apiKey={}", many)).answer().json["success"] is True


@pytest.mark.parametrize("role", [Role.ADMIN, Role.OPERATOR, Role.VIEWER])
def test_other_tokens_are_no_keys(server: InMemoryServer, key: str, role: Role) -> None:
    """A token with any other role is not a valid key."""
    poll = server.device_request(call("?apiKey={}", server.token_of(role)))
    server.clock.advance(5)
    assert poll.answer().code == 403
