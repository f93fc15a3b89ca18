"""Tests of :mod:`pushd.dialects.servereye.app`: acknowledgements and results, over bytes."""

import base64
from typing import Any

import pytest

from tests.connection import Response, request
from tests.in_memory_server import InMemoryServer

CONTAINER = "9e2f0b1c4d5a6978"
DEVICE = f"servereye:{CONTAINER}"
OTHER = "servereye:other"
POLL = request(f"GET /push/{CONTAINER}")
JSON = "Content-Type: application/json"
REFRESH = {"control": "REFRESH_AGENT"}
DONE = b'{"success": true}'


@pytest.fixture
def message(server: InMemoryServer) -> str:
    """A message that the container has."""
    server.register(DEVICE)
    server.register(OTHER)
    sent = server.put(DEVICE, REFRESH)
    assert server.device_request(POLL).answer().json["success"] is True
    return sent


def say(server: InMemoryServer, line: str, body: bytes = b"", *headers: str) -> Response:
    """Say something about a message; it is answered with success, in the envelope, and not to be cached."""
    answer = server.device_request(request(line, body, *headers)).answer()
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
def test_acknowledge(server: InMemoryServer, message: str, version: str, method: str, body: bytes) -> None:
    """A container may say in several ways that it has a message."""
    say(server, f"{method} {version}/push/{CONTAINER}/ack/{message}?apikey=k", body)
    found = server.command(message)
    assert (found["state"], found["evidence"]) == ("acknowledged", "device")


def test_work_lives_by_its_acks(server: InMemoryServer, message: str) -> None:
    """Delivery opens a lease of 30 s, each ack renews it, and work without one is given up."""
    for _ in range(3):
        server.tick(25)
        say(server, f"POST /push/{CONTAINER}/ack/{message}")
    server.tick(29)
    assert server.command(message)["state"] == "acknowledged"
    server.tick(2)
    assert server.command(message)["state"] == "unknown"
    say(server, f"POST /push/{CONTAINER}/ack/{message}")
    assert server.command(message)["state"] == "acknowledged"


RESULTS: list[tuple[bytes, str, str | None]] = [
    (b'{"success": true}', "succeeded", None),
    (b'{"success": true, "message": "fine", "data": {"n": [1.10]}}', "succeeded", None),
    (b'{"success": true, "data": null, "containerId": "9e2f0b1c4d5a6978", "messageId": "m"}', "succeeded", None),
    (b'{"success": false, "message": "disk full"}', "failed", "disk full"),
    (b'{"success": false}', "failed", "the device gave no reason"),
]


@pytest.mark.parametrize(("body", "state", "error"), RESULTS)
@pytest.mark.parametrize("headers", [[JSON], [], ["Content-Type: text/plain"]])
def test_result(
    server: InMemoryServer, message: str, body: bytes, state: str, error: str | None, headers: list[str]
) -> None:
    """A result ends its message, and is kept as it was posted, whatever its content type."""
    say(server, f"POST /push/{CONTAINER}/result/{message}", body, *headers)
    found = server.command(message)
    assert (found["state"], found["error"], found["matched_by"]) == (state, error, "message")
    assert b'"result":' + body + b"}" in server.ask(f"GET /v1/commands/{message}").body


UNREADABLE = [
    *(b"", b"{", b"[]", b"true", b"null", b"{}", b"\xff", b"success=true", b"[" * 5000),
    *(b'{"success": 1}', b'{"success": "true"}', b'{"success": null}', b'{"success": true, "n": NaN}'),
]


@pytest.mark.parametrize("body", UNREADABLE)
def test_unreadable_result(server: InMemoryServer, message: str, body: bytes) -> None:
    """A result that is no object with a boolean success is refused, and settles nothing."""
    answer = server.device_request(request(f"POST /push/{CONTAINER}/result/{message}", body, JSON)).answer()
    assert (answer.code, answer.json["success"]) == (400, False)
    assert server.command(message)["state"] == "sent"
    assert server.orphans(DEVICE) == []


def settled(server: InMemoryServer, message: str) -> dict[str, Any]:
    """A message once its result is there."""
    say(server, f"POST /push/{CONTAINER}/result/{message}", DONE)
    return server.command(message)


def test_ack_after_the_result(server: InMemoryServer, message: str) -> None:
    """An ack that comes after the result, as clients send both at once, is a success and changes nothing."""
    before = settled(server, message)
    say(server, f"POST /push/{CONTAINER}/ack/{message}")
    assert server.command(message) == before


def test_repeated_result(server: InMemoryServer, message: str) -> None:
    """A result that comes again is answered as the first time, and changes nothing, whatever else it says."""
    before = settled(server, message)
    server.clock.advance(2)
    say(server, f"POST /push/{CONTAINER}/result/{message}", b'{"success": true, "data": 2}')
    assert server.command(message) == before
    assert server.orphans(DEVICE) == []


def test_contradicting_result(server: InMemoryServer, message: str) -> None:
    """A result that contradicts the first changes nothing, and is kept."""
    before = settled(server, message)
    say(server, f"POST /push/{CONTAINER}/result/{message}", b'{"success": false}')
    assert server.command(message) == before
    (orphan,) = server.orphans(DEVICE)
    assert (orphan["reference"], base64.b64decode(orphan["raw"])) == (message, b'{"success": false}')


@pytest.mark.parametrize("known", [True, False])
def test_result_that_is_not_ours_to_settle(server: InMemoryServer, message: str, known: bool) -> None:
    """A result for an unknown message, or another container's, is answered as a success, and kept as an orphan."""
    named = message if known else "1234"
    say(server, f"POST /push/other/result/{named}", DONE)
    assert server.command(message)["state"] == "sent"
    (orphan,) = server.orphans(OTHER)
    assert (orphan["reference"], orphan["size"]) == (named, len(DONE))


@pytest.mark.parametrize("known", [True, False])
def test_ack_that_is_not_ours(server: InMemoryServer, message: str, known: bool) -> None:
    """An ack for an unknown message, or another container's, is answered as a success, and changes nothing."""
    say(server, f"POST /push/other/ack/{message if known else '1234'}")
    assert server.command(message)["state"] == "sent"


def test_result_before_it_was_sent(server: InMemoryServer, message: str) -> None:
    """Nobody can settle what was not sent yet."""
    waiting = server.put(DEVICE, REFRESH)
    say(server, f"POST /push/{CONTAINER}/result/{waiting}", DONE)
    assert server.command(waiting)["state"] == "queued"
    assert len(server.orphans(DEVICE)) == 1


def test_result_of_an_unknown_message_counts(server: InMemoryServer, message: str) -> None:
    """The state unknown is not settled: a result that comes after all still counts."""
    server.tick(31)
    assert server.command(message)["state"] == "unknown"
    found = settled(server, message)
    assert (found["state"], found["late"]) == ("succeeded", True)


@pytest.mark.parametrize("call", ["ack", "result"])
def test_word_of_a_container_is_a_sign_of_life(server: InMemoryServer, call: str) -> None:
    """A container that acknowledges or reports is there."""
    server.register(DEVICE)
    say(server, f"POST /push/{CONTAINER}/{call}/m", DONE)
    seen = server.seen(DEVICE)
    assert (seen["presence"], seen["last_address"]) == ("online", "192.0.2.1")


@pytest.mark.parametrize("call", ["ack/{}", "result/{}", "signoff"])
def test_store_is_down(server: InMemoryServer, message: str, call: str) -> None:
    """What cannot be made durable is not answered as a success."""
    server.fail_store()
    answer = server.device_request(request(f"POST /push/{CONTAINER}/{call.format(message)}", DONE)).answer()
    assert (answer.code, answer.json["success"]) == (503, False)
