"""Tests of who did it, and what it was: ``by`` of events, and ``endpoint`` and ``trace`` of commands."""

from typing import Any

import pytest

from pushd.http.bodies import SMALL
from pushd.model.token import Role
from tests.connection import request
from tests.in_memory_server import InMemoryServer

DEVICE = "controlid:7"
SEND = f"POST /v1/devices/{DEVICE}/commands"
LOAD: dict[str, Any] = {"payload": {"endpoint": "load_objects", "body": {"object": "users"}}}
BATCH = {"transactions": [{"endpoint": name} for name in ("door", "load_objects.fcgi", "/door")]}


@pytest.fixture
def known(server: InMemoryServer) -> InMemoryServer:
    """A server with one registered device."""
    server.register(DEVICE)
    return server


def events(server: InMemoryServer, *types: str) -> list[dict[str, Any]]:
    """The events of these types, without what is another each time."""
    query = "&".join(f"type={kind}" for kind in types)
    return [
        {"by": event["by"], "data": event["data"]} for event in server.ask(f"GET /v1/events?{query}").json["items"]
    ]


def names(server: InMemoryServer, *types: str) -> list[str | None]:
    """Who caused the events of these types."""
    return [event["by"] for event in events(server, *types)]


def listed(server: InMemoryServer) -> dict[str, Any]:
    """The newest command, as lists show it."""
    found: dict[str, Any] = server.ask("GET /v1/commands").json["items"][0]
    return found


def send_and_lose(server: InMemoryServer) -> str:
    """A command whose outcome is unknown."""
    command = server.put(DEVICE, LOAD["payload"], lease=1, delivery="at_most_once")
    server.device_request(request(f"GET /push?deviceId={DEVICE.partition(':')[2]}"))
    server.tick(2)
    return command


def test_events_of_a_command_name_who_caused_them(known: InMemoryServer) -> None:
    """What a token did has its name; what the device or the server did has none."""
    command = known.ask(SEND, LOAD, role=Role.OPERATOR).json["id"]
    known.device_request(request("GET /push?deviceId=7&uuid=u1"))
    known.device_request(request("POST /result?deviceId=7&uuid=u1", b'{"response": {}}'))
    found = known.ask(f"GET /v1/events?device={DEVICE}").json["items"]
    assert [(event["type"], event["by"]) for event in found if event["command"] == command] == [
        ("command.queued", "operator"),
        ("command.sent", None),
        ("command.succeeded", None),
    ]


LARGE = {"endpoint": "load_objects", "body": {"object": "users", "where": {"name": "x" * SMALL}}}


@pytest.mark.parametrize("body", [LOAD, {"payload": LARGE}], ids=["small", "large"])
def test_events_of_a_command_say_what_it_was(known: InMemoryServer, body: dict[str, Any]) -> None:
    """Each has the endpoint, and what the sender noted."""
    known.ask(SEND, body | {"trace": "ticket 4711, João"})
    known.device_request(request("GET /push?deviceId=7&uuid=u1"))
    known.device_request(request("POST /result?deviceId=7&uuid=u1", b'{"response": {}}'))
    what = {"endpoint": "load_objects", "trace": "ticket 4711, João"}
    found = events(known, "command.queued", "command.sent", "command.succeeded")
    assert [event["data"] for event in found] == [what, what | {"attempt": 1}, what | {"attempts": 1}]


@pytest.mark.parametrize("size", [1, SMALL], ids=["small", "large"])
def test_a_batch_has_a_list_of_endpoints(known: InMemoryServer, size: int) -> None:
    """A batch shows each of its endpoints once, as they are sent, and no single one."""
    transactions = [*BATCH["transactions"], {"endpoint": "load_objects", "body": "x" * size}]
    command = known.put(DEVICE, {"transactions": transactions})
    for shown in (listed(known), known.command(command)):
        assert (shown["endpoint"], shown["endpoints"]) == (None, ["door", "load_objects"])
    assert [event["data"] for event in events(known, "command.queued")] == [{"endpoints": ["door", "load_objects"]}]


@pytest.mark.parametrize("size", [1, SMALL], ids=["small", "large"])
def test_the_control_of_a_message_is_its_endpoint(server: InMemoryServer, size: int) -> None:
    """What a Server-Eye container is to do stands where the endpoint of a reader stands."""
    server.register("servereye:c")
    server.put("servereye:c", {"control": "REFRESH_AGENT", "data": "x" * size})
    assert (listed(server)["endpoint"], listed(server)["endpoints"]) == ("REFRESH_AGENT", None)


def test_trace_is_kept(known: InMemoryServer) -> None:
    """What the sender notes is shown and listed as it was given."""
    sent = known.ask(SEND, LOAD | {"trace": "ticket 4711"}).json
    assert {sent["trace"], listed(known)["trace"], known.command(sent["id"])["trace"]} == {"ticket 4711"}


@pytest.mark.parametrize(
    ("trace", "detail"),
    [
        ("x" * 129, "must be a string of at most 128 characters"),
        (7, "must be a string of at most 128 characters"),
        ("a\x00b", "must have no control characters"),
    ],
)
def test_trace_is_bounded(known: InMemoryServer, trace: object, detail: str) -> None:
    """What is no such text is refused, with the field."""
    answer = known.ask(SEND, LOAD | {"trace": trace})
    assert (answer.code, answer.json["errors"]) == (422, [{"pointer": "#/trace", "detail": detail}])
    assert known.ask(SEND, LOAD | {"trace": "x" * 128}).code == 201


def test_trace_belongs_to_an_idempotent_request(known: InMemoryServer) -> None:
    """The same request with another note is another request."""
    codes = [
        known.ask(SEND, LOAD | {"trace": trace}, "Idempotency-Key: k").code for trace in ("one", "one", "two", None)
    ]
    assert codes == [201, 200, 422, 422]


def test_a_resent_command_keeps_its_trace(known: InMemoryServer) -> None:
    """It has that of the first command, unless another is given; and who sent it again."""
    first = known.put(DEVICE, LOAD["payload"], trace="one")
    known.ask(f"POST /v1/commands/{first}/cancel")
    second = known.ask(f"POST /v1/commands/{first}/resend", {}, role=Role.OPERATOR).json
    assert (second["trace"], second["created_by"]) == ("one", "operator")
    known.ask(f"POST /v1/commands/{second['id']}/cancel")
    third = known.ask(f"POST /v1/commands/{second['id']}/resend", {"trace": "two"}).json
    assert (third["trace"], third["endpoint"]) == ("two", "load_objects")
    assert names(known, "command.queued") == ["admin", "operator", "admin"]


def test_operators_are_named(known: InMemoryServer) -> None:
    """Cancelling and resolving name the token."""
    known.ask(f"POST /v1/commands/{known.put(DEVICE, LOAD['payload'])}/cancel", role=Role.OPERATOR)
    lost = send_and_lose(known)
    known.ask(f"POST /v1/commands/{lost}/resolve", {"state": "failed", "note": "stuck"}, role=Role.OPERATOR)
    assert names(known, "command.cancelled", "command.unknown", "command.resolved") == ["operator", None, "operator"]


def test_changes_of_a_device_are_attributed(server: InMemoryServer) -> None:
    """What an admin does with a device, and what follows from that for its commands, has the admin's name."""
    server.register(DEVICE)
    server.put(DEVICE, LOAD["payload"])
    server.ask(f"PATCH /v1/devices/{DEVICE}", {"name": "gate"})
    server.ask(f"PATCH /v1/devices/{DEVICE}", {"admission": "blocked"}, role=Role.OPERATOR)
    server.ask(f"POST /v1/devices/{DEVICE}/secret")
    server.ask(f"DELETE /v1/devices/{DEVICE}")
    found = server.ask(f"GET /v1/events?device={DEVICE}").json["items"]
    assert [(event["type"], event["by"]) for event in found] == [
        ("device.registered", "admin"),
        ("command.queued", "admin"),
        ("device.changed", "admin"),
        ("device.blocked", "operator"),
        ("device.changed", "admin"),
        ("command.cancelled", "admin"),
        ("device.deleted", "admin"),
    ]


def test_what_a_device_does_names_no_token(server: InMemoryServer) -> None:
    """A device polls on its own, and goes offline on its own, and so its alert is raised."""
    server.device_request(request("GET /push?deviceId=8")).hang_up()
    server.tick(200)
    types = ("device.registered", "device.online", "device.offline", "alert.raised")
    assert names(server, *types) == [None] * len(types)


def test_what_follows_for_alerts_is_attributed(server: InMemoryServer) -> None:
    """An alert is acknowledged by one token, and cleared by the one that blocks its device."""
    server.device_request(request("GET /push?deviceId=8")).hang_up()
    server.tick(200)
    [alert] = server.ask("GET /v1/alerts").json["items"]
    acknowledged = server.ask(f"POST /v1/alerts/{alert['id']}/acknowledge", role=Role.OPERATOR).json
    assert acknowledged["acknowledged_by"] == "operator"
    server.ask("PATCH /v1/devices/controlid:8", {"admission": "blocked"})
    assert names(server, "alert.acknowledged", "alert.cleared") == ["operator", "admin"]
