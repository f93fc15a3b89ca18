"""Tests of :mod:`pushd.core.commands.explain` by the admin API: the reason for each state of a command."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.connection import request
from tests.in_memory_server import InMemoryServer

DEVICE = "servereye:c"
POLL = request("GET /push/c")
SIGN_OFF = request("GET /push/c/signoff")
PAYLOAD = {"control": "REFRESH_AGENT"}

Setup = Callable[[InMemoryServer, str], object]


def explained(server: InMemoryServer, command: str) -> dict[str, Any]:
    """The explanation of a command."""
    answer = server.ask(f"GET /v1/commands/{command}/explain")
    assert answer.code == 200, answer.body
    found: dict[str, Any] = answer.json
    return found


def say(server: InMemoryServer, command: str, call: str, body: bytes = b'{"success":true}') -> None:
    """Let the container fetch a command and report on it."""
    server.device_request(POLL)
    server.device_request(request(f"POST /push/c/{call}/{command}", body))


def lapse(server: InMemoryServer) -> None:
    """Let the container fetch a command, and let its lease end without a report."""
    server.device_request(POLL)
    server.tick(31)


SETUPS: dict[str, Setup] = {
    "never-polled": lambda server, command: None,
    "waits-for-approval": lambda server, command: server.ask(f"PATCH /v1/devices/{DEVICE}", {"admission": "pending"}),
    "device-blocked": lambda server, command: server.ask(f"PATCH /v1/devices/{DEVICE}", {"admission": "blocked"}),
    "signed-off": lambda server, command: server.device_request(SIGN_OFF),
    "no-result-yet": lambda server, command: server.device_request(POLL),
    "at-work": lambda server, command: say(server, command, "ack"),
    "reported": lambda server, command: say(server, command, "result"),
    "expired-unsent": lambda server, command: server.tick(301),
    "cancelled-unsent": lambda server, command: server.ask(f"POST /v1/commands/{command}/cancel"),
    "outcome-unknown": lambda server, command: lapse(server),
}


@pytest.mark.parametrize("reason", SETUPS)
def test_reason(server: InMemoryServer, reason: str) -> None:
    """The explanation of a command has a reason for programs, a sentence for people, and the facts."""
    server.register(DEVICE)
    command = server.put(DEVICE, PAYLOAD)
    SETUPS[reason](server, command)
    found = explained(server, command)
    assert found["reason"] == reason
    assert found["state"] == server.command(command)["state"]
    assert found["sentence"].endswith(".")
    assert found["facts"]["proven"] is False


def test_not_yet_due(server: InMemoryServer) -> None:
    """A command with ``not_before`` is not due before that time."""
    server.register(DEVICE)
    command = server.put(DEVICE, PAYLOAD, not_before="2027-01-15T09:00:00Z")
    found = explained(server, command)
    assert found["reason"] == "not-yet-due"
    assert "2027-01-15 09:00:00+00:00" in found["sentence"]


def test_rarely_connected_device(server: InMemoryServer) -> None:
    """For a device that rests between its polls, the explanation has the time of the next poll."""
    for _ in range(3):
        server.device_request(POLL)
        server.clock.advance(45)
        server.clock.advance(10)
    server.device_request(POLL)
    server.clock.advance(45)
    server.clock.advance(4)
    found = explained(server, server.put(DEVICE, PAYLOAD))
    assert found["reason"] == "between-polls"
    assert (found["facts"]["poll_gap"], found["facts"]["next_poll_in"]) == (10, 6)


def test_deleted_device(server: InMemoryServer) -> None:
    """The command of a deleted device has an explanation."""
    server.register(DEVICE)
    command = server.put(DEVICE, PAYLOAD)
    server.ask(f"DELETE /v1/devices/{DEVICE}")
    assert explained(server, command)["reason"] == "cancelled-unsent"


def test_unauthenticated_device(server: InMemoryServer) -> None:
    """The explanation warns if the device is not authenticated."""
    server.register(DEVICE)
    command = server.put(DEVICE, PAYLOAD)
    assert "not authenticated" in explained(server, command)["sentence"]
    server.ask(f"POST /v1/devices/{DEVICE}/api-key")
    assert "not authenticated" not in explained(server, command)["sentence"]


def test_unknown_command(server: InMemoryServer) -> None:
    """A command with an unknown id has no explanation."""
    server.ask("GET /v1/commands/x/explain").problem(404)
