"""Tests of ``pushctl show`` and ``pushctl cancel``."""

import json

from tests.pushctl.fake_server import COMMAND, DEVICE, SENT, SUCCEEDED, Answer, FakeServer, Pushctl

LOOK = f"GET /v1/commands/{COMMAND['id']}"
CANCEL = f"POST /v1/commands/{COMMAND['id']}/cancel"


def test_show_has_all_fields(server: FakeServer, pushctl: Pushctl) -> None:
    """The fields, the payload and the result are shown; fields that are not set are left out."""
    server.on(LOOK, Answer(body={**SUCCEEDED, "evidence": "device"}))
    result = pushctl("show", COMMAND["id"])
    assert result.exit_code == 0
    rows = dict(line.split(None, 1) for line in result.stdout.splitlines() if line[:1].isalpha() and " " in line)
    assert rows["state"].strip() == "succeeded"
    assert rows["evidence"].strip() == "device"
    assert '"object": "users"' in result.stdout
    assert '"response": {' in result.stdout
    assert "not_before" not in result.stdout


def test_exit_code_is_the_outcome_only_with_wait(server: FakeServer, pushctl: Pushctl) -> None:
    """The exit code of a failed command is 0 without --wait, and 3 with it."""
    server.on(LOOK, Answer(body={**SENT, "state": "failed"}))
    assert pushctl("show", COMMAND["id"]).exit_code == 0
    assert pushctl("show", COMMAND["id"], "--wait").exit_code == 3


def test_show_for_programs(server: FakeServer, pushctl: Pushctl) -> None:
    """With --json, the command is shown as the server sent it."""
    server.on(LOOK, Answer(body=SUCCEEDED))
    assert json.loads(pushctl("show", COMMAND["id"], "--json").stdout) == SUCCEEDED


def test_show_of_an_unknown_command(server: FakeServer, pushctl: Pushctl) -> None:
    """If there is no such command, the server's message is shown."""
    server.on("GET /v1/commands/none", Answer(status=404, body={"title": "Not Found", "detail": "No such command."}))
    result = pushctl("show", "none")
    assert (result.exit_code, result.stderr) == (1, "pushctl: refused (404): No such command.\n")


def test_cancel_shows_the_new_state(server: FakeServer, pushctl: Pushctl) -> None:
    """The state after the call is shown, because a command that was sent cannot be cancelled."""
    server.on(CANCEL, Answer(body={**COMMAND, "state": "cancelled"}))
    result = pushctl("cancel", COMMAND["id"])
    assert (result.exit_code, result.stdout) == (0, f"{COMMAND['id']} cancelled\n")
    assert json.loads(pushctl("cancel", COMMAND["id"], "--json").stdout)["state"] == "cancelled"


def test_cancel_too_late(server: FakeServer, pushctl: Pushctl) -> None:
    """If the command has ended, the server's reason is shown."""
    server.on(CANCEL, Answer(status=409, body={"title": "Conflict", "detail": "It has succeeded."}))
    result = pushctl("cancel", COMMAND["id"])
    assert (result.exit_code, result.stderr) == (1, "pushctl: refused (409): It has succeeded.\n")


def test_show_of_a_device(server: FakeServer, pushctl: Pushctl) -> None:
    """A device is shown with its fields and, below them, its facts; a name cannot move the cursor."""
    facts = {"serial": "0M020?/0376C6", "model": "iDFlex", "floor": 2, "\x1b[2J": "gone"}
    server.on(f"GET /v1/devices/{DEVICE['id']}", Answer(body={**DEVICE, "facts": facts, "proof": []}))
    result = pushctl("show", DEVICE["id"])
    assert result.exit_code == 0
    fields, _, below = result.stdout.partition("\nfacts\n")
    assert {("site", "Lobby"), ("tags", "lobby"), ("queue", "2")} <= {
        tuple(line.split(None, 1)) for line in fields.splitlines()
    }
    assert below.split() == ["\\x1b[2J", "gone", "floor", "2", "model", "iDFlex", "serial", "0M020?/0376C6"]
    assert "anyone who can reach the device port" in result.stderr
    assert json.loads(pushctl("show", DEVICE["id"], "--json").stdout)["facts"] == facts
