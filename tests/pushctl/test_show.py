"""Tests of ``pushctl show`` and ``pushctl cancel``."""

import json

from tests.pushctl.recorded import COMMAND, SENT, SUCCEEDED, Answer, Desk, RecordedServer

LOOK = f"GET /v1/commands/{COMMAND['id']}"
CANCEL = f"POST /v1/commands/{COMMAND['id']}/cancel"


def test_show_has_everything(server: RecordedServer, desk: Desk) -> None:
    """What was sent, what became of it and what the device said stand together; what is not set is left out."""
    server.on(LOOK, Answer(body={**SUCCEEDED, "evidence": "device"}))
    result = desk.pushctl("show", COMMAND["id"])
    assert result.exit_code == 0
    rows = dict(line.split(None, 1) for line in result.stdout.splitlines() if line[:1].isalpha() and " " in line)
    assert rows["state"].strip() == "succeeded"
    assert rows["evidence"].strip() == "device"
    assert '"object": "users"' in result.stdout
    assert '"response": {' in result.stdout
    assert "not_before" not in result.stdout


def test_show_tells_the_exit_code_only_when_it_waited(server: RecordedServer, desk: Desk) -> None:
    """To look at a failed command is no failure; to wait for one is."""
    server.on(LOOK, Answer(body={**SENT, "state": "failed"}))
    assert desk.pushctl("show", COMMAND["id"]).exit_code == 0
    assert desk.pushctl("show", COMMAND["id"], "--wait").exit_code == 3


def test_show_for_programs(server: RecordedServer, desk: Desk) -> None:
    """With --json the command is shown as the server tells of it."""
    server.on(LOOK, Answer(body=SUCCEEDED))
    assert json.loads(desk.pushctl("show", COMMAND["id"], "--json").stdout) == SUCCEEDED


def test_show_of_an_unknown_command(server: RecordedServer, desk: Desk) -> None:
    """A command that is not there is said not to be."""
    server.on("GET /v1/commands/none", Answer(status=404, body={"title": "Not Found", "detail": "No such command."}))
    result = desk.pushctl("show", "none")
    assert (result.exit_code, result.stderr) == (1, "pushctl: refused (404): No such command.\n")


def test_cancel_says_what_came_of_it(server: RecordedServer, desk: Desk) -> None:
    """The state after a cancel is shown, because one that is out cannot be taken back."""
    server.on(CANCEL, Answer(body={**COMMAND, "state": "cancelled"}))
    result = desk.pushctl("cancel", COMMAND["id"])
    assert (result.exit_code, result.stdout) == (0, f"{COMMAND['id']} cancelled\n")
    assert json.loads(desk.pushctl("cancel", COMMAND["id"], "--json").stdout)["state"] == "cancelled"


def test_cancel_too_late(server: RecordedServer, desk: Desk) -> None:
    """A command that has ended cannot be cancelled, and the server's reason is shown."""
    server.on(CANCEL, Answer(status=409, body={"title": "Conflict", "detail": "It has succeeded."}))
    result = desk.pushctl("cancel", COMMAND["id"])
    assert (result.exit_code, result.stderr) == (1, "pushctl: refused (409): It has succeeded.\n")
