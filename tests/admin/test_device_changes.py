"""Tests of :mod:`pushd.admin.devices`: change and delete."""

from typing import Any

import pytest

from pushd.model.token import Role
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
        "facts": {"model": "iDFlex", "floor": 1},
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
        ({"batch": 5.0}, {"batch": 5}),
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
        ("facts", {"serial": "00000?/000007"}),
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
    ({"batch": 2.5}, "#/batch"),
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


SERIAL = {"serial": "00000?/000007"}


@pytest.mark.parametrize(
    ("patch", "facts"),
    [
        ({"rack": "B"}, {"model": "iDFlex", "floor": 1, "rack": "B"}),
        ({"model": "iDFace", "floor": None}, {"model": "iDFace"}),
        ({"unknown": None}, {"model": "iDFlex", "floor": 1}),
        ({"floor": 1.5, "indoors": True}, {"model": "iDFlex", "floor": 1.5, "indoors": True}),
        ({"x" * 64: "é" * 256}, {"model": "iDFlex", "floor": 1, "x" * 64: "é" * 256}),
        ({"opens_with": "sec_box"}, {"model": "iDFlex", "floor": 1, "opens_with": "sec_box"}),
        ({}, {"model": "iDFlex", "floor": 1}),
    ],
)
def test_facts_are_merged(known: InMemoryServer, patch: object, facts: dict[str, Any]) -> None:
    """A change of facts sets some of them, removes those that are null, and keeps the others."""
    assert changed(known, {"facts": patch})["facts"] == facts | SERIAL


@pytest.mark.parametrize(
    ("facts", "pointer"),
    [
        (["model"], "#/facts"),
        ({"": "x"}, "#/facts/"),
        ({"x" * 65: "x"}, f"#/facts/{'x' * 65}"),
        ({"a/b\n": "x"}, "#/facts/a~1b%0A"),
        ({"a": "x" * 257}, "#/facts/a"),
        ({"a": "x\n"}, "#/facts/a"),
        ({"a": 10**256}, "#/facts/a"),
        ({"a": ["x"]}, "#/facts/a"),
        ({"a": {}}, "#/facts/a"),
        ({"opens_with": "key"}, "#/facts/opens_with"),
        ({"opens_with": ["door"]}, "#/facts/opens_with"),
        ({"serial": "0G020?/005B6D"}, "#/facts/serial"),
        ({"serial": None}, "#/facts/serial"),
        ({str(number): 1 for number in range(63)}, "#/facts"),
    ],
)
def test_wrong_facts(known: InMemoryServer, facts: object, pointer: str) -> None:
    """A fact that cannot be kept is named, and nothing is changed; the serial number follows from the id."""
    before = known.device(DEVICE)
    (error,) = known.ask(f"PATCH /v1/devices/{DEVICE}", {"name": "x", "facts": facts}).problem(422)["errors"]
    assert error["pointer"] == pointer
    assert known.device(DEVICE) == before


def test_many_facts(known: InMemoryServer) -> None:
    """A device can have 64 facts beside its serial number, and one of them can be replaced."""
    known.ask(f"PATCH /v1/devices/{DEVICE}", {"facts": {str(number): 1 for number in range(62)}})
    assert len(changed(known, {"facts": {"model": None, "colour": "red"}})["facts"]) == 65
    too_many = {"id": "controlid:8", "facts": {str(number): 1 for number in range(65)}}
    assert known.ask("POST /v1/devices", too_many).problem(422)["errors"][0]["pointer"] == "#/facts"


UNTIL = "2027-02-01T00:00:00.000Z"


@pytest.fixture
def fleet(server: InMemoryServer) -> InMemoryServer:
    """A server with five devices."""
    for number, (site, tags) in enumerate([("Yard", "ab"), ("Yard", "a"), ("Zoo", "ab"), (None, ""), (None, "b")]):
        server.register(f"controlid:{number}", site=site, tags=list(tags))
    return server


@pytest.mark.parametrize(
    ("selected", "muted"),
    [
        ({"site": "Yard"}, "01"),
        ({"site": "yard"}, ""),
        ({"tags": ["b"]}, "024"),
        ({"tags": ["a", "b"]}, "02"),
        ({"tags": []}, "01234"),
        ({"site": "Yard", "tags": ["b"]}, "0"),
        ({"devices": ["controlid:3", "controlid:01"]}, "13"),
        ({"devices": ["controlid:000000/000003"]}, "3"),
        ({"devices": ["controlid:0", "controlid:2"], "site": "Zoo"}, "2"),
        ({"devices": []}, ""),
        ({"devices": None, "site": "Zoo", "tags": None}, "2"),
    ],
)
def test_mute_several(fleet: InMemoryServer, selected: dict[str, Any], muted: str) -> None:
    """All devices that match what is given are muted until one time, and can be heard again together."""
    answer = fleet.ask("POST /v1/devices/mute", {**selected, "until": "2027-02-01T02:00:00+02:00"}, role=Role.OPERATOR)
    expected = [f"controlid:{number}" for number in muted]
    assert (answer.code, answer.json) == (200, {"devices": expected, "count": len(muted)})
    items = fleet.ask("GET /v1/devices").json["items"]
    assert {item["id"] for item in items if item["muted_until"] == UNTIL} == set(expected)
    assert [item["id"] for item in items] == [fleet.device(item["id"])["id"] for item in items]
    assert all(fleet.device(item["id"])["muted_until"] == item["muted_until"] for item in items)
    events = fleet.ask("GET /v1/events?type=device.changed").json["items"]
    assert [(event["device"], event["by"]) for event in events] == [(device, "operator") for device in expected]
    fleet.ask("POST /v1/devices/mute", {**selected, "until": None})
    assert not any(item["muted_until"] for item in fleet.ask("GET /v1/devices").json["items"])


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"until": UNTIL}, ["#"]),
        ({"site": "Yard"}, ["#/until"]),
        ({}, ["#/until", "#"]),
        ({"devices": "controlid:0", "until": UNTIL}, ["#/devices"]),
        ({"devices": ["controlid:0", "7"], "until": UNTIL}, ["#/devices/1"]),
        ({"site": "Yard", "until": "tomorrow"}, ["#/until"]),
        ({"tag": "a", "until": UNTIL}, ["#/tag"]),
    ],
)
def test_wrong_mute(fleet: InMemoryServer, body: object, pointers: list[str]) -> None:
    """What is missing or wrong is named, and no device is muted."""
    problem = fleet.ask("POST /v1/devices/mute", body).problem(422)
    assert [error["pointer"] for error in problem["errors"]] == pointers


def test_mute_an_unknown_device(fleet: InMemoryServer) -> None:
    """If one of the devices is unknown, none is muted."""
    fleet.ask("POST /v1/devices/mute", {"devices": ["controlid:0", "controlid:9"], "until": UNTIL}).problem(404)
    assert fleet.device("controlid:0")["muted_until"] is None


def test_mute_a_large_fleet(server: InMemoryServer) -> None:
    """Of many devices the answer has the first thousand, and the number of all."""
    for number in range(1001):
        server.register(f"controlid:{number}", site="Yard")
    answer = server.ask("POST /v1/devices/mute", {"site": "Yard", "until": UNTIL}).json
    assert (len(answer["devices"]), answer["count"]) == (1000, 1001)
    assert server.device("controlid:1000")["muted_until"] == UNTIL
