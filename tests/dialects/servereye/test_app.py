"""Tests of :mod:`pushd.dialects.servereye.app`: polls and messages, in bytes."""

import json
from typing import Any

import pytest

from tests.connection import request
from tests.in_memory_server import InMemoryServer

CONTAINER = "9e2f0b1c4d5a6978"
DEVICE = f"servereye:{CONTAINER}"
POLL = b"GET /2/push/9e2f0b1c4d5a6978?apiKey=k HTTP/1.1\r\nHost: push.example:8080\r\nAccept: application/json\r\n\r\n"
REFRESH = {"control": "REFRESH_AGENT"}


def poll_response(server: InMemoryServer, data: bytes = POLL) -> dict[str, Any]:
    """The envelope of the immediate response to a poll."""
    answer = server.device_request(data).answer()
    assert (answer.code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"] == "no-store"
    envelope: dict[str, Any] = answer.json
    return envelope


@pytest.mark.parametrize(
    "path",
    [
        "/push/c",
        "/1/push/c",
        "/2/push/c",
        "//push//c",
        "/2//push/c",
        "/push/c?apiKey=any",
        "/push/c?apikey=any",
        "/push/c?other=1",
    ],
)
def test_spellings_of_a_poll(server: InMemoryServer, path: str) -> None:
    """A container may poll with or without a version, and with an API key that is not required."""
    server.device_request(request(f"GET {path}"))
    seen = server.device("servereye:c")
    assert (seen["polling"], seen["presence"]) == (True, "online")


@pytest.mark.parametrize(
    "container",
    ["9e2f0b1c-4d5a-6978-8877-665544332211", "9e2f0b1c4d5a69788877665544332211", "A.b_c~d-1", "ack", "7", "x" * 128],
)
def test_container_ids(server: InMemoryServer, container: str) -> None:
    """A container is registered under the id that it sends."""
    server.device_request(request(f"GET /push/{container}"))
    assert server.device(f"servereye:{container}")["id"] == f"servereye:{container}"


CALLS = ["GET /push/{}", "POST /push/{}/ack/m", "GET /push/{}/ack/m", "POST /push/{}/result/m", "GET /push/{}/signoff"]


@pytest.mark.parametrize("container", ["x" * 129, *"a%20b a+b %C3%A9 %ff a:b a%2Fb a%00 a;b {a}".split()])
def test_invalid_container_id(server: InMemoryServer, container: str) -> None:
    """An id that is too long, or has other characters, is a 400 with an envelope."""
    for call in CALLS:
        answer = server.device_request(request(call.format(container), b'{"success":true}')).answer()
        assert (answer.code, set(answer.json)) == (400, {"success", "message"})
        assert answer.json["success"] is False


def test_bytes_of_an_idle_response(server: InMemoryServer) -> None:
    """The idle response has no data key: the vendor's client would stop polling."""
    poll = server.device_request(POLL)
    server.clock.advance(45)
    answer = poll.answer()
    assert (answer.code, answer.body) == (200, b'{"success":false,"message":"no message"}')
    assert answer.headers["content-type"] == "application/json"


PAYLOADS: list[tuple[dict[str, Any], str]] = [
    ({"control": "REFRESH_AGENT"}, ""),
    ({"control": "REMOTE_ACTION", "message": "a|b|{}", "data": "text as it is"}, "text as it is"),
    ({"control": "REMOTE_ACTION", "message": "a|b|{}", "data": '{"a":1}'}, '{"a":1}'),
    (
        {"control": "REMOTE_ACTION", "message": "a|b|{}", "data": {"ids": [4408801109440198]}},
        '{"ids":[4408801109440198]}',
    ),
    ({"control": "REMOTE_ACTION", "message": "a|b|{}", "data": [1, 2.5, None]}, "[1,2.5,null]"),
    ({"control": "REMOTE_ACTION", "message": "a|b|{}", "data": 7}, "7"),
    ({"control": "REMOTE_ACTION", "message": "a|b|{}", "data": None}, "null"),
    ({"control": "REMOTE_ACTION", "message": "a|b|{}", "data": "Zoë 你好"}, "Zoë 你好"),
]


@pytest.mark.parametrize(("payload", "data"), PAYLOADS)
def test_message(server: InMemoryServer, payload: dict[str, Any], data: str) -> None:
    """Every value of a message is a string; structured data is sent as JSON text."""
    server.register(DEVICE)
    command = server.put(DEVICE, payload)
    assert poll_response(server)["data"] == {
        "rootContainerId": CONTAINER,
        "containerId": CONTAINER,
        "senderId": CONTAINER,
        "messageId": command,
        "control": payload["control"],
        "data": data,
    }
    assert server.command(command)["state"] == "sent"


def test_text_of_a_message(server: InMemoryServer) -> None:
    """The message text of a command is sent beside its data."""
    server.register(DEVICE)
    server.put(DEVICE, REFRESH | {"message": "please"})
    envelope = poll_response(server)
    assert (envelope["success"], envelope["message"]) == (True, "please")


def test_several_messages_at_once(server: InMemoryServer) -> None:
    """A container that polls again while it runs earlier messages gets the next one."""
    server.register(DEVICE)
    sent = [server.put(DEVICE, REFRESH) for _ in range(3)]
    got = [poll_response(server)["data"]["messageId"] for _ in range(3)]
    assert got == sent
    assert server.device(DEVICE)["in_flight"] == 3


def test_message_id_on_every_attempt(server: InMemoryServer) -> None:
    """A message that is sent again has the same id, so that a client can recognise it."""
    server.register(DEVICE)
    command = server.put(DEVICE, REFRESH, delivery="at_least_once")
    first = poll_response(server)
    server.tick(31)
    assert poll_response(server) == first
    assert server.command(command)["attempts"] == 2


def test_message_is_sent_at_most_once(server: InMemoryServer) -> None:
    """A message with at-most-once delivery is not sent again if no result arrives."""
    server.register(DEVICE)
    command = server.put(DEVICE, REFRESH)
    poll_response(server)
    server.tick(31)
    assert server.device_request(POLL).answers() == []
    assert server.command(command)["state"] == "unknown"


@pytest.mark.parametrize("version", ["", "/1", "/2"])
@pytest.mark.parametrize(
    ("fields", "name", "minutes"),
    [
        ({}, CONTAINER, 20),
        ({"name": "Küche", "heartbeat_timeout": 90}, "Küche", 1.5),
        ({"heartbeat_timeout": 100}, CONTAINER, 1.667),
    ],
)
def test_settings_of_a_container(
    server: InMemoryServer, version: str, fields: dict[str, Any], name: str, minutes: float
) -> None:
    """A known container that asks for its settings before it polls gets its name and its timeout in minutes."""
    server.register(DEVICE, **fields)
    answer = server.device_request(request(f"GET {version}/container?id={CONTAINER}&apiKey=k")).answer()
    assert (answer.code, answer.json["success"]) == (200, True)
    assert answer.json["data"] == {"id": CONTAINER, "name": name, "maxHeartbeatTimeout": minutes}
    assert server.device(DEVICE)["presence"] == "never_seen"


CONTAINERS_WITHOUT_SETTINGS: dict[str, tuple[str, int]] = {
    "unknown": ("?id=other", 403),
    "pending": ("?id=pending", 403),
    "blocked": ("?id=blocked", 403),
    "without its key": ("?id=keyed", 403),
    "with a wrong key": ("?id=keyed&apiKey=wrong", 403),
    "without an id": ("", 400),
    "with an invalid id": ("?id=a%20b", 400),
}


@pytest.mark.parametrize("kind", CONTAINERS_WITHOUT_SETTINGS)
def test_container_without_settings(server: InMemoryServer, kind: str) -> None:
    """Any other container is refused with an envelope, and does not become known."""
    for name in ("pending", "blocked", "keyed"):
        server.register(f"servereye:{name}", admission="approved" if name == "keyed" else name)
    server.ask("POST /v1/devices/servereye:keyed/api-key")
    query, code = CONTAINERS_WITHOUT_SETTINGS[kind]
    answer = server.device_request(request(f"GET /1/container{query}")).answer()
    assert (answer.code, answer.json["success"], set(answer.json)) == (code, False, {"success", "message"})
    assert code != 400 or answer.json["message"].startswith(("id, ", "containerId must"))
    assert len(server.ask("GET /v1/devices").json["items"]) == 3


@pytest.mark.parametrize(
    "line",
    [
        "POST /1/container",
        "DELETE /push/c",
        "HEAD /push/c",
        "POST /push/c",
        "PUT /push/c/ack/m",
        "GET /push/c/result/m",
        "DELETE /push/c/signoff",
    ],
)
def test_wrong_method(server: InMemoryServer, line: str) -> None:
    """Another method is a 405 with an envelope, and takes no message."""
    server.register("servereye:c")
    command = server.put("servereye:c", REFRESH)
    answer = server.device_request(request(line)).answer()
    assert answer.code == 405
    assert answer.headers["allow"]
    assert line.startswith("HEAD") or json.loads(answer.body)["success"] is False
    assert server.command(command)["state"] == "queued"


@pytest.mark.parametrize(
    "path",
    [
        "/push/c/x",
        "/push/c/ack",
        "/1/other",
        "/3/push/c",
        "/1",
        "/2/",
        "/12/x/y",
        "/api/push/c",
        "/x/1/push/c",
        "/push/c/ack/",
        "/push/c/result/m/x",
        "/push/",
        "/2/push/c/x",
    ],
)
def test_unknown_path(server: InMemoryServer, path: str) -> None:
    """An unknown path below /push or a version is a 404 with an envelope, and so is one below a wrong address."""
    answer = server.device_request(request(f"GET {path}")).answer()
    assert answer.code == 404
    assert answer.json == {"success": False, "message": "There is nothing at this path."}
