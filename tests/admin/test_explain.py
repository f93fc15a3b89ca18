"""Tests of :mod:`pushd.core.commands.explain`, as an operator asks for it."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.connection import request
from tests.in_memory_server import InMemoryServer

DEVICE = "servereye:c"
POLL = request("GET /push/c")
SIGN_OFF = request("GET /push/c/signoff")
PAYLOAD = {"control": "REFRESH_AGENT"}

Story = Callable[[InMemoryServer, str], object]


def explained(server: InMemoryServer, command: str) -> dict[str, Any]:
    """Why a command has not run yet, or what is known of it."""
    answer = server.ask(f"GET /v1/commands/{command}/explain")
    assert answer.code == 200, answer.body
    found: dict[str, Any] = answer.json
    return found


def say(server: InMemoryServer, command: str, call: str, body: bytes = b'{"success":true}') -> None:
    """Let the container take a command and say something about it."""
    server.device_request(POLL)
    server.device_request(request(f"POST /push/c/{call}/{command}", body))


def lapse(server: InMemoryServer) -> None:
    """Let the container take a command, and nothing be heard of it."""
    server.device_request(POLL)
    server.tick(31)


STORIES: dict[str, Story] = {
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


@pytest.mark.parametrize("reason", STORIES)
def test_reason(server: InMemoryServer, reason: str) -> None:
    """An operator is told in a word, a sentence and data how a command stands, and why."""
    server.register(DEVICE)
    command = server.put(DEVICE, PAYLOAD)
    STORIES[reason](server, command)
    found = explained(server, command)
    assert found["reason"] == reason
    assert found["state"] == server.command(command)["state"]
    assert found["sentence"].endswith(".")
    assert found["facts"]["proven"] is False


def test_not_yet_due(server: InMemoryServer) -> None:
    """A command for later waits for its time."""
    server.register(DEVICE)
    command = server.put(DEVICE, PAYLOAD, not_before="2027-01-15T09:00:00Z")
    found = explained(server, command)
    assert found["reason"] == "not-yet-due"
    assert "2027-01-15T09:00:00.000Z" in found["sentence"]


def test_deaf(server: InMemoryServer) -> None:
    """Of a device that rests between its polls, an operator is told when the next is expected."""
    for _ in range(3):
        server.device_request(POLL)
        server.clock.advance(45)
        server.clock.advance(10)
    server.device_request(POLL)
    server.clock.advance(45)
    server.clock.advance(4)
    found = explained(server, server.put(DEVICE, PAYLOAD))
    assert found["reason"] == "deaf"
    assert (found["facts"]["poll_gap"], found["facts"]["next_poll_in"]) == (10, 6)


def test_forgotten(server: InMemoryServer) -> None:
    """Of a command whose device was forgotten, an operator is told what became of it."""
    server.register(DEVICE)
    command = server.put(DEVICE, PAYLOAD)
    server.ask(f"DELETE /v1/devices/{DEVICE}")
    assert explained(server, command)["reason"] == "cancelled-unsent"


def test_nobody_proves_it(server: InMemoryServer) -> None:
    """An operator is told where anybody could be the device."""
    server.register(DEVICE)
    command = server.put(DEVICE, PAYLOAD)
    assert "not authenticated" in explained(server, command)["sentence"]
    server.ask(f"POST /v1/devices/{DEVICE}/api-key")
    assert "not authenticated" not in explained(server, command)["sentence"]


def test_unknown_command(server: InMemoryServer) -> None:
    """Of a command that nobody sent there is nothing to explain."""
    server.ask("GET /v1/commands/x/explain").problem(404)
