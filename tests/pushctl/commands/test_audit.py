"""Tests of ``pushctl audit``."""

import json
from typing import Any

import pytest
from rich.console import Console

from pushd.model.admin_api import MAX_PAGE
from pushd.pushctl import terminal
from tests.pushctl.fake_server import Answer, FakeServer, Pushctl

AUDIT = "GET /v1/audit"
ENTRY: dict[str, Any] = {
    "id": "5f0c8a41e7d2-1",
    "at": "2027-01-15T08:00:00.000Z",
    "by": "ana",
    "from": "192.0.2.17",
    "action": "device.change",
    "object": "device:controlid:4408801109440198",
    "before": {"admission": "pending", "hold": None},
    "after": {"admission": "approved", "hold": 12.5},
}
"""An entry as the server shows it."""


def _page(*entries: dict[str, Any]) -> Answer:
    return Answer(body={"items": list(entries), "next": entries[-1]["id"] if entries else "0"})


def test_entries_are_listed(server: FakeServer, pushctl: Pushctl) -> None:
    """The table shows who changed what, when, from where and how."""
    server.on(AUDIT, _page(ENTRY))
    result = pushctl("audit")
    assert result.exit_code == 0
    row = result.stdout.splitlines()[1]
    for cell in ("2027-01-15 08:00:00.000", "ana", "192.0.2.17", "device.change", "device:controlid:4408801109440198"):
        assert cell in row
    assert "admission pending -> approved, hold null -> 12.5" in row
    assert server.calls(AUDIT)[0].query == {"limit": ["500"]}


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (None, {"kind": "offline"}, "kind offline"),
        ({"name": "gate\x1b"}, None, "name gate\\x1b"),
        ({"name": ""}, {"name": "gate"}, 'name "" -> gate'),
        ({"tags": []}, {"tags": ["north"]}, 'tags [] -> ["north"]'),
        ({"state": "unknown"}, {"state": "failed", "note": "stuck"}, "state unknown -> failed, note stuck"),
        (None, None, "-"),
    ],
)
def test_change(server: FakeServer, pushctl: Pushctl, before: object, after: object, text: str) -> None:
    """What is new or was deleted has one value, what was changed has two."""
    server.on(AUDIT, _page({**ENTRY, "before": before, "after": after}))
    assert pushctl("audit").stdout.splitlines()[1].endswith(f"  {text}")


def test_narrow_terminal(server: FakeServer, pushctl: Pushctl, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns, each entry takes several lines, and nothing is left out."""
    monkeypatch.setattr(terminal, "console", lambda *, err=False: Console(stderr=err, width=80))
    server.on(AUDIT, _page(ENTRY))
    lines = pushctl("audit").stdout.splitlines()
    text = " ".join(line.strip() for line in lines)
    for part in (
        ENTRY["action"],
        ENTRY["object"],
        ENTRY["id"],
        "by ana from 192.0.2.17",
        "admission pending -> approved",
    ):
        assert part in text
    assert max(map(len, lines)) <= 80


def test_filters(server: FakeServer, pushctl: Pushctl) -> None:
    """The server selects by token and object."""
    server.on(AUDIT, _page(ENTRY))
    pushctl("audit", "--by", "ana", "--object", "device:controlid:7", "--after", "5f0c8a41e7d2-0")
    assert server.calls(AUDIT)[0].query == {
        "by": ["ana"],
        "object": ["device:controlid:7"],
        "after": ["5f0c8a41e7d2-0"],
        "limit": ["500"],
    }


def test_newest_of_many(server: FakeServer, pushctl: Pushctl) -> None:
    """All pages are read, each from where the one before ended, and the newest entries are shown."""
    many = [{**ENTRY, "id": f"5f0c8a41e7d2-{number}"} for number in range(MAX_PAGE + 2)]
    server.on(AUDIT, _page(*many[:MAX_PAGE]), _page(*many[MAX_PAGE:]))
    result = pushctl("audit", "--json", "--last", "3")
    assert json.loads(result.stdout) == many[-3:]
    assert [call.query.get("after") for call in server.calls(AUDIT)] == [None, [many[MAX_PAGE - 1]["id"]]]


def test_no_entries(server: FakeServer, pushctl: Pushctl) -> None:
    """Nothing is an empty array, or a sentence."""
    server.on(AUDIT, _page(), _page())
    assert json.loads(pushctl("audit", "--json").stdout) == []
    result = pushctl("audit")
    assert (result.stdout, result.stderr) == ("", "No entries.\n")
