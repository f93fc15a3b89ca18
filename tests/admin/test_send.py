"""Tests of :mod:`pushd.admin.commands`: send."""

from typing import Any

import pytest

from pushd.core.commands import command_queue
from tests.connection import request
from tests.in_memory_server import InMemoryServer

DEVICE = "controlid:7"
SEND = f"POST /v1/devices/{DEVICE}/commands"
POLL = request("GET /push?deviceId=7&uuid=a")
RESULT = request("POST /result?deviceId=7&uuid=a", b'{"response":{"n":1}}')
LOAD: dict[str, Any] = {"payload": {"endpoint": "load_objects"}}

QUEUED: dict[str, Any] = {
    "device": DEVICE,
    "state": "queued",
    "payload": {"endpoint": "load_objects"},
    "delivery": "at_least_once",
    "priority": 5,
    "ttl": 300.0,
    "not_before": None,
    "created_at": "2027-01-15T08:00:00.000Z",
    "expires_at": "2027-01-15T08:05:00.000Z",
    "attempts": 0,
    "max_attempts": 5,
    "lease": 60.0,
    "deadline": 3600.0,
    "sent_at": None,
    "acknowledged_at": None,
    "finished_at": None,
    "result": None,
    "error": None,
    "late": False,
    "evidence": None,
    "matched_by": None,
    "created_by": "admin",
    "resend_of": None,
    "resent_as": None,
    "idempotency_key": None,
    "endpoint": "load_objects",
    "endpoints": None,
    "trace": None,
}


@pytest.fixture
def known(server: InMemoryServer) -> InMemoryServer:
    """A server with one registered device."""
    server.register(DEVICE)
    return server


def test_send(known: InMemoryServer) -> None:
    """A command that is accepted is shown with its defaults, and has a URL."""
    answer = known.ask(SEND, LOAD)
    assert (answer.code, answer.headers["location"]) == (201, f"/v1/commands/{answer.json['id']}")
    assert answer.json == QUEUED | {"id": answer.json["id"]}
    assert known.ask(f"GET {answer.headers['location']}").json == answer.json
    assert known.events(DEVICE)[-1] == "command.queued"


def test_send_with_all_options(known: InMemoryServer) -> None:
    """All options of a command can be set."""
    options = {
        "ttl": 60.5,
        "delivery": "at_least_once",
        "priority": 9,
        "not_before": "2027-01-15T09:00:00.000Z",
        "lease": 10.0,
        "deadline": 20.0,
        "max_attempts": 2,
    }
    answer = known.ask(SEND, LOAD | options)
    assert answer.json.items() >= options.items()
    assert answer.json["expires_at"] == "2027-01-15T09:01:00.500Z"


def test_null_options(known: InMemoryServer) -> None:
    """An option that is null has its default."""
    nulls = dict.fromkeys(("ttl", "delivery", "priority", "not_before", "lease", "deadline", "max_attempts"))
    answer = known.ask(SEND, LOAD | nulls)
    assert answer.json == QUEUED | {"id": answer.json["id"]}


def test_default_lease_of_the_other_dialect(server: InMemoryServer) -> None:
    """Each dialect has its default lease."""
    server.register("servereye:c")
    assert server.command(server.put("servereye:c", {"control": "X"}))["lease"] == 30.0


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/payload"),
        ({"payload": None}, "#/payload"),
        ({"payload": "load_objects"}, "#/payload"),
        ({"payload": []}, "#/payload"),
        ({"payload": {}}, "#/payload/endpoint"),
        ({"payload": {"endpoint": 7}}, "#/payload/endpoint"),
        ({"payload": {"endpoint": "/.fcgi"}}, "#/payload/endpoint"),
        ({"payload": {"endpoint": "a", "verb": "DELETE"}}, "#/payload/verb"),
        ({"payload": {"endpoint": "a", "body": 7}}, "#/payload/body"),
        ({"payload": {"endpoint": "a", "colour": 1}}, "#/payload/colour"),
        ({"payload": {"endpoint": "a", "contentType": "application/octet-stream", "body": "%"}}, "#/payload/body"),
        ({"payload": {"transactions": []}}, "#/payload/transactions"),
        ({"payload": {"transactions": [{"verb": "GET"}]}}, "#/payload/transactions/0/endpoint"),
        ({"payload": {"endpoint": "a", "body": {"x": "\ud800"}}}, "#/payload/body/x"),
        (LOAD | {"ttl": 0}, "#/ttl"),
        (LOAD | {"ttl": "300"}, "#/ttl"),
        (LOAD | {"ttl": 10**400}, "#/ttl"),
        (LOAD | {"ttl": True}, "#/ttl"),
        (LOAD | {"delivery": "twice"}, "#/delivery"),
        (LOAD | {"priority": 10}, "#/priority"),
        (LOAD | {"priority": 5.5}, "#/priority"),
        (LOAD | {"not_before": "soon"}, "#/not_before"),
        (LOAD | {"not_before": "2027-01-15 09:00:00"}, "#/not_before"),
        (LOAD | {"lease": 0}, "#/lease"),
        (LOAD | {"deadline": -1}, "#/deadline"),
        (LOAD | {"max_attempts": 0}, "#/max_attempts"),
        (LOAD | {"max_attempts": 10**30}, "#/max_attempts"),
        (LOAD | {"created_by": "me"}, "#/created_by"),
    ],
)
def test_refused(known: InMemoryServer, body: object, pointer: str) -> None:
    """A wrong command is refused, the error points at the field, and nothing is queued."""
    answer = known.ask(SEND, body)
    assert answer.code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
    assert known.device(DEVICE)["queue"] == 0
    assert known.events(DEVICE) == ["device.registered"]


def test_refused_for_the_other_dialect(server: InMemoryServer) -> None:
    """Each dialect checks the payloads for its devices."""
    server.register("servereye:c")
    answer = server.ask("POST /v1/devices/servereye:c/commands", LOAD)
    assert {error["pointer"] for error in answer.json["errors"]} == {"#/payload/endpoint", "#/payload/control"}


def test_wait_until_the_end(known: InMemoryServer) -> None:
    """With ``wait``, the answer comes when the command ends, with its result."""
    waiting = known.begin(f"{SEND}?wait=30", LOAD)
    known.device_request(POLL)
    known.clock.advance(3)
    assert waiting.answers() == []
    known.device_request(RESULT)
    answer = waiting.answer()
    assert (answer.code, answer.json["state"], answer.json["result"]) == (200, "succeeded", {"response": {"n": 1}})
    assert answer.headers["location"] == f"/v1/commands/{answer.json['id']}"


def test_wait_times_out(known: InMemoryServer) -> None:
    """If the command has not ended in time, the answer shows it as it is then."""
    waiting = known.begin(f"{SEND}?wait=3", LOAD)
    known.device_request(POLL)
    known.clock.advance(2.9)
    assert waiting.answers() == []
    known.clock.advance(0.1)
    answer = waiting.answer()
    assert (answer.code, answer.json["state"]) == (202, "sent")


def test_waiting_client_disconnects(known: InMemoryServer) -> None:
    """A client that disconnects while it waits leaves no timer behind; the command stays."""
    timers = len(known.clock.getDelayedCalls())
    known.begin(f"{SEND}?wait=30", LOAD).hang_up()
    assert len(known.clock.getDelayedCalls()) == timers
    assert known.device(DEVICE)["queue"] == 1


def test_signed_off(server: InMemoryServer) -> None:
    """Sending to a device that signed off is refused, unless the command may be queued for its return."""
    server.register("servereye:c")
    server.device_request(request("GET /push/c/signoff"))
    send, body = "POST /v1/devices/servereye:c/commands", {"payload": {"control": "X"}}
    answer = server.ask(f"{send}?wait=60", body)
    assert (answer.code, answer.json["type"]) == (409, "device-signed-off")
    assert server.ask(f"{send}?queue=0", body).code == 409
    assert server.ask(f"{send}?queue=1", body).code == 201
    assert server.device("servereye:c")["queue"] == 1


def test_blocked(server: InMemoryServer) -> None:
    """Sending to a blocked device is refused."""
    server.register(DEVICE, admission="blocked")
    answer = server.ask(SEND, LOAD)
    assert (answer.code, answer.json["type"]) == (409, "device-blocked")


def test_queue_is_full(known: InMemoryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most 1000 commands are queued for one device; further ones are refused until one is sent."""
    assert command_queue.MAX_QUEUED == 1000
    monkeypatch.setattr(command_queue, "MAX_QUEUED", 3)
    assert [known.ask(SEND, LOAD).code for _ in range(3)] == [201, 201, 201]
    answer = known.ask(SEND, LOAD)
    assert (answer.code, answer.json["type"]) == (409, "queue-full")
    known.register("controlid:8")
    assert known.ask("POST /v1/devices/controlid:8/commands", LOAD).code == 201
    known.device_request(POLL)
    assert known.ask(SEND, LOAD).code == 201
