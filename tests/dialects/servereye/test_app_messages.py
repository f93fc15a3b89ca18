"""Tests of :mod:`pushd.dialects.servereye.app`: acknowledgements and results, over bytes."""

import base64
from typing import Any

import pytest

from tests.connection import Answer, request
from tests.in_memory_server import House

CONTAINER = "9e2f0b1c4d5a6978"
DEVICE = f"servereye:{CONTAINER}"
OTHER = "servereye:other"
POLL = request(f"GET /push/{CONTAINER}")
JSON = "Content-Type: application/json"
REFRESH = {"control": "REFRESH_AGENT"}
DONE = b'{"success": true}'


@pytest.fixture
def message(house: House) -> str:
    """A message that the container has."""
    house.register(DEVICE)
    house.register(OTHER)
    sent = house.put(DEVICE, REFRESH)
    assert house.knock(POLL).answer().json["success"] is True
    return sent


def say(house: House, line: str, body: bytes = b"", *headers: str) -> Answer:
    """Say something about a message; it is answered with success, in the envelope, and not to be cached."""
    answer = house.knock(request(line, body, *headers)).answer()
    assert (answer.code, answer.json["success"], set(answer.json)) == (200, True, {"success", "message"})
    assert answer.headers["cache-control"] == "no-store"
    return answer


ACKS = [
    ("POST", b""),
    ("GET", b""),
    ("POST", b'{"containerId": "9e2f0b1c4d5a6978", "messageId": "m"}'),
    ("POST", b"not json"),
]


@pytest.mark.parametrize(("method", "body"), ACKS)
@pytest.mark.parametrize("version", ["", "/1", "/2"])
def test_acknowledge(house: House, message: str, version: str, method: str, body: bytes) -> None:
    """A container may say in several ways that it has a message."""
    say(house, f"{method} {version}/push/{CONTAINER}/ack/{message}?apikey=k", body)
    found = house.command(message)
    assert (found["state"], found["evidence"]) == ("acknowledged", "device")


def test_work_lives_by_its_acks(house: House, message: str) -> None:
    """Delivery opens a lease of 30 s, each ack renews it, and work without one is given up."""
    for _ in range(3):
        house.tick(25)
        say(house, f"POST /push/{CONTAINER}/ack/{message}")
    house.tick(29)
    assert house.command(message)["state"] == "acknowledged"
    house.tick(2)
    assert house.command(message)["state"] == "unknown"
    say(house, f"POST /push/{CONTAINER}/ack/{message}")
    assert house.command(message)["state"] == "acknowledged"


RESULTS: list[tuple[bytes, str, str | None]] = [
    (b'{"success": true}', "succeeded", None),
    (b'{"success": true, "message": "fine", "data": {"n": [1.10]}}', "succeeded", None),
    (b'{"success": true, "data": null, "containerId": "9e2f0b1c4d5a6978", "messageId": "m"}', "succeeded", None),
    (b'{"success": false, "message": "disk full"}', "failed", "disk full"),
    (b'{"success": false}', "failed", "the device gave no reason"),
]


@pytest.mark.parametrize(("body", "state", "error"), RESULTS)
@pytest.mark.parametrize("headers", [[JSON], [], ["Content-Type: text/plain"]])
def test_result(house: House, message: str, body: bytes, state: str, error: str | None, headers: list[str]) -> None:
    """A result ends its message, and is kept as it was posted, whatever its content type."""
    say(house, f"POST /push/{CONTAINER}/result/{message}", body, *headers)
    found = house.command(message)
    assert (found["state"], found["error"], found["matched_by"]) == (state, error, "message")
    assert b'"result":' + body + b"}" in house.ask(f"GET /v1/commands/{message}").body


UNREADABLE = [
    *(b"", b"{", b"[]", b"true", b"null", b"{}", b"\xff", b"success=true", b"[" * 5000),
    *(b'{"success": 1}', b'{"success": "true"}', b'{"success": null}', b'{"success": true, "n": NaN}'),
]


@pytest.mark.parametrize("body", UNREADABLE)
def test_unreadable_result(house: House, message: str, body: bytes) -> None:
    """A result that is no object with a boolean success is refused, and settles nothing."""
    answer = house.knock(request(f"POST /push/{CONTAINER}/result/{message}", body, JSON)).answer()
    assert (answer.code, answer.json["success"]) == (400, False)
    assert house.command(message)["state"] == "sent"
    assert house.orphans(DEVICE) == []


def settled(house: House, message: str) -> dict[str, Any]:
    """A message once its result is there."""
    say(house, f"POST /push/{CONTAINER}/result/{message}", DONE)
    return house.command(message)


def test_ack_after_the_result(house: House, message: str) -> None:
    """An ack that comes after the result, as clients send both at once, is a success and changes nothing."""
    before = settled(house, message)
    say(house, f"POST /push/{CONTAINER}/ack/{message}")
    assert house.command(message) == before


def test_repeated_result(house: House, message: str) -> None:
    """A result that comes again is answered as the first time, and changes nothing, whatever else it says."""
    before = settled(house, message)
    house.clock.advance(2)
    say(house, f"POST /push/{CONTAINER}/result/{message}", b'{"success": true, "data": 2}')
    assert house.command(message) == before
    assert house.orphans(DEVICE) == []


def test_contradicting_result(house: House, message: str) -> None:
    """A result that contradicts the first changes nothing, and is kept."""
    before = settled(house, message)
    say(house, f"POST /push/{CONTAINER}/result/{message}", b'{"success": false}')
    assert house.command(message) == before
    (orphan,) = house.orphans(DEVICE)
    assert (orphan["reference"], base64.b64decode(orphan["raw"])) == (message, b'{"success": false}')


@pytest.mark.parametrize("known", [True, False])
def test_result_that_is_not_ours_to_settle(house: House, message: str, known: bool) -> None:
    """A result for an unknown message, or another container's, is answered as a success, and kept as an orphan."""
    named = message if known else "1234"
    say(house, f"POST /push/other/result/{named}", DONE)
    assert house.command(message)["state"] == "sent"
    (orphan,) = house.orphans(OTHER)
    assert (orphan["reference"], orphan["size"]) == (named, len(DONE))


@pytest.mark.parametrize("known", [True, False])
def test_ack_that_is_not_ours(house: House, message: str, known: bool) -> None:
    """An ack for an unknown message, or another container's, is answered as a success, and changes nothing."""
    say(house, f"POST /push/other/ack/{message if known else '1234'}")
    assert house.command(message)["state"] == "sent"


def test_result_before_it_was_sent(house: House, message: str) -> None:
    """Nobody can settle what was not sent yet."""
    waiting = house.put(DEVICE, REFRESH)
    say(house, f"POST /push/{CONTAINER}/result/{waiting}", DONE)
    assert house.command(waiting)["state"] == "queued"
    assert len(house.orphans(DEVICE)) == 1


def test_result_of_an_unknown_message_counts(house: House, message: str) -> None:
    """The state unknown is not settled: a result that comes after all still counts."""
    house.tick(31)
    assert house.command(message)["state"] == "unknown"
    found = settled(house, message)
    assert (found["state"], found["late"]) == ("succeeded", True)


@pytest.mark.parametrize("call", ["ack", "result"])
def test_word_of_a_container_is_a_sign_of_life(house: House, call: str) -> None:
    """A container that acknowledges or reports is there."""
    house.register(DEVICE)
    say(house, f"POST /push/{CONTAINER}/{call}/m", DONE)
    seen = house.seen(DEVICE)
    assert (seen["presence"], seen["last_address"]) == ("online", "192.0.2.1")


@pytest.mark.parametrize("call", ["ack/{}", "result/{}", "signoff"])
def test_store_is_down(house: House, message: str, call: str) -> None:
    """What cannot be made durable is not answered as a success."""
    house.fail_store()
    answer = house.knock(request(f"POST /push/{CONTAINER}/{call.format(message)}", DONE)).answer()
    assert (answer.code, answer.json["success"]) == (503, False)
