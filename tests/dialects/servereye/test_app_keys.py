"""Tests of :mod:`pushd.dialects.servereye.app`: API keys, wherever clients put them."""

import pytest

from pushd.model.token import Role
from tests.connection import request
from tests.in_memory_server import House

DEVICE = "servereye:c"
PLACES = ["?apiKey={}", "?apikey={}", "x-api-key: {}", "X-Api-Key: {}"]


@pytest.fixture
def key(house: House) -> str:
    """The key of a container."""
    house.register(DEVICE)
    made = house.ask(f"POST /v1/devices/{DEVICE}/api-key")
    assert made.code == 201
    return str(made.json["key"])


def call(place: str, key: str, line: str = "GET /push/c", body: bytes = b"") -> bytes:
    """A call with a key in some place."""
    filled = place.format(key)
    return request(line + filled, body) if filled.startswith("?") else request(line, body, filled)


@pytest.mark.parametrize("place", PLACES)
def test_key(house: House, key: str, place: str) -> None:
    """A container with its key is served."""
    house.put(DEVICE, {"control": "REFRESH_AGENT"})
    assert house.knock(call(place, key)).answer().json["success"] is True


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("wrong", ["", "wrong", "%ff", "\xff"])
def test_wrong_key(house: House, key: str, place: str, wrong: str) -> None:
    """A poll with a wrong key is refused slowly, in the envelope: the client would ask again at once."""
    command = house.put(DEVICE, {"control": "REFRESH_AGENT"})
    poll = house.knock(call(place, "" if "?" in place and wrong == "\xff" else wrong))
    house.clock.advance(4.9)
    assert poll.answers() == []
    house.clock.advance(0.1)
    answer = poll.answer()
    assert (answer.code, answer.json) == (403, {"success": False, "message": "This device is not served here."})
    assert house.command(command)["state"] == "queued"


def test_no_key(house: House, key: str) -> None:
    """A poll without the key that its container has is refused."""
    poll = house.knock(request("GET /push/c"))
    house.clock.advance(5)
    assert poll.answer().code == 403


@pytest.mark.parametrize("line", ["POST /push/c/ack/{}", "POST /push/c/result/{}", "GET /push/c/signoff"])
def test_word_with_a_wrong_key(house: House, key: str, line: str) -> None:
    """Without its key nobody acknowledges, settles or signs off for a container."""
    command = house.put(DEVICE, {"control": "REFRESH_AGENT"})
    house.knock(call("?apiKey={}", key))
    answer = house.knock(call("?apiKey={}", "wrong", line.format(command), b'{"success":true}')).answer()
    assert (answer.code, answer.json["success"]) == (403, False)
    assert house.command(command)["state"] == "sent"
    assert house.seen(DEVICE)["presence"] == "online"


def test_key_of_another_container(house: House, key: str) -> None:
    """A key is good for its own container only."""
    house.register("servereye:other")
    house.ask("POST /v1/devices/servereye:other/api-key")
    poll = house.knock(call("?apiKey={}", key, "GET /push/other"))
    house.clock.advance(5)
    assert poll.answer().code == 403


def test_key_for_many(house: House, key: str) -> None:
    """A token with the role device is a key for every container."""
    house.put(DEVICE, {"control": "REFRESH_AGENT"})
    many = house.token_of(Role.DEVICE)
    assert house.knock(call("?apiKey={}", many)).answer().json["success"] is True


@pytest.mark.parametrize("role", [Role.ADMIN, Role.OPERATOR, Role.VIEWER])
def test_token_is_no_key(house: House, key: str, role: Role) -> None:
    """A token of a person is no key of a device."""
    poll = house.knock(call("?apiKey={}", house.token_of(role)))
    house.clock.advance(5)
    assert poll.answer().code == 403
