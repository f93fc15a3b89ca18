"""Tests of :mod:`pushd.admin.commands`: resolve, resend."""

from typing import Any

import pytest

from pushd.model.command import SendOptions
from pushd.model.token import Role
from tests.connection import request
from tests.in_memory_server import InMemoryServer
from tests.results import result_of

DEVICE = "controlid:7"
POLL = request("GET /push?deviceId=7&uuid=a")
RESULT = request("POST /result?deviceId=7&uuid=a", b'{"response":{}}')
LOAD = {"endpoint": "load_objects", "body": {"object": "users"}}


@pytest.fixture
def unknown(server: InMemoryServer) -> str:
    """A command that may have run, and whose outcome is unknown."""
    server.register(DEVICE)
    command = server.put(DEVICE, LOAD, priority=7, ttl=60)
    server.device_request(POLL)
    server.tick(61)
    assert server.command(command)["state"] == "unknown"
    return command


@pytest.mark.parametrize("state", ["succeeded", "failed"])
def test_resolve(server: InMemoryServer, unknown: str, state: str) -> None:
    """An operator who found out the outcome of a command sets it, and the evidence is the operator."""
    body = {"state": state, "note": "the door was seen open"}
    answer = server.ask(f"POST /v1/commands/{unknown}/resolve", body, role=Role.OPERATOR)
    assert (answer.code, answer.json["state"], answer.json["evidence"]) == (200, state, "operator")
    assert answer.json == server.command(unknown)
    assert server.events(DEVICE)[-1] == "command.resolved"


def test_result_after_resolve(server: InMemoryServer, unknown: str) -> None:
    """A result that comes after the operator's decision changes nothing, and is kept as an orphan."""
    server.ask(f"POST /v1/commands/{unknown}/resolve", {"state": "failed"})
    before = server.command(unknown)
    server.device_request(RESULT)
    assert server.command(unknown) == before
    assert len(server.orphans(DEVICE)) == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/state"),
        ({"state": "unknown"}, "#/state"),
        ({"state": "lost"}, "#/state"),
        ({"state": True}, "#/state"),
        ({"state": "failed", "note": 7}, "#/note"),
        ({"state": "failed", "why": "x"}, "#/why"),
    ],
)
def test_resolve_with_wrong_fields(server: InMemoryServer, unknown: str, body: object, pointer: str) -> None:
    """Any other outcome, or a wrong field, is refused."""
    refused = server.ask(f"POST /v1/commands/{unknown}/resolve", body).problem(422)
    assert [error["pointer"] for error in refused["errors"]] == [pointer]
    assert pointer != "#/state" or refused["errors"][0]["detail"].endswith("succeeded or failed")
    assert server.command(unknown)["state"] == "unknown"


def test_resolve_a_known_outcome(server: InMemoryServer) -> None:
    """A command whose outcome is known, or still to come, cannot be resolved."""
    server.register(DEVICE)
    command = server.put(DEVICE, LOAD)
    server.device_request(POLL)
    for _ in range(2):
        refused = server.ask(f"POST /v1/commands/{command}/resolve", {"state": "failed"}).problem(409)
        assert refused["type"] == "illegal-move"
        server.device_request(RESULT)
    assert server.command(command)["state"] == "succeeded"


def test_resend(server: InMemoryServer, unknown: str) -> None:
    """Resending makes a new command with the same options, and links both; repeated, it gives that command again."""
    answer = server.ask(f"POST /v1/commands/{unknown}/resend", {})
    again: dict[str, Any] = answer.json
    assert (answer.code, answer.headers["location"]) == (201, f"/v1/commands/{again['id']}")
    assert (again["state"], again["payload"], again["resend_of"]) == ("queued", LOAD, unknown)
    assert (again["priority"], again["ttl"], again["attempts"]) == (7, 60.0, 0)
    assert server.command(unknown)["resent_as"] == again["id"]
    repeated = server.ask(f"POST /v1/commands/{unknown}/resend", {"ttl": 5})
    assert (repeated.code, repeated.json) == (200, again)


def test_resend_with_other_options(server: InMemoryServer, unknown: str) -> None:
    """A command can be resent with other options."""
    again = server.ask(f"POST /v1/commands/{unknown}/resend", {"ttl": 5, "delivery": "at_least_once"}).json
    assert (again["ttl"], again["delivery"], again["priority"]) == (5.0, "at_least_once", 7)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"ttl": 0}, "#/ttl"), ({"delivery": "twice"}, "#/delivery"), ({"payload": LOAD}, "#/payload")],
)
def test_resend_with_invalid_options(server: InMemoryServer, unknown: str, body: object, pointer: str) -> None:
    """Invalid options are refused, and nothing is sent."""
    refused = server.ask(f"POST /v1/commands/{unknown}/resend", body).problem(422)
    assert [error["pointer"] for error in refused["errors"]] == [pointer]
    assert server.command(unknown)["resent_as"] is None


def test_resend_too_early(server: InMemoryServer) -> None:
    """A command that may still run, or has succeeded, is not resent."""
    server.register(DEVICE)
    command = server.put(DEVICE, LOAD)
    for step in (POLL, RESULT, b""):
        server.ask(f"POST /v1/commands/{command}/resend", {}).problem(409)
        server.device_request(step)


@pytest.mark.parametrize("call", ["resolve", "resend"])
def test_roles(server: InMemoryServer, unknown: str, call: str) -> None:
    """A viewer can neither resolve nor resend, and unknown commands are 404."""
    server.ask(f"POST /v1/commands/{unknown}/{call}", {"state": "failed"}, role=Role.VIEWER).problem(403)
    server.ask(f"POST /v1/commands/x/{call}", {"state": "failed"} if call == "resolve" else {}).problem(404)


def test_resend_of_what_is_refused_now(server: InMemoryServer) -> None:
    """A payload that an earlier version accepted, but that harms the client, is not sent again."""
    server.register("servereye:c")
    draft = server.core.drafts.make("servereye:c", {"control": "REMOTE_ACTION"}, SendOptions(), "operator")
    command, _ = result_of(server.core.command_queue.put(draft))
    server.ask(f"POST /v1/commands/{command.id}/cancel")
    refused = server.ask(f"POST /v1/commands/{command.id}/resend", {}).problem(422)
    assert [error["pointer"] for error in refused["errors"]] == ["#/payload/message"]
    assert len(server.ask("GET /v1/commands").json["items"]) == 1
