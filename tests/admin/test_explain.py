"""Tests of :mod:`pushd.core.commands.explain`, as an operator asks for it."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.connection import request
from tests.in_memory_server import House

DEVICE = "servereye:c"
POLL = request("GET /push/c")
SIGN_OFF = request("GET /push/c/signoff")
PAYLOAD = {"control": "REFRESH_AGENT"}

Story = Callable[[House, str], object]


def explained(house: House, command: str) -> dict[str, Any]:
    """Why a command has not run yet, or what is known of it."""
    answer = house.ask(f"GET /v1/commands/{command}/explain")
    assert answer.code == 200, answer.body
    found: dict[str, Any] = answer.json
    return found


def say(house: House, command: str, call: str, body: bytes = b'{"success":true}') -> None:
    """Let the container take a command and say something about it."""
    house.knock(POLL)
    house.knock(request(f"POST /push/c/{call}/{command}", body))


def lapse(house: House) -> None:
    """Let the container take a command, and nothing be heard of it."""
    house.knock(POLL)
    house.tick(31)


STORIES: dict[str, Story] = {
    "never-polled": lambda house, command: None,
    "waits-for-approval": lambda house, command: house.ask(f"PATCH /v1/devices/{DEVICE}", {"admission": "pending"}),
    "device-blocked": lambda house, command: house.ask(f"PATCH /v1/devices/{DEVICE}", {"admission": "blocked"}),
    "signed-off": lambda house, command: house.knock(SIGN_OFF),
    "no-result-yet": lambda house, command: house.knock(POLL),
    "at-work": lambda house, command: say(house, command, "ack"),
    "reported": lambda house, command: say(house, command, "result"),
    "expired-unsent": lambda house, command: house.tick(301),
    "cancelled-unsent": lambda house, command: house.ask(f"POST /v1/commands/{command}/cancel"),
    "outcome-unknown": lambda house, command: lapse(house),
}


@pytest.mark.parametrize("reason", STORIES)
def test_reason(house: House, reason: str) -> None:
    """An operator is told in a word, a sentence and data how a command stands, and why."""
    house.register(DEVICE)
    command = house.put(DEVICE, PAYLOAD)
    STORIES[reason](house, command)
    found = explained(house, command)
    assert found["reason"] == reason
    assert found["state"] == house.command(command)["state"]
    assert found["sentence"].endswith(".")
    assert found["facts"]["proven"] is False


def test_not_yet_due(house: House) -> None:
    """A command for later waits for its time."""
    house.register(DEVICE)
    command = house.put(DEVICE, PAYLOAD, not_before="2027-01-15T09:00:00Z")
    found = explained(house, command)
    assert found["reason"] == "not-yet-due"
    assert "2027-01-15T09:00:00.000Z" in found["sentence"]


def test_deaf(house: House) -> None:
    """Of a device that rests between its polls, an operator is told when the next is expected."""
    for _ in range(3):
        house.knock(POLL)
        house.clock.advance(45)
        house.clock.advance(10)
    house.knock(POLL)
    house.clock.advance(45)
    house.clock.advance(4)
    found = explained(house, house.put(DEVICE, PAYLOAD))
    assert found["reason"] == "deaf"
    assert (found["facts"]["poll_gap"], found["facts"]["next_poll_in"]) == (10, 6)


def test_forgotten(house: House) -> None:
    """Of a command whose device was forgotten, an operator is told what became of it."""
    house.register(DEVICE)
    command = house.put(DEVICE, PAYLOAD)
    house.ask(f"DELETE /v1/devices/{DEVICE}")
    assert explained(house, command)["reason"] == "cancelled-unsent"


def test_nobody_proves_it(house: House) -> None:
    """An operator is told where anybody could be the device."""
    house.register(DEVICE)
    command = house.put(DEVICE, PAYLOAD)
    assert "Nobody proves" in explained(house, command)["sentence"]
    house.ask(f"POST /v1/devices/{DEVICE}/api-key")
    assert "Nobody proves" not in explained(house, command)["sentence"]


def test_unknown_command(house: House) -> None:
    """Of a command that nobody sent there is nothing to explain."""
    house.ask("GET /v1/commands/x/explain").problem(404)
