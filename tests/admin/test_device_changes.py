"""Tests of :mod:`pushd.admin.devices`: change and delete."""

from typing import Any

import pytest

from tests.connection import request
from tests.in_memory_server import InMemoryServer

DEVICE = "controlid:7"
POLL = request("GET /push?deviceId=7&uuid=a")


@pytest.fixture
def known(server: InMemoryServer) -> InMemoryServer:
    """A server with one device that has most of its fields set."""
    fields: dict[str, Any] = {
        "name": "Front door",
        "site": "Lobby",
        "tags": ["lobby"],
        "heartbeat_timeout": 30,
        "hold": 3,
    }
    server.register(DEVICE, **fields, muted_until="2027-02-01T00:00:00Z", allow_from=["192.0.2.0/24"])
    return server


def changed(server: InMemoryServer, body: object) -> dict[str, Any]:
    """A device after a change."""
    answer = server.ask(f"PATCH /v1/devices/{DEVICE}", body, "Content-Type: application/merge-patch+json")
    assert answer.code == 200, answer.body
    assert answer.json == server.device(DEVICE)
    seen: dict[str, Any] = answer.json
    return seen


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"name": "Back door"}, {"name": "Back door"}),
        ({"name": "Tür 你好"}, {"name": "Tür 你好"}),
        ({"site": "Yard " + "x" * 251}, {"site": "Yard " + "x" * 251}),
        ({"site": None}, {"site": None}),
        ({"tags": ["a", "b"]}, {"tags": ["a", "b"]}),
        ({"tags": []}, {"tags": []}),
        ({"admission": "blocked"}, {"admission": "blocked"}),
        ({"heartbeat_timeout": 1}, {"heartbeat_timeout": 1.0}),
        ({"hold": 55}, {"hold": 55.0}),
        ({"hold": 0}, {"hold": 0.0}),
        ({"muted_until": "2027-03-01T02:00:00+02:00"}, {"muted_until": "2027-03-01T00:00:00.000Z"}),
        ({"allow_from": ["2001:DB8::/32"]}, {"allow_from": ["2001:db8::/32"]}),
        ({"allow_from": ["192.0.2.7"]}, {"allow_from": ["192.0.2.7/32"]}),
        ({"allow_from": []}, {"allow_from": [], "proof": []}),
        ({"batch": 5}, {"batch": 5}),
        ({"name": "x", "hold": 1}, {"name": "x", "hold": 1.0}),
    ],
)
def test_change(known: InMemoryServer, change: object, shown: dict[str, Any]) -> None:
    """A change sets the named fields, and no others."""
    before = known.device(DEVICE)
    assert changed(known, change) == before | shown


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("name", ""),
        ("tags", []),
        ("heartbeat_timeout", 120.0),
        ("hold", None),
        ("muted_until", None),
        ("allow_from", []),
        ("admission", "approved"),
    ],
)
def test_null(known: InMemoryServer, name: str, default: object) -> None:
    """Null resets a field to its default."""
    seen = changed(known, {name: None})
    assert seen[name] == default
    assert seen["proof"] == ([] if name == "allow_from" else ["allow_from"])


def test_null_hold_forgets_the_learned_hold(server: InMemoryServer) -> None:
    """A hold of null also forgets the learned hold, so that it is learned anew."""
    server.register(DEVICE)
    for _ in range(2):
        poll = server.device_request(POLL)
        server.clock.advance(4)
        poll.hang_up()
    assert server.device(DEVICE)["learned_hold"] == 3.2
    assert changed(server, {"name": "x"})["learned_hold"] == 3.2
    assert changed(server, {"hold": None})["learned_hold"] is None


def test_no_change(known: InMemoryServer) -> None:
    """A change without fields changes nothing, and makes no event."""
    before = known.device(DEVICE)
    assert changed(known, {}) == before
    assert known.events(DEVICE) == ["device.registered"]


def test_every_wrong_field_is_named(known: InMemoryServer) -> None:
    """One answer names all fields that are unknown or wrong, and says what each must be."""
    body = {"colour": 1, "name": 5, "heartbeat_timeout": "1", "tags": ["a", 2]}
    problem = known.ask(f"PATCH /v1/devices/{DEVICE}", body).problem(422)
    assert [error["pointer"] for error in problem["errors"]] == [
        "#/colour",
        "#/name",
        "#/heartbeat_timeout",
        "#/tags/1",
    ]


@pytest.mark.parametrize("seconds", [0, -1e99, 1e99, 10**400])
def test_number_out_of_range(known: InMemoryServer, seconds: float) -> None:
    """The error of a number that is too large or too small says what the bounds are, however far it is from them."""
    (error,) = known.ask(f"PATCH /v1/devices/{DEVICE}", {"heartbeat_timeout": seconds}).problem(422)["errors"]
    assert error["detail"] == "must be 1 to 2592000 seconds"


WRONG: list[tuple[object, str]] = [
    ({"name": 5}, "#/name"),
    ({"name": "x" * 257}, "#/name"),
    ({"name": "a\nb"}, "#/name"),
    ({"name": "\ud800"}, "#/name"),
    ({"tags": "lobby"}, "#/tags"),
    ({"tags": {"a": 1}}, "#/tags"),
    ({"tags": ["a", 1]}, "#/tags/1"),
    ({"tags": ["x"] * 65}, "#/tags"),
    ({"admission": "friendly"}, "#/admission"),
    ({"admission": True}, "#/admission"),
    ({"heartbeat_timeout": "120"}, "#/heartbeat_timeout"),
    ({"heartbeat_timeout": True}, "#/heartbeat_timeout"),
    ({"heartbeat_timeout": 0.5}, "#/heartbeat_timeout"),
    ({"heartbeat_timeout": 10**9}, "#/heartbeat_timeout"),
    ({"heartbeat_timeout": 10**400}, "#/heartbeat_timeout"),
    ({"hold": -1}, "#/hold"),
    ({"hold": 55.1}, "#/hold"),
    ({"hold": []}, "#/hold"),
    ({"batch": 0}, "#/batch"),
    ({"batch": 2.0}, "#/batch"),
    ({"muted_until": "tomorrow"}, "#/muted_until"),
    ({"muted_until": "2027-01-01"}, "#/muted_until"),
    ({"muted_until": 1800000000}, "#/muted_until"),
    ({"allow_from": "192.0.2.0/24"}, "#/allow_from"),
    ({"allow_from": ["192.0.2.0/33"]}, "#/allow_from/0"),
    ({"allow_from": [7]}, "#/allow_from/0"),
    ({"presence": "online"}, "#/presence"),
    ({"id": "controlid:8"}, "#/id"),
    ({"learned_hold": None}, "#/learned_hold"),
    ({"nick~/name": "x"}, "#/nick~0~1name"),
    ({"é ": 1}, "#/%C3%A9%20"),
    ([], "#"),
    ("x", "#"),
    (7, "#"),
]


@pytest.mark.parametrize(("body", "pointer"), WRONG)
def test_wrong_change(known: InMemoryServer, body: object, pointer: str) -> None:
    """A change with a wrong field is refused as a whole, and the error points at the field."""
    before = known.device(DEVICE)
    body = body | {"hold": 9} if isinstance(body, dict) and "hold" not in body else body
    answer = known.ask(f"PATCH /v1/devices/{DEVICE}", body)
    assert answer.code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
    assert all(error["detail"].startswith(("must ", "is not ")) for error in answer.json["errors"])
    assert known.device(DEVICE) == before


def test_all_wrong_fields_are_named(known: InMemoryServer) -> None:
    """All wrong fields are named at once."""
    answer = known.ask(f"PATCH /v1/devices/{DEVICE}", {"name": 5, "hold": "long", "tags": ["fine"]})
    assert [error["pointer"] for error in answer.json["errors"]] == ["#/name", "#/hold"]


@pytest.mark.parametrize(
    ("change", "event"),
    [
        ({"admission": "blocked"}, "device.blocked"),
        ({"admission": "pending"}, "device.pending"),
        ({"name": "x"}, "device.changed"),
    ],
)
def test_events_of_a_change(known: InMemoryServer, change: object, event: str) -> None:
    """Each change makes an event."""
    changed(known, change)
    assert known.events(DEVICE)[-1] == event


def test_delete(server: InMemoryServer) -> None:
    """A deleted device is gone; its queued command is cancelled, the one in progress is unknown, and both stay
    readable.
    """
    server.register(DEVICE)
    sent, queued = (server.put(DEVICE, {"endpoint": name}) for name in ("a", "b"))
    server.device_request(POLL)
    answer = server.ask(f"DELETE /v1/devices/{DEVICE}")
    assert (answer.code, answer.body) == (204, b"")
    assert "content-length" not in answer.headers
    assert server.ask(f"GET /v1/devices/{DEVICE}").code == 404
    assert server.ask("GET /v1/devices").json["items"] == []
    assert [server.command(command)["state"] for command in (sent, queued)] == ["unknown", "cancelled"]
    assert server.events(DEVICE)[-1] == "device.deleted"


def test_deleted_device_that_polls(server: InMemoryServer) -> None:
    """A deleted device that polls again is new: its secret is gone, and no command is queued."""
    server.register(DEVICE, name="old")
    path = server.ask(f"POST /v1/devices/{DEVICE}/secret").json["path"]
    server.ask(f"DELETE /v1/devices/{DEVICE}")
    old = server.device_request(POLL.replace(b"/push", f"{path}/push".encode()))
    server.clock.advance(5)
    assert old.answer().code == 404
    poll = server.device_request(POLL)
    assert poll.answers() == []
    seen = server.device(DEVICE)
    assert (seen["name"], seen["proof"], seen["queue"]) == ("", [], 0)


def test_delete_while_it_polls(server: InMemoryServer) -> None:
    """The held poll of a deleted device is answered idle, also if the device is registered again meanwhile."""
    poll = server.device_request(POLL)
    server.ask(f"DELETE /v1/devices/{DEVICE}")
    server.register(DEVICE)
    server.clock.advance(10)
    assert poll.answer().body == b""
    assert server.device(DEVICE)["presence"] == "never_seen"
