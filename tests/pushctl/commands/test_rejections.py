"""Tests of ``pushctl rejections``."""

import json

from tests.pushctl.fake_server import Answer, FakeServer, Pushctl

REJECTION = {
    "address": "192.0.2.1",
    "path": "/controlid/push",
    "reason": "wrong_base",
    "count": 12,
    "first_at": "1970-01-12T13:46:00.000Z",
    "last_at": "1970-01-12T13:46:10.000Z",
    "device": "controlid:7",
    "remedy": "Nothing is served below /controlid; did you mean --base /controlid?",
    "node": "server-1",
}
UNREADABLE = {**REJECTION, "path": None, "device": None, "address": None, "reason": "not_http", "count": 1}


def test_rejections_are_shown(server: FakeServer, pushctl: Pushctl) -> None:
    """Each rejection is a line with what is known of it, and below it what to do."""
    server.on("GET /v1/rejections", Answer(body={"items": [REJECTION, UNREADABLE]}))
    result = pushctl("rejections")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "wrong_base  192.0.2.1  /controlid/push  controlid:7  12 times, 30 s ago  at server-1",
        "    Nothing is served below /controlid; did you mean --base /controlid?",
        "not_http  once, 30 s ago  at server-1",
        "    Nothing is served below /controlid; did you mean --base /controlid?",
    ]


def test_json(server: FakeServer, pushctl: Pushctl) -> None:
    """With --json the list is one array."""
    server.on("GET /v1/rejections", Answer(body={"items": [REJECTION]}))
    assert json.loads(pushctl("rejections", "--json").stdout) == [REJECTION]


def test_nothing_was_refused(server: FakeServer, pushctl: Pushctl) -> None:
    """If nothing was refused, a line on stderr says so."""
    server.on("GET /v1/rejections", Answer(body={"items": []}))
    result = pushctl("rejections")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Nothing was refused" in result.stderr


def test_control_characters(server: FakeServer, pushctl: Pushctl) -> None:
    """Whatever a server has in its fields, nothing of it can move the cursor of a terminal."""
    server.on("GET /v1/rejections", Answer(body={"items": [dict.fromkeys(REJECTION, "\x1b[2J\n\x9b")]}))
    shown = pushctl("rejections").stdout
    assert all(line.isprintable() for line in shown.splitlines())
    assert len(shown.splitlines()) == 2
