"""Tests of :mod:`pushd.dialects.controlid.app`: polls, in bytes."""

import json

import pytest

from tests.connection import request
from tests.in_memory_server import BuildServer, InMemoryServer

DEVICE = "controlid:4408801109440198"
POLL = b"GET /push?deviceId=4408801109440198&uuid=0d9f4bd6 HTTP/1.1\r\nHost: 10.1.1.5:8080\r\nAccept: */*\r\n\r\n"
NEXT = POLL.replace(b"0d9f4bd6", b"77aa01c2")


def poll_response(server: InMemoryServer, data: bytes = POLL) -> bytes:
    """The body of the immediate response to a poll."""
    answer = server.device_request(data).answer()
    assert (answer.code, answer.headers["cache-control"]) == (200, "no-store")
    return answer.body


@pytest.mark.parametrize(
    ("query", "device"),
    [
        ("deviceId=4408801109440198&uuid=a", "4408801109440198"),
        ("deviceId=4408801109440198", "4408801109440198"),
        ("uuid=a&deviceId=4408801109440198", "4408801109440198"),
        ("device_id=4408801109440198", "4408801109440198"),
        ("deviceid=4408801109440198", "4408801109440198"),
        ("deviceId=4408801109440198&device_id=4408801109440198", "4408801109440198"),
        ("deviceId=04408801109440198", "4408801109440198"),
        ("deviceId=9007199254740993", "9007199254740993"),
        ("deviceId=9223372036854775807", "9223372036854775807"),
        ("deviceId=-9223372036854775808", "-9223372036854775808"),
        ("deviceId=%34", "4"),
        ("deviceId=7&uuid=a&uuid=b", "7"),
        ("deviceId=7&uuid=%ff%00", "7"),
        ("deviceId=7&uuid=" + "u" * 5000, "7"),
        ("deviceId=7&uuid=", "7"),
        ("deviceId=7&firmware=8.1&deviceId=", "7"),
    ],
)
def test_spellings_of_a_poll(server: InMemoryServer, query: str, device: str) -> None:
    """A device is identified by all digits of its deviceId, however the parameter is spelled."""
    server.device_request(request(f"GET /push?{query}"))
    seen = server.device(f"controlid:{device}")
    assert (seen["id"], seen["polling"], seen["presence"]) == (f"controlid:{device}", True, "online")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?",
        "?uuid=a",
        "?deviceId=",
        "?deviceId=door",
        "?deviceId=4.408801109440198e15",
        "?deviceId=4408801109440198.0",
        "?deviceId=9223372036854775808",
        "?deviceId=%ff",
        "?deviceId=7&deviceId=8",
        "?deviceId=7&device_id=8",
        "?DeviceID=7",
    ],
)
def test_invalid_device_id(server: InMemoryServer, query: str) -> None:
    """A request without a valid deviceId is a 400."""
    for line in ("GET /push", "POST /result"):
        answer = server.device_request(request(line + query)).answer()
        assert (answer.code, answer.body, answer.headers["content-length"]) == (400, b"", "0")


COMMANDS = [
    {"endpoint": "load_objects"},
    {"verb": "POST", "endpoint": "load_objects", "body": {"object": "users", "where": {"users": {"id": 1}}}},
    {"verb": "GET", "endpoint": "system_information"},
    {"endpoint": "load_objects", "body": '{"object": "users"}'},
    {"endpoint": "message_to_screen", "body": {"message": "Olá, 你好", "timeout": 1.0, "big": 4408801109440198}},
    {
        "endpoint": "user_set_image",
        "contentType": "application/octet-stream",
        "body": "/9j/4AA=",
        "queryString": "user_id=7",
    },
    {"endpoint": "reboot", "body": {}, "contentType": "application/json"},
]


@pytest.mark.parametrize("payload", COMMANDS, ids=lambda payload: str(payload["endpoint"]))
def test_command_is_sent_unchanged(server: InMemoryServer, payload: dict[str, object]) -> None:
    """A device gets the fields that the operator gave, unchanged, and no others."""
    server.register(DEVICE)
    command = server.put(DEVICE, payload)
    body = poll_response(server)
    assert json.loads(body) == payload
    assert list(json.loads(body)) == list(payload)
    assert server.command(command)["state"] == "sent"


def test_bytes_of_a_command(server: InMemoryServer) -> None:
    """An object is sent as an object, text as text, and numbers with all their digits."""
    server.register(DEVICE)
    server.put(DEVICE, {"endpoint": "own_call", "body": {"user_id": 4408801109440198, "ratio": 1.0, "name": "Zoë"}})
    answer = server.device_request(POLL).answer()
    assert answer.headers["content-type"] == "application/json"
    body = '{"endpoint":"own_call","body":{"user_id":4408801109440198,"ratio":1.0,"name":"Zoë"}}'
    assert answer.body == body.encode()


def test_batch(server: InMemoryServer) -> None:
    """A batch is sent in order, each entry with a transactionid, which is a string."""
    server.register(DEVICE)
    entries = [
        {"endpoint": "logout"},
        {"endpoint": "load_objects", "transactionid": "x"},
        {"endpoint": "reboot"},
    ]
    server.put(DEVICE, {"transactions": entries})
    batch = json.loads(poll_response(server))
    assert [(entry["transactionid"], entry["endpoint"]) for entry in batch["transactions"]] == [
        ("1", "logout"),
        ("x", "load_objects"),
        ("3", "reboot"),
    ]
    assert list(batch) == ["transactions"]


def test_payload_as_on_the_own_interface_of_a_device(server: InMemoryServer) -> None:
    """A number as transactionid is sent as given; an endpoint is sent without slash and .fcgi."""
    server.register(DEVICE)
    entries = [{"transactionid": 7, "endpoint": "/logout.fcgi"}, {"endpoint": "load_objects.fcgi"}]
    command = server.put(DEVICE, {"transactions": entries})
    assert json.loads(poll_response(server)) == {
        "transactions": [
            {"transactionid": 7, "endpoint": "logout"},
            {"transactionid": "2", "endpoint": "load_objects"},
        ]
    }
    results = [{"transactionid": "7", "success": True}, {"transactionid": 2, "success": True}]
    line = "POST /result?deviceId=4408801109440198&uuid=0d9f4bd6&endpoint=load_objects.fcgi"
    server.device_request(request(line, json.dumps({"transactions_results": results}).encode()))
    assert server.command(command)["state"] == "succeeded"


def test_same_key_and_another_spelling_of_the_endpoint(server: InMemoryServer) -> None:
    """A request that is repeated with the same idempotency key gives the first command, also if it was corrected."""
    server.register(DEVICE)
    sent = [
        server.ask(
            f"POST /v1/devices/{DEVICE}/commands", {"payload": {"endpoint": "/reboot.fcgi"}}, "Idempotency-Key: k"
        )
        for _ in range(2)
    ]
    assert [answer.code for answer in sent] == [201, 200]
    assert sent[0].json["payload"] == sent[1].json["payload"] == {"endpoint": "reboot"}


@pytest.mark.parametrize("key", ["transactions_results", "transaction_results"])
def test_commands_are_sent_as_a_batch(build_server: BuildServer, key: str) -> None:
    """With --batch, queued commands are sent as one batch, and each has its own result."""
    server = build_server(batch=3)
    server.register(DEVICE)
    commands = [server.put(DEVICE, {"endpoint": name}) for name in ("a", "b")]
    assert json.loads(poll_response(server)) == {
        "transactions": [{"transactionid": "1", "endpoint": "a"}, {"transactionid": "2", "endpoint": "b"}]
    }
    results = [{"transactionid": 2, "success": False, "response": "no"}, {"transactionid": 1, "success": True}]
    body = json.dumps({key: results}).encode()
    server.device_request(request("POST /result?deviceId=4408801109440198&uuid=0d9f4bd6", body))
    assert [server.command(command)["state"] for command in commands] == ["succeeded", "failed"]
    assert server.command(commands[1])["error"] == "no"


def test_command_for_a_held_poll(server: InMemoryServer) -> None:
    """A command that is sent while a poll is held is delivered at once."""
    poll = server.device_request(POLL)
    assert poll.answers() == []
    server.put(DEVICE, {"endpoint": "load_objects"})
    assert poll.answer().json == {"endpoint": "load_objects"}


def test_one_at_a_time(server: InMemoryServer) -> None:
    """A device gets one command at a time; a poll with another uuid means that it is done, and gets the next."""
    server.register(DEVICE)
    first = server.put(DEVICE, {"endpoint": "first"})
    second = server.put(DEVICE, {"endpoint": "second"})
    assert json.loads(poll_response(server)) == {"endpoint": "first"}
    assert server.command(second)["state"] == "queued"
    assert json.loads(poll_response(server, NEXT)) == {"endpoint": "second"}
    assert [server.command(command)["state"] for command in (first, second)] == ["sent", "sent"]


def test_repeated_poll(server: InMemoryServer) -> None:
    """A poll with the uuid of the sent command is an HTTP retry: it gets no command until that one is settled."""
    server.register(DEVICE)
    for name in ("first", "second"):
        server.put(DEVICE, {"endpoint": name})
    poll_response(server)
    retry = server.device_request(POLL)
    assert retry.answers() == []
    server.device_request(request("POST /result?deviceId=4408801109440198&uuid=0d9f4bd6", b'{"response":{}}'))
    assert retry.answer().json == {"endpoint": "second"}


def test_poll_without_uuid(server: InMemoryServer) -> None:
    """The next poll of old firmware, which sends no uuid, means that the device is done."""
    server.register(DEVICE)
    for name in ("first", "second"):
        server.put(DEVICE, {"endpoint": name})
    bare = request("GET /push?deviceId=4408801109440198")
    assert json.loads(poll_response(server, bare)) == {"endpoint": "first"}
    assert json.loads(poll_response(server, bare)) == {"endpoint": "second"}


def test_poll_while_the_store_is_down(server: InMemoryServer) -> None:
    """While the store fails a poll is held as if nothing was queued, and gets the idle response."""
    server.register(DEVICE)
    server.put(DEVICE, {"endpoint": "load_objects"})
    server.fail_store()
    poll = server.device_request(POLL)
    server.clock.advance(9.9)
    assert poll.answers() == []
    server.clock.advance(0.1)
    answer = poll.answer()
    assert (answer.code, answer.body) == (200, b"")
