"""Tests of :mod:`pushd.dialects.servereye.app`: acknowledgements and results, in bytes."""

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
    """A message that was sent to the container."""
    server.register(DEVICE)
    server.register(OTHER)
    sent = server.put(DEVICE, REFRESH)
    assert server.device_request(POLL).answer().json["success"] is True
    return sent


def send(server: InMemoryServer, line: str, body: bytes = b"", *headers: str) -> Response:
    """Send a request about a message; the response is a success that must not be cached."""
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
    """A container may acknowledge a message in several forms."""
    send(server, f"{method} {version}/push/{CONTAINER}/ack/{message}?apikey=k", body)
    found = server.command(message)
    assert (found["state"], found["evidence"]) == ("acknowledged", "device")


def test_acknowledgements_renew_the_lease(server: InMemoryServer, message: str) -> None:
    """A sent message has a lease of 30 s; each acknowledgement renews it, and without one it expires."""
    for _ in range(3):
        server.tick(25)
        send(server, f"POST /push/{CONTAINER}/ack/{message}")
    server.tick(29)
    assert server.command(message)["state"] == "acknowledged"
    server.tick(2)
    assert server.command(message)["state"] == "unknown"
    send(server, f"POST /push/{CONTAINER}/ack/{message}")
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
    """A result settles its message, and is kept unchanged, whatever its content type."""
    send(server, f"POST /push/{CONTAINER}/result/{message}", body, *headers)
    found = server.command(message)
    assert (found["state"], found["error"], found["matched_by"]) == (state, error, "message")
    assert b'"result":' + body + b"}" in server.ask(f"GET /v1/commands/{message}").body


UNREADABLE = [
    *(b"", b"{", b"[]", b"true", b"null", b"{}", b"\xff", b"success=true", b"[" * 5000),
    *(b'{"success": 1}', b'{"success": "true"}', b'{"success": null}', b'{"success": true, "n": NaN}'),
]


@pytest.mark.parametrize("body", UNREADABLE)
def test_unreadable_result(server: InMemoryServer, message: str, body: bytes) -> None:
    """A result that is not an object with a boolean success is a 400, and settles nothing."""
    answer = server.device_request(request(f"POST /push/{CONTAINER}/result/{message}", body, JSON)).answer()
    assert (answer.code, answer.json["success"]) == (400, False)
    assert server.command(message)["state"] == "sent"
    assert server.orphans(DEVICE) == []


def settled(server: InMemoryServer, message: str) -> dict[str, Any]:
    """A message that is settled by a result."""
    send(server, f"POST /push/{CONTAINER}/result/{message}", DONE)
    return server.command(message)


def test_ack_after_the_result(server: InMemoryServer, message: str) -> None:
    """An acknowledgement that arrives after the result is a success, and changes nothing."""
    before = settled(server, message)
    send(server, f"POST /push/{CONTAINER}/ack/{message}")
    assert server.command(message) == before


def test_repeated_result(server: InMemoryServer, message: str) -> None:
    """A repeated result is a success, and changes nothing, whatever else it contains."""
    before = settled(server, message)
    server.clock.advance(2)
    send(server, f"POST /push/{CONTAINER}/result/{message}", b'{"success": true, "data": 2}')
    assert server.command(message) == before
    assert server.orphans(DEVICE) == []


def test_contradicting_result(server: InMemoryServer, message: str) -> None:
    """A result that contradicts the first one changes nothing, and is kept as an orphan."""
    before = settled(server, message)
    send(server, f"POST /push/{CONTAINER}/result/{message}", b'{"success": false}')
    assert server.command(message) == before
    (orphan,) = server.orphans(DEVICE)
    assert (orphan["reference"], base64.b64decode(orphan["raw"])) == (message, b'{"success": false}')


@pytest.mark.parametrize("known", [True, False])
def test_result_of_another_message(server: InMemoryServer, message: str, known: bool) -> None:
    """A result of an unknown message, or another container's, is a success, and kept as an orphan."""
    named = message if known else "1234"
    send(server, f"POST /push/other/result/{named}", DONE)
    assert server.command(message)["state"] == "sent"
    (orphan,) = server.orphans(OTHER)
    assert (orphan["reference"], orphan["size"]) == (named, len(DONE))


@pytest.mark.parametrize("known", [True, False])
def test_ack_of_another_message(server: InMemoryServer, message: str, known: bool) -> None:
    """An acknowledgement of an unknown message, or another container's, is a success, and changes nothing."""
    send(server, f"POST /push/other/ack/{message if known else '1234'}")
    assert server.command(message)["state"] == "sent"


def test_result_of_a_queued_message(server: InMemoryServer, message: str) -> None:
    """A result of a message that was not sent yet does not settle it."""
    waiting = server.put(DEVICE, REFRESH)
    send(server, f"POST /push/{CONTAINER}/result/{waiting}", DONE)
    assert server.command(waiting)["state"] == "queued"
    assert len(server.orphans(DEVICE)) == 1


def test_late_result(server: InMemoryServer, message: str) -> None:
    """A result that arrives when its message is unknown already settles it."""
    server.tick(31)
    assert server.command(message)["state"] == "unknown"
    found = settled(server, message)
    assert (found["state"], found["late"]) == ("succeeded", True)


@pytest.mark.parametrize("call", ["ack", "result"])
def test_requests_keep_a_container_online(server: InMemoryServer, call: str) -> None:
    """An acknowledgement or a result keeps a container online."""
    server.register(DEVICE)
    send(server, f"POST /push/{CONTAINER}/{call}/m", DONE)
    seen = server.device(DEVICE)
    assert (seen["presence"], seen["last_address"]) == ("online", "192.0.2.1")


@pytest.mark.parametrize("call", ["ack/{}", "result/{}", "signoff"])
def test_store_is_down(server: InMemoryServer, message: str, call: str) -> None:
    """While the store fails, the response is not a success: the container keeps what it sent."""
    server.fail_store()
    answer = server.device_request(request(f"POST /push/{CONTAINER}/{call.format(message)}", DONE)).answer()
    assert (answer.code, answer.json["success"]) == (503, False)
