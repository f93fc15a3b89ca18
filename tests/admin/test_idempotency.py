"""Tests of :mod:`pushd.admin.commands`: idempotency keys."""

import json
from typing import Any

import pytest

from pushd.http.bodies import SMALL
from pushd.model.token import Role
from tests.connection import Response, request
from tests.in_memory_server import InMemoryServer

DEVICE = "controlid:7"
SEND = f"POST /v1/devices/{DEVICE}/commands"
LOAD: dict[str, Any] = {"payload": {"endpoint": "own_call", "body": {"a": 1, "b": [True]}}, "ttl": 60}


@pytest.fixture
def known(server: InMemoryServer) -> InMemoryServer:
    """A server with one registered device."""
    server.register(DEVICE)
    return server


def send(
    server: InMemoryServer, body: object = LOAD, key: str = "k", query: str = "", role: Role = Role.ADMIN
) -> Response:
    """Send a command with an idempotency key."""
    return server.ask(SEND + query, body, f"Idempotency-Key: {key}", role=role)


def test_same_request_in_a_larger_body(known: InMemoryServer) -> None:
    """A body with so many spaces that it is large is the same request, whatever is in it."""
    values = {"é": [1.0, 2.5, -0.0, 1e22, 10**30, None, True, "ü\n\u2028"], "a": {"z": {}, "b": []}}
    text = json.dumps({"payload": {"endpoint": "own_call", "body": values}, "ttl": 60})
    token, key = f"Authorization: Bearer {known.token_of(Role.OPERATOR)}", "Idempotency-Key: k"
    bodies = [text, text.replace("1.0", "1") + " " * SMALL, text.replace("2.5", "2.50") + " " * SMALL]
    answers = [known.call(request(SEND, body.encode(), token, key)).answer() for body in bodies]
    assert [answer.code for answer in answers] == [201, 200, 200]
    other = known.call(request(SEND, (text.replace("2.5", "2.6") + " " * SMALL).encode(), token, key)).answer()
    assert other.code == 422


def test_same_request(known: InMemoryServer) -> None:
    """The same request with the same key gives the first command, as it is now."""
    first = send(known)
    assert (first.code, first.json["idempotency_key"]) == (201, "k")
    known.device_request(request("GET /push?deviceId=7"))
    again = send(known)
    assert (again.code, again.json["id"], again.json["state"]) == (200, first.json["id"], "sent")
    assert again.headers["location"] == first.headers["location"]
    assert known.events(DEVICE).count("command.queued") == 1


def test_same_request_that_waits(known: InMemoryServer) -> None:
    """The parameter ``wait`` does not belong to the request: 202 until the command has ended, then 200."""
    first = send(known)
    waiting = known.begin(f"{SEND}?wait=5", LOAD, "Idempotency-Key: k")
    known.clock.advance(5)
    answer = waiting.answer()
    assert (answer.code, answer.json["id"]) == (202, first.json["id"])
    known.ask(f"POST /v1/commands/{first.json['id']}/cancel")
    answer = send(known, query="?wait=5")
    assert (answer.code, answer.json["state"]) == (200, "cancelled")


@pytest.mark.parametrize(
    "body",
    [
        {"ttl": 60, "payload": {"body": {"b": [True], "a": 1}, "endpoint": "own_call"}},
        {"payload": {"endpoint": "own_call", "body": {"a": 1.0, "b": [True]}}, "ttl": 60.0},
    ],
)
def test_same_request_in_another_spelling(known: InMemoryServer, body: object) -> None:
    """Bodies are compared as JSON values: the order of keys and the spelling of numbers do not matter."""
    assert send(known, body).json["id"] == send(known).json["id"]


@pytest.mark.parametrize(
    "body",
    [
        LOAD | {"ttl": 61},
        LOAD | {"priority": 5},
        {"payload": {"endpoint": "own_call", "body": {"a": 1, "b": [1]}}, "ttl": 60},
        {"payload": {"endpoint": "own_call", "body": {"a": "1", "b": [True]}}, "ttl": 60},
        {"payload": {"endpoint": "own_call"}},
    ],
)
def test_other_body_with_the_same_key(known: InMemoryServer, body: object) -> None:
    """Another body with the same key is refused, and the first command is unchanged."""
    first = send(known)
    answer = send(known, body)
    assert answer.code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert known.device(DEVICE)["queue"] == 1
    assert send(known).json["id"] == first.json["id"]


def test_other_key(known: InMemoryServer) -> None:
    """Another key, or none, makes another command."""
    ids = {send(known).json["id"], send(known, key="K").json["id"]}
    ids |= {known.ask(SEND, LOAD).json["id"] for _ in range(2)}
    assert len(ids) == 4


def test_key_of_another_token(known: InMemoryServer) -> None:
    """Each token has its own keys."""
    first, second = (send(known, role=role) for role in (Role.ADMIN, Role.OPERATOR))
    assert (first.code, second.code) == (201, 201)
    assert first.json["id"] != second.json["id"]


def test_key_for_another_device(known: InMemoryServer) -> None:
    """Each device has its own keys."""
    known.register("controlid:8")
    send(known)
    answer = known.ask("POST /v1/devices/controlid:8/commands", LOAD | {"ttl": 7}, "Idempotency-Key: k")
    assert answer.code == 201


def test_refused_request_does_not_use_its_key(known: InMemoryServer) -> None:
    """A request that was refused has not used its key."""
    assert send(known, {"payload": {}}).code == 422
    known.ask(f"PATCH /v1/devices/{DEVICE}", {"admission": "blocked"})
    assert send(known).code == 409
    known.ask(f"PATCH /v1/devices/{DEVICE}", {"admission": "approved"})
    assert send(known, LOAD | {"ttl": 9}).code == 201


def test_repeat_is_not_refused(known: InMemoryServer) -> None:
    """A repeated request gives the first command even if a new one would be refused now."""
    first = send(known)
    known.ask(f"PATCH /v1/devices/{DEVICE}", {"admission": "blocked"})
    again = send(known)
    assert (again.code, again.json["id"]) == (200, first.json["id"])


@pytest.mark.parametrize("key", ["k" * 255, "a b", "\xc3\xa9", "{}", "0"])
def test_any_printable_key(known: InMemoryServer, key: str) -> None:
    """A key is any printable text of up to 255 characters."""
    assert send(known, key=key).code == 201
    assert send(known, key=key).code == 200


@pytest.mark.parametrize("key", ["", "k" * 256, "\xff", "a\tb", "a\x01b"])
def test_invalid_key(known: InMemoryServer, key: str) -> None:
    """A key that is empty, too long or not printable is refused."""
    assert send(known, key=key).code == 400
    assert known.device(DEVICE)["queue"] == 0
