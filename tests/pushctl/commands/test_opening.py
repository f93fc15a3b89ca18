"""Tests of ``pushctl open``."""

import json
from typing import Any

import pytest

from tests.pushctl.fake_server import COMMAND, SENT, SUCCEEDED, Answer, FakeServer, Pushctl

READER = "controlid:4408801109440198"
OPEN = f"POST /v1/devices/{READER}/open"


def opening(outcome: str, command: dict[str, Any], detail: str = "What became of it.") -> Answer:
    """What the server says about an opening."""
    return Answer(body={"outcome": outcome, "reason": "a_word", "detail": detail, "command": command}, takes=9.5)


def test_opened(server: FakeServer, pushctl: Pushctl) -> None:
    """The sentence of the server is shown, and the exit code is 0."""
    server.on(OPEN, opening("opened", SUCCEEDED, "Opened: Front door reported success."))
    result = pushctl("open", READER)
    assert (result.exit_code, result.stdout) == (0, "Opened: Front door reported success.\n")
    (request,) = server.calls(OPEN)
    assert (request.body, request.query) == ({}, {})
    assert request.headers["idempotency-key"]


def test_serial_number(server: FakeServer, pushctl: Pushctl) -> None:
    """The device may be given by the serial number on its label."""
    server.on("POST /v1/devices/controlid:3206485144263533/open", opening("opened", SUCCEEDED))
    assert pushctl("open", "0G0200/005B6D").exit_code == 0


def test_options(server: FakeServer, pushctl: Pushctl) -> None:
    """What is to be opened is sent, and the key if one is given."""
    server.on(OPEN, opening("opened", SUCCEEDED))
    options = ["--door", "2", "--direction", "both", "--trace", "ticket 7", "--idempotency-key", "mine"]
    assert pushctl("open", READER, *options).exit_code == 0
    (request,) = server.calls(OPEN)
    assert request.body == {"door": 2, "direction": "both", "trace": "ticket 7"}
    assert request.headers["idempotency-key"] == "mine"


@pytest.mark.parametrize(("state", "code"), [("failed", 3), ("expired", 5), ("cancelled", 6)])
def test_not_opened(server: FakeServer, pushctl: Pushctl, state: str, code: int) -> None:
    """The exit code says how the command ended."""
    server.on(OPEN, opening("not_opened", {**COMMAND, "state": state}, "Not opened: it has never polled."))
    result = pushctl("open", READER)
    assert (result.exit_code, result.stdout) == (code, "Not opened: it has never polled.\n")


@pytest.mark.parametrize("state", ["sent", "unknown"])
def test_unknown(server: FakeServer, pushctl: Pushctl, state: str) -> None:
    """An unknown outcome has an exit code of its own, and the next steps are named."""
    server.on(OPEN, opening("unknown", {**SENT, "state": state}, "Unknown: look."))
    result = pushctl("open", READER)
    assert result.exit_code == 4
    first, *steps = result.stdout.splitlines()
    assert first == "Unknown: look."
    assert [step.partition(":")[2].strip() for step in steps] == [
        f"pushctl show {COMMAND['id']} --wait",
        f"pushctl resolve {COMMAND['id']} succeeded",
    ]


def test_json(server: FakeServer, pushctl: Pushctl) -> None:
    """With --json, all that the server says is one line."""
    answer = opening("unknown", SENT)
    server.on(OPEN, answer)
    result = pushctl("open", READER, "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (4, answer.body)


def test_refused(server: FakeServer, pushctl: Pushctl) -> None:
    """If the server refuses, its remedy is shown, and the exit code is 1."""
    problem = {"type": "model-unknown", "title": "Conflict", "detail": "Set its facts.model."}
    server.on(OPEN, Answer(status=409, body=problem))
    result = pushctl("open", READER)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Set its facts.model." in result.stderr


def test_no_answer(server: FakeServer, pushctl: Pushctl) -> None:
    """Without an answer the outcome is unknown, and the key is named with which a second call opens nothing twice."""
    server.on(OPEN, Answer(cut=True))
    result = pushctl("open", READER, "--idempotency-key", "mine")
    assert result.exit_code == 4
    assert "--idempotency-key mine does not send it twice" in result.stderr


def test_answer_of_another_program(server: FakeServer, pushctl: Pushctl) -> None:
    """An answer that is no outcome is not taken for one."""
    server.on(OPEN, Answer(body={"status": "ok"}))
    result = pushctl("open", READER)
    assert result.exit_code == 1
    assert "is this the admin port" in result.stderr


@pytest.mark.parametrize("options", [["--door", "5"], ["--door", "x"], ["--direction", "left"]])
def test_wrong_options(pushctl: Pushctl, options: list[str]) -> None:
    """What no device has is refused before anything is sent."""
    assert pushctl("open", READER, *options).exit_code == 2
