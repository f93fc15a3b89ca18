"""Tests of ``pushctl explain``, ``pushctl resolve`` and ``pushctl resend``."""

import json

import pytest

from tests.pushctl.fake_server import COMMAND, SUCCEEDED, Answer, FakeServer, Pushctl

PATH = f"/v1/commands/{COMMAND['id']}"
UNKNOWN = {**COMMAND, "state": "unknown"}


def test_explain_says_one_sentence(server: FakeServer, pushctl: Pushctl) -> None:
    """The sentence is shown; with --json, all facts."""
    explanation = {
        "command": COMMAND["id"],
        "reason": "between-polls",
        "sentence": "The device polls again in 50 s.",
        "facts": {"ahead": 2},
    }
    server.on(f"GET {PATH}/explain", Answer(body=explanation))
    assert pushctl("explain", COMMAND["id"]).stdout == "The device polls again in 50 s.\n"
    assert json.loads(pushctl("explain", COMMAND["id"], "--json").stdout) == explanation


def test_resolve_records_the_outcome(server: FakeServer, pushctl: Pushctl) -> None:
    """The state and the note are sent, and the new state is shown."""
    server.on(f"POST {PATH}/resolve", Answer(body={**UNKNOWN, "state": "succeeded"}))
    result = pushctl("resolve", COMMAND["id"], "succeeded", "--note", "seen")
    assert (result.exit_code, result.stdout) == (0, f"{COMMAND['id']} succeeded\n")
    assert server.calls(f"POST {PATH}/resolve")[0].body == {"state": "succeeded", "note": "seen"}


def test_resolve_takes_two_states_only(pushctl: Pushctl) -> None:
    """A state other than succeeded and failed is a usage error."""
    assert pushctl("resolve", COMMAND["id"], "expired").exit_code == 2


def test_resend_gives_the_new_command(server: FakeServer, pushctl: Pushctl) -> None:
    """The new command is shown; with --wait, the exit code is that of its outcome."""
    server.on(
        f"POST {PATH}/resend", Answer(status=201, body={**SUCCEEDED, "id": "second", "resend_of": COMMAND["id"]})
    )
    assert pushctl("resend", COMMAND["id"], "--ttl", "60", "--trace", "T-7").stdout.startswith("second succeeded")
    assert server.calls(f"POST {PATH}/resend")[0].body == {"ttl": 60, "trace": "T-7"}
    assert pushctl("resend", COMMAND["id"], "--wait").exit_code == 0


@pytest.mark.parametrize(("answer", "code"), [(Answer(cut=True), 4), (Answer(takes=60), 130)])
def test_lost_answer_to_resend(server: FakeServer, pushctl: Pushctl, answer: Answer, code: int) -> None:
    """If the answer is lost, or Ctrl-C comes before it, the command may have been sent again; the same call shows."""
    server.on(f"POST {PATH}/resend", answer)
    pushctl.interrupt_after = 1
    result = pushctl("resend", COMMAND["id"])
    assert result.exit_code == code
    assert "the same call shows the new command, and does not send it twice" in result.stderr


def test_resend_of_a_succeeded_command_is_refused(server: FakeServer, pushctl: Pushctl) -> None:
    """The server's reason is shown."""
    server.on(f"POST {PATH}/resend", Answer(status=409, body={"title": "Conflict", "detail": "It worked."}))
    result = pushctl("resend", COMMAND["id"])
    assert (result.exit_code, result.stderr) == (1, "pushctl: refused (409): It worked.\n")
