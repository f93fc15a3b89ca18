"""Tests of ``pushctl status``."""

import json
from typing import Any

import pytest
from rich.console import Console

from pushd.pushctl import terminal
from tests.pushctl.fake_server import COMMAND, DEVICE, Answer, FakeServer, Pushctl

COUNTS = {"devices": 12, "online": 10, "pending": 0, "queued": 3, "unknown": 0}
NOW = "1970-01-12T13:46:00.000Z"
"""Forty seconds before the tests' clock begins."""

LISTS = ("alerts", "devices", "commands", "rejections", "webhooks")


@pytest.fixture
def server(server: FakeServer) -> FakeServer:
    """A server with which nothing is wrong."""
    _counts(server)
    server.on("GET /readyz", Answer(body={"status": "ready"}))
    for name in LISTS:
        _list(server, name)
    return server


def _counts(server: FakeServer, **counts: int) -> None:
    info = {"version": "26.11.0", "node": "gate", "started_at": NOW, "counts": {**COUNTS, **counts}}
    server.on("GET /v1/info", Answer(body=info))


def _list(server: FakeServer, name: str, *items: dict[str, Any]) -> None:
    server.on(f"GET /v1/{name}", Answer(body={"items": list(items), "next": None}))


def test_nothing_is_wrong(server: FakeServer, pushctl: Pushctl) -> None:
    """If all is well, one sentence says so, and the exit code is 0."""
    result = pushctl("status")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "pushd 26.11.0 on gate, started 40 s ago: 10 of 12 devices online, 3 commands queued",
        "Nothing is wrong.",
    ]


@pytest.mark.parametrize(
    ("name", "item", "said", "shown"),
    [
        (
            "devices",
            {**DEVICE, "presence": "offline"},
            "1 device is offline:",
            "Front door  Lobby  last seen 40 s ago",
        ),
        (
            "alerts",
            {"kind": "offline", "devices": ["controlid:1"], "count": 1, "raised_at": NOW, "acknowledged_by": "ana"},
            "1 alert is open:",
            "offline  controlid:1  for 40 s  acknowledged by ana",
        ),
        (
            "rejections",
            {"reason": "wrong_base", "address": "192.0.2.1", "path": "/x/push", "count": 3, "last_at": NOW}
            | {"remedy": "start the server with --base /x"},
            "1 kind of request was rejected within the last hour:",
            "wrong_base  192.0.2.1  /x/push  3 times, 40 s ago  start the server with --base /x",
        ),
        (
            "webhooks",
            {"id": "w1", "url": "https://hooks.example/***abcd", "failing_since": NOW},
            "1 webhook fails or is disabled:",
            "w1  https://hooks.example/***abcd  failing for 40 s",
        ),
    ],
)
def test_problem(server: FakeServer, pushctl: Pushctl, name: str, item: dict[str, Any], said: str, shown: str) -> None:
    """Each kind of problem is counted, shown in words, and comes with the call that shows more; the exit code is 8,
    or 0 if it is an alert that was acknowledged.
    """
    _list(server, name, item)
    result = pushctl("status")
    assert result.exit_code == (0 if name == "alerts" else 8)
    lines = result.stdout.splitlines()
    at = lines.index(said)
    assert shown in lines[at + 1]
    assert lines[at + 2].startswith("  -> pushctl ")
    assert "Nothing is wrong." not in lines


def test_alert_that_is_not_acknowledged(server: FakeServer, pushctl: Pushctl) -> None:
    """One alert that no operator has acknowledged is enough for exit code 8, and what is not shown is counted."""
    alert = {"kind": "offline", "devices": ["controlid:1"], "count": 1, "raised_at": NOW}
    _list(server, "alerts", alert, *[{**alert, "acknowledged_by": "ana"}] * 5)
    result = pushctl("status")
    assert result.exit_code == 8
    assert "  and 1 more" in result.stdout.splitlines()


def test_pending_devices_and_unknown_commands(server: FakeServer, pushctl: Pushctl) -> None:
    """Of what there may be many, the server's count is shown, and only a few items are requested."""
    _counts(server, pending=70, unknown=1)
    _list(server, "devices", {**DEVICE, "admission": "pending", "muted_until": "2999-01-01T00:00:00.000Z"})
    _list(server, "commands", {**COMMAND, "state": "unknown", "endpoint": "open_door"})
    lines = pushctl("status").stdout.splitlines()
    assert "70 devices wait for approval:" in lines
    at = lines.index("1 command has an unknown outcome:")
    assert lines[at + 1].startswith("  unknown  open_door  controlid:4408801109440198")
    (commands,) = server.calls("GET /v1/commands")
    assert commands.query == {"state": ["unknown"], "limit": ["5"]}


def test_muted_devices_are_not_wrong(server: FakeServer, pushctl: Pushctl) -> None:
    """A device that is muted may be offline."""
    _list(server, "devices", {**DEVICE, "presence": "offline", "muted_until": "2999-01-01T00:00:00.000Z"})
    assert pushctl("status").exit_code == 0


def test_old_rejections_are_not_wrong_now(server: FakeServer, pushctl: Pushctl) -> None:
    """What was rejected more than an hour ago is over."""
    _list(server, "rejections", {"reason": "blocked", "last_at": "1970-01-12T12:46:00.000Z"})
    assert pushctl("status").exit_code == 0


def test_many_are_cut(server: FakeServer, pushctl: Pushctl) -> None:
    """Only the first few of a kind are shown, and the number of all."""
    _list(server, "devices", *({**DEVICE, "id": f"controlid:{number}"} for number in range(9)))
    lines = pushctl("status").stdout.splitlines()
    assert "9 devices are offline:" in lines
    assert len([line for line in lines if line.startswith("  controlid:")]) == 5


def test_server_that_is_not_ready(server: FakeServer, pushctl: Pushctl) -> None:
    """A server that answers but is not ready is wrong."""
    server.on("GET /readyz", Answer(status=503, body={"title": "Service Unavailable"}))
    result = pushctl("status")
    assert result.exit_code == 8
    assert "The server is not ready" in result.stdout


def test_token_that_may_not_see_all(server: FakeServer, pushctl: Pushctl) -> None:
    """What the token may not read is named, and does not count as wrong."""
    for name in ("rejections", "webhooks", "alerts"):
        server.on(f"GET /v1/{name}", Answer(status=403, body={"detail": "no"}))
    result = pushctl("status")
    assert (result.exit_code, result.stderr) == (0, "(the token may not see: alerts, rejections, webhooks)\n")
    shown = json.loads(pushctl("status", "--json").stdout)
    assert (shown["ok"], shown["webhooks"], shown["alerts"], shown["offline"]) == (True, None, None, [])


def test_one_command(server: FakeServer, pushctl: Pushctl) -> None:
    """One command is not several."""
    _counts(server, queued=1)
    assert pushctl("status").stdout.splitlines()[0].endswith(", 1 command queued")


def test_token_with_a_scope(server: FakeServer, pushctl: Pushctl) -> None:
    """A token with a scope sees its own devices, and not when the server was started."""
    server.on("GET /v1/info", Answer(body={"version": "26.11.0", "node": "gate", "counts": COUNTS}))
    first = pushctl("status").stdout.splitlines()[0]
    assert first == "pushd 26.11.0 on gate: 10 of 12 devices online, 3 commands queued"


def test_json_has_all_items(server: FakeServer, pushctl: Pushctl) -> None:
    """Programs get whether all is well, and the items of each kind."""
    _list(server, "alerts", {"id": "a1", "kind": "offline"})
    result = pushctl("status", "--json")
    assert result.exit_code == 8
    shown = json.loads(result.stdout)
    assert (shown["ok"], shown["ready"], shown["alerts"]) == (False, True, [{"id": "a1", "kind": "offline"}])
    assert shown["info"]["counts"]["devices"] == 12
    assert shown.keys() == {"ok", "ready", "info", *LISTS} - {"devices", "commands"} | {
        "offline",
        "pending",
        "unknown",
    }


def test_fits_80_columns(server: FakeServer, pushctl: Pushctl, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is wider than the terminal."""
    monkeypatch.setattr(terminal, "console", lambda **_: Console(width=80))
    _list(server, "devices", {**DEVICE, "name": "A long name " * 8})
    lines = pushctl("status").stdout.splitlines()
    assert max(map(len, lines)) <= 80
