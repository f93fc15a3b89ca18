"""Tests of :mod:`pushd.admin.commands`: defaults from the catalogue, and what a device is certain to reject."""

import json
from typing import Any

import pytest

from pushd.http.bodies import SMALL
from tests.connection import request
from tests.in_memory_server import InMemoryServer

DEVICE, CONTAINER = "controlid:7", "servereye:c"
SEND = f"POST /v1/devices/{DEVICE}/commands"
POLL = request("GET /push?deviceId=7&uuid=a")

LOAD = {"endpoint": "load_objects", "body": {"object": "users"}}
OPEN = {"endpoint": "execute_actions", "body": {"actions": [{"action": "door", "parameters": "door=1"}]}}
ENROLL = {"endpoint": "remote_enroll", "body": {"type": "hand"}}
OWN = {"endpoint": "own_call"}

CAREFUL, REPEATED = "at_most_once", "at_least_once"


@pytest.fixture
def known(server: InMemoryServer) -> InMemoryServer:
    """A server with one device of each dialect."""
    server.register(DEVICE)
    server.register(CONTAINER)
    return server


@pytest.mark.parametrize(
    ("payload", "given", "delivery", "ttl"),
    [
        (LOAD, {}, REPEATED, 300.0),
        (LOAD | {"endpoint": "/load_objects.fcgi"}, {}, REPEATED, 300.0),
        (OPEN, {}, CAREFUL, 15.0),
        (OWN, {}, CAREFUL, 300.0),
        ({"transactions": [LOAD, LOAD]}, {}, REPEATED, 300.0),
        ({"transactions": [LOAD, OWN]}, {}, CAREFUL, 300.0),
        ({"transactions": [LOAD, OPEN]}, {}, CAREFUL, 15.0),
        (LOAD, {"delivery": CAREFUL}, CAREFUL, 300.0),
        (LOAD, {"ttl": 5}, REPEATED, 5.0),
        (OPEN, {"ttl": 60}, CAREFUL, 60.0),
        (OPEN, {"delivery": REPEATED}, REPEATED, 15.0),
        (OPEN, {"ttl": None, "delivery": None}, CAREFUL, 15.0),
    ],
)
def test_defaults(known: InMemoryServer, payload: Any, given: dict[str, Any], delivery: str, ttl: float) -> None:
    """A read may be repeated, and what moves something has 15 seconds; what the sender gives wins."""
    command = known.command(known.put(DEVICE, payload, **given))
    assert (command["delivery"], command["ttl"]) == (delivery, ttl)


def test_large_command(known: InMemoryServer) -> None:
    """A large command has the same defaults, and is checked like any other."""
    large = OPEN | {"queryString": "x" * SMALL}
    command = known.command(known.put(DEVICE, large))
    assert (known.off_reactor, command["delivery"], command["ttl"]) == (1, CAREFUL, 15.0)
    refused = known.ask(SEND, {"payload": ENROLL | {"queryString": "x" * SMALL}})
    assert (refused.code, refused.json["errors"][0]["pointer"]) == (422, "#/payload/body/type")


def test_read_is_sent_again(known: InMemoryServer) -> None:
    """A read whose result does not come before its lease ends is sent again by itself."""
    command = known.put(DEVICE, LOAD)
    assert known.device_request(POLL).answer().json == LOAD
    known.tick(61)
    assert known.command(command)["state"] == "queued"
    assert known.device_request(request("GET /push?deviceId=7&uuid=b")).answer().json == LOAD
    assert known.command(command)["attempts"] == 2


def test_act_is_not_sent_late(known: InMemoryServer) -> None:
    """What moves something expires after 15 seconds, and is not sent then."""
    command = known.put(DEVICE, OPEN)
    known.tick(16)
    assert known.command(command)["state"] == "expired"
    assert known.device_request(POLL).answers() == []


def test_resend_keeps_what_the_first_command_had(known: InMemoryServer) -> None:
    """A command that is sent again has the time to live and delivery of the first one, unless others are given."""
    command = known.put(DEVICE, OPEN)
    known.tick(16)
    again = known.ask(f"POST /v1/commands/{command}/resend").json
    assert (again["delivery"], again["ttl"]) == (CAREFUL, 15.0)
    known.tick(16)
    again = known.ask(f"POST /v1/commands/{again['id']}/resend", {"ttl": 20}).json
    assert (again["delivery"], again["ttl"]) == (CAREFUL, 20.0)


@pytest.mark.parametrize(
    ("device", "payload", "pointer"),
    [
        (DEVICE, ENROLL, "#/payload/body/type"),
        (DEVICE, {"endpoint": "execute_actions"}, "#/payload/body/actions"),
        (DEVICE, {"transactions": [OWN, ENROLL]}, "#/payload/transactions/1/body/type"),
        (CONTAINER, {"control": "REMOTE_ACTION", "message": "a|b"}, "#/payload/message"),
    ],
)
def test_certain_mistake(known: InMemoryServer, device: str, payload: Any, pointer: str) -> None:
    """What a device is certain to reject is a 422 that names the field; with ``unchecked=1`` it is sent as it is."""
    line = f"POST /v1/devices/{device}/commands"
    refused = known.ask(line, {"payload": payload})
    assert (refused.code, [error["pointer"] for error in refused.json["errors"]]) == (422, [pointer])
    assert known.device(device)["queue"] == 0
    sent = known.ask(f"{line}?unchecked=1", {"payload": payload})
    assert (sent.code, sent.json["payload"]) == (201, payload)


def test_form_is_always_checked(known: InMemoryServer) -> None:
    """With ``unchecked=1`` a payload must still be one that can be sent."""
    for payload in ({"endpoint": 7}, {"endpoint": "a", "verb": "PUT"}, {"endpoint": "a", "colour": 1}):
        assert known.ask(f"{SEND}?unchecked=1", {"payload": payload}).code == 422
    assert known.ask(f"{SEND}?unchecked=2", {"payload": OWN}).code == 400


def test_resend_of_what_was_not_checked(known: InMemoryServer) -> None:
    """A command that was sent unchecked is checked when it is sent again, unless that is unchecked, too."""
    command = known.ask(f"{SEND}?unchecked=1", {"payload": ENROLL}).json["id"]
    known.ask(f"POST /v1/commands/{command}/cancel")
    refused = known.ask(f"POST /v1/commands/{command}/resend")
    assert (refused.code, refused.json["errors"][0]["pointer"]) == (422, "#/payload/body/type")
    again = known.ask(f"POST /v1/commands/{command}/resend?unchecked=1")
    assert (again.code, again.json["payload"]) == (201, ENROLL)


def test_all_errors_of_a_batch_at_once(known: InMemoryServer) -> None:
    """Each certain mistake of a batch is named."""
    refused = known.ask(SEND, {"payload": {"transactions": [ENROLL, LOAD, {"endpoint": "create_objects"}]}})
    assert [error["pointer"] for error in refused.json["errors"]] == [
        "#/payload/transactions/0/body/type",
        "#/payload/transactions/2/body/object",
        "#/payload/transactions/2/body/values",
    ]
    assert "unchecked=1" in json.dumps(refused.json)
