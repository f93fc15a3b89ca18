"""Tests of ``pushctl commands``."""

import json
from typing import Any

import pytest
from rich.console import Console

from pushd.pushctl import terminal
from tests.pushctl.fake_server import COMMAND, Answer, FakeServer, Pushctl

FAILED = {
    **COMMAND,
    "state": "failed",
    "endpoint": "open_door",
    "error": "the door is out of order",
    "created_by": "lobby",
    "trace": "T-1017",
    "created_at": "1970-01-12T13:45:00.000Z",
}
BATCH = {**COMMAND, "endpoint": None, "endpoints": ["load_objects", "create_objects"]}


def _list(server: FakeServer, *commands: dict[str, Any]) -> None:
    server.on("GET /v1/commands", Answer(body={"items": list(commands), "next": None}))


def test_row_has_what_was_called_and_what_went_wrong(server: FakeServer, pushctl: Pushctl) -> None:
    """A row names state, endpoint and error first, then the device, who sent it, its trace and its id."""
    _list(server, FAILED, BATCH)
    result = pushctl("commands")
    assert result.exit_code == 0
    _, failed, batch = result.stdout.splitlines()
    assert failed.split("  ")[0] == "failed"
    cells = [
        "open_door",
        "the door is out of order",
        COMMAND["device"],
        "100 s",
        "lobby",
        "T-1017",
        COMMAND["id"],
    ]
    assert [failed.index(cell) for cell in cells] == sorted(failed.index(cell) for cell in cells)
    assert "load_objects, create_objects" in batch


def test_filters_reach_the_server(server: FakeServer, pushctl: Pushctl) -> None:
    """Each filter is sent to the server, and no more commands are requested than are listed."""
    _list(server)
    words = "--device controlid:1 --state failed --since 2030-01-02T03:04:05Z --endpoint open_door --by lobby"
    result = pushctl("commands", *words.split(), "--trace", "T 1", "--q", "door", "--limit", "7")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No commands.\n")
    (request,) = server.calls("GET /v1/commands")
    assert request.query == {
        "device": ["controlid:1"],
        "state": ["failed"],
        "since": ["2030-01-02T03:04:05Z"],
        "endpoint": ["open_door"],
        "by": ["lobby"],
        "trace": ["T 1"],
        "q": ["door"],
        "limit": ["7"],
    }


def test_narrow_terminal_shows_everything(
    server: FakeServer, pushctl: Pushctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 80 columns a command takes several lines, none too long; its id is whole, and nothing is left out."""
    monkeypatch.setattr(terminal, "console", lambda **_: Console(width=80))
    _list(server, FAILED)
    lines = pushctl("commands").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("failed  open_door  the door is out of order")
    text = " ".join(lines)
    assert all(piece in text for piece in (COMMAND["device"], "by lobby", "trace T-1017", COMMAND["id"]))


def test_duration_before_now(server: FakeServer, pushctl: Pushctl) -> None:
    """A duration is a time before now."""
    _list(server)
    assert pushctl("commands", "--since", "2h").exit_code == 0
    (request,) = server.calls("GET /v1/commands")
    assert request.query["since"][0].endswith("Z")
    assert pushctl("commands", "--since", "99999999d").exit_code == 2


def test_as_json(server: FakeServer, pushctl: Pushctl) -> None:
    """Programs get one array."""
    _list(server, FAILED)
    assert json.loads(pushctl("commands", "--json").stdout) == [FAILED]


def test_wrong_since(server: FakeServer, pushctl: Pushctl) -> None:
    """What is neither a duration nor a time is refused, and both forms are named."""
    result = pushctl("commands", "--since", "1x")
    assert (result.exit_code, server.received) == (2, [])
    assert "neither a duration before now, such as 2h, nor a time" in result.stderr
