"""Tests of ``pushctl alerts`` and ``pushctl acknowledge``."""

import json
from typing import Any

import pytest
from rich.console import Console

from pushd.pushctl import terminal
from tests.pushctl.fake_server import Answer, FakeServer, Pushctl

ALERT: dict[str, Any] = {
    "id": "17",
    "kind": "offline",
    "devices": ["controlid:4408801109440198"],
    "address": None,
    "site": None,
    "webhook": None,
    "raised_at": "1970-01-12T13:41:40.000Z",
    "cleared_at": None,
    "duration": None,
    "acknowledged_at": None,
    "acknowledged_by": None,
    "mailed_at": None,
    "mail_error": None,
}
"""An alert as the server shows it; raised five minutes before the tests' clock begins."""

CLEARED = {**ALERT, "id": "16", "cleared_at": "1970-01-12T13:43:10.000Z", "duration": 90.0}


def _list(server: FakeServer, *alerts: dict[str, Any]) -> None:
    server.on("GET /v1/alerts", Answer(body={"items": list(alerts), "next": None}))


def test_open_alerts_are_listed(server: FakeServer, pushctl: Pushctl) -> None:
    """The table shows what each open alert is about, for how long it has been open, and who acknowledged it."""
    _list(server, {**ALERT, "acknowledged_by": "ana"})
    result = pushctl("alerts")
    assert result.exit_code == 0
    row = result.stdout.splitlines()[1]
    for cell in ("17", "offline", "controlid:4408801109440198", "5 min", "open", "ana"):
        assert cell in row
    assert server.calls("GET /v1/alerts")[0].query == {"open": ["1"], "limit": ["500"]}


def test_cleared_alerts_are_listed_with_all(server: FakeServer, pushctl: Pushctl) -> None:
    """With --all, cleared alerts are listed too, with how long they lasted."""
    _list(server, ALERT, CLEARED)
    result = pushctl("alerts", "--all")
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["id", "17", "16"]
    assert "90 s   cleared" in result.stdout.splitlines()[2]
    assert server.calls("GET /v1/alerts")[0].query == {"limit": ["500"]}


def test_filters(server: FakeServer, pushctl: Pushctl) -> None:
    """Alerts are selected by kind, by whether they are acknowledged, and by when they were raised."""
    _list(server)
    options = "--kind offline --kind flapping --unacknowledged --since 2026-01-02T00:00:00Z"
    assert pushctl("alerts", *options.split()).stderr == "No such alerts.\n"
    assert pushctl("alerts").stderr == "No open alerts.\n"
    assert pushctl("alerts", "--all").stderr == "No alerts.\n"
    assert server.calls("GET /v1/alerts")[0].query == {
        "open": ["1"],
        "kind": ["offline", "flapping"],
        "acknowledged": ["0"],
        "since": ["2026-01-02T00:00:00Z"],
        "limit": ["500"],
    }
    assert pushctl("alerts", "--kind", "fire").exit_code == 2


@pytest.mark.parametrize(("options", "column"), [((), "kind"), (("--all",), "state")])
def test_narrow_terminals_keep_what_tells_alerts_apart(
    server: FakeServer, pushctl: Pushctl, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], column: str
) -> None:
    """At 80 columns and with long ids, open alerts have their kind, and open and cleared ones their state."""
    monkeypatch.setattr(terminal, "console", lambda *, err=False: Console(stderr=err, width=80, _environ={}))
    container = "servereye:4f1c2d00-060e-4ff1-af0c-4bd751a3ae1e"
    _list(server, *({**each, "id": "5f0c8a41e7d2-17", "devices": [container]} for each in (ALERT, CLEARED)))
    assert column in pushctl("alerts", *options).stdout.splitlines()[0].split()


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        (
            {"kind": "site_offline", "devices": [f"controlid:{n}" for n in range(41)], "address": "192.0.2.1"},
            "controlid:0, controlid:1, controlid:2 and 38 more behind 192.0.2.1",
        ),
        ({"address": "192.0.2.1", "site": "Lobby\n"}, "controlid:4408801109440198 of Lobby\\n behind 192.0.2.1"),
        ({"devices": ["controlid:0", "controlid:1", "controlid:2"]}, "controlid:0, controlid:1, controlid:2  "),
        ({"kind": "webhook", "devices": [], "webhook": "wh_1"}, "wh_1"),
        ({"kind": "notification_queue", "devices": [], "count": 0}, "the database"),
        ({"address": "\x1b[2J"}, "\\x1b[2J"),
    ],
)
def test_what_an_alert_is_about(server: FakeServer, pushctl: Pushctl, fields: dict[str, Any], about: str) -> None:
    """Of many devices a few are named and the others counted; a webhook is named; escape sequences are escaped."""
    _list(server, {**ALERT, **fields})
    assert about in pushctl("alerts").stdout


def test_why_a_mail_did_not_arrive_is_shown(server: FakeServer, pushctl: Pushctl) -> None:
    """The table says of each alert why its latest mail did not reach every recipient."""
    _list(server, {**ALERT, "mail_error": "ana@example.org: 550 No such user"}, CLEARED)
    header, failed, arrived = map(str.rstrip, pushctl("alerts", "--all").stdout.splitlines())
    assert header.endswith("mail error")
    assert failed.endswith("ana@example.org: 550 No such user")
    assert arrived.endswith("-")


def test_all_alerts_are_shown(server: FakeServer, pushctl: Pushctl) -> None:
    """All pages of the list are read."""
    server.on(
        "GET /v1/alerts",
        Answer(body={"items": [ALERT], "next": "17"}),
        Answer(body={"items": [CLEARED], "next": None}),
    )
    found = json.loads(pushctl("alerts", "--all", "--json").stdout)
    assert [alert["id"] for alert in found] == ["17", "16"]
    assert server.calls("GET /v1/alerts")[1].query["cursor"] == ["17"]


def test_acknowledge_names_the_operator(server: FakeServer, pushctl: Pushctl) -> None:
    """Each alert is acknowledged, and the name of the token is shown."""
    for alert in ("17", "18"):
        server.on(f"POST /v1/alerts/{alert}/acknowledge", Answer(body={**ALERT, "acknowledged_by": "ana"}))
    result = pushctl("acknowledge", "17", "18")
    assert (result.exit_code, result.stdout) == (0, "17 acknowledged by ana\n18 acknowledged by ana\n")


def test_acknowledge_goes_on_after_an_unknown_alert(server: FakeServer, pushctl: Pushctl) -> None:
    """An id that the server does not know makes the exit code 1; the other alerts are acknowledged nevertheless."""
    server.on("POST /v1/alerts/1/acknowledge", Answer(status=404, body={"title": "Not Found", "detail": "No such."}))
    server.on("POST /v1/alerts/2/acknowledge", Answer(body={**ALERT, "id": "2", "acknowledged_by": "ana"}))
    result = pushctl("acknowledge", "1", "2", "--json")
    assert result.exit_code == 1
    assert result.stderr == "pushctl: 1: refused (404): No such.\n"
    assert json.loads(result.stdout)["id"] == "2"
