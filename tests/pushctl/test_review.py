"""Tests of ``pushctl explain``, ``resolve``, ``resend`` and ``fsck``."""

import json

from tests.pushctl.recorded import COMMAND, SUCCEEDED, Answer, Desk, RecordedServer

PATH = f"/v1/commands/{COMMAND['id']}"
UNKNOWN = {**COMMAND, "state": "unknown"}


def test_explain_says_one_sentence(server: RecordedServer, desk: Desk) -> None:
    """The sentence is shown as it is; with --json all that it rests on."""
    told = {
        "command": COMMAND["id"],
        "reason": "deaf",
        "sentence": "The device is deaf for 50 s.",
        "facts": {"ahead": 2},
    }
    server.on(f"GET {PATH}/explain", Answer(body=told))
    assert desk.pushctl("explain", COMMAND["id"]).stdout == "The device is deaf for 50 s.\n"
    assert json.loads(desk.pushctl("explain", COMMAND["id"], "--json").stdout) == told


def test_resolve_records_an_operators_word(server: RecordedServer, desk: Desk) -> None:
    """The state and the note are sent, and what came of it is shown."""
    server.on(f"POST {PATH}/resolve", Answer(body={**UNKNOWN, "state": "succeeded"}))
    result = desk.pushctl("resolve", COMMAND["id"], "succeeded", "--note", "seen")
    assert (result.exit_code, result.stdout) == (0, f"{COMMAND['id']} succeeded\n")


def test_resolve_takes_only_what_an_operator_can_know(desk: Desk) -> None:
    """Another state than succeeded and failed is a wrong call."""
    assert desk.pushctl("resolve", COMMAND["id"], "expired").exit_code == 2


def test_resend_gives_the_new_command(server: RecordedServer, desk: Desk) -> None:
    """The new command is shown; with --wait its outcome is the exit code."""
    server.on(
        f"POST {PATH}/resend", Answer(status=201, body={**SUCCEEDED, "id": "second", "resend_of": COMMAND["id"]})
    )
    assert desk.pushctl("resend", COMMAND["id"], "--ttl", "60").stdout.startswith("second succeeded")
    assert desk.pushctl("resend", COMMAND["id"], "--wait").exit_code == 0


def test_resend_of_one_that_worked_is_refused(server: RecordedServer, desk: Desk) -> None:
    """The server's reason is shown."""
    server.on(f"POST {PATH}/resend", Answer(status=409, body={"title": "Conflict", "detail": "It worked."}))
    result = desk.pushctl("resend", COMMAND["id"])
    assert (result.exit_code, result.stderr) == (1, "pushctl: refused (409): It worked.\n")


def test_fsck_lists_flaws(server: RecordedServer, desk: Desk) -> None:
    """Each flaw is named, and the exit code says that there are some; without any it says so."""
    flaw = {"what": "its attempts are not in order", "device": "controlid:1", "command": "c", "detail": None}
    server.on("GET /v1/fsck", Answer(body={"items": [flaw]}))
    result = desk.pushctl("fsck")
    assert result.exit_code == 1
    assert "its attempts are not in order" in result.stdout
    assert json.loads(desk.pushctl("fsck", "--json").stdout) == flaw


def test_fsck_of_a_sound_store(server: RecordedServer, desk: Desk) -> None:
    """Without flaws it says so."""
    server.on("GET /v1/fsck", Answer(body={"items": []}))
    result = desk.pushctl("fsck")
    assert (result.exit_code, result.stdout) == (0, "No flaws.\n")
