"""Tests of ``pushctl watch``."""

import json
from typing import Any

import pytest

from tests.pushctl.fake_server import Answer, FakeServer, Pushctl

STREAM = "GET /v1/events/stream"
HELD = Answer(body=b"retry: 1000\nid: 90\n\n", held=True)


def _event(seq: str, kind: str = "command.sent") -> dict[str, Any]:
    return {
        "seq": seq,
        "type": kind,
        "at": "2026-01-02T03:04:05.000Z",
        "device": "servereye:abc",
        "command": "c1",
        "data": {"attempt": 1},
    }


def _stream(*events: dict[str, Any], start: int = 40, held: bool = False) -> Answer:
    lines = [f"retry: 1000\nid: {start}\n\n:\n\n"]
    lines += [f"id: {event['seq']}\nevent: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
    return Answer(body="".join(lines).encode(), held=held)


@pytest.fixture
def patient(pushctl: Pushctl) -> Pushctl:
    """Presses Ctrl-C after some minutes."""
    pushctl.interrupt_after = 300
    return pushctl


def _seqs(text: str) -> list[str]:
    return [json.loads(line)["seq"] for line in text.splitlines()]


def _last_ids(server: FakeServer) -> list[str | None]:
    return [request.headers.get("last-event-id") for request in server.calls(STREAM)]


def test_watch_starts_now_and_misses_nothing(server: FakeServer, patient: Pushctl) -> None:
    """Each event from now on is shown once, until Ctrl-C; when the stream ends, it is resumed where it was."""
    patient.interrupt_after = 20
    server.on(STREAM, _stream(_event("41"), _event("42")), _stream(_event("43"), start=42, held=True))
    result = patient("watch", "--json")
    assert result.exit_code == 0
    assert _seqs(result.stdout) == ["41", "42", "43"]
    assert _last_ids(server) == [None, "42"]
    assert server.calls(STREAM)[0].query == {}


def test_watch_shows_an_event_in_a_line(server: FakeServer, patient: Pushctl) -> None:
    """An event is one line: its time, type, device, command and data."""
    server.on(STREAM, _stream(_event("1")), HELD)
    result = patient("watch", "--after", "0")
    assert result.stdout.splitlines()[0].endswith('command.sent  servereye:abc  c1  {"attempt":1}')
    assert server.calls(STREAM)[0].query["after"] == ["0"]


_SITE = {
    "alert": "17",
    "kind": "site_offline",
    "address": "192.0.2.1",
    "devices": [f"controlid:{n}" for n in range(40)],
}


@pytest.mark.parametrize(
    ("kind", "fields", "line"),
    [
        (
            "alert.raised",
            {"device": None, "data": {**_SITE, "count": 1041}},
            "17  site_offline  controlid:0, controlid:1, controlid:2 and 1038 more behind 192.0.2.1",
        ),
        (
            "alert.cleared",
            {"data": {"alert": "17", "kind": "flapping", "devices": ["controlid:0"], "count": 1, "duration": 300.5}},
            "17  flapping  controlid:0  after 5 min",
        ),
        (
            "alert.acknowledged",
            {"device": None, "by": "ana\x1b", "data": {"alert": "18", "kind": "webhook", "webhook": "wh_1"}},
            "18  webhook  wh_1  by ana\\x1b",
        ),
        ("device.offline", {"data": {"heartbeat_timeout": 1200.0}}, "servereye:abc  no report for more than 20 min"),
        ("device.online", {"data": {"after": "offline"}}, "servereye:abc  was offline"),
        ("device.signed_off", {"data": {"after": "online"}}, "servereye:abc  was online"),
        (
            "device.online",
            {"data": {"after": "offline", "name": "Gate\n", "site": "Lobby", "tags": ["north"]}},
            "servereye:abc  Gate\\n  was offline",
        ),
        ("device.pending", {"data": {"name": "", "site": None, "tags": []}}, "servereye:abc"),
        ("device.approved", {"data": {}}, "servereye:abc"),
        ("device.offline", {"data": [1]}, "servereye:abc"),
    ],
)
def test_event_in_words(server: FakeServer, patient: Pushctl, kind: str, fields: dict[str, Any], line: str) -> None:
    """Alerts and presence changes are shown in words; an alert of a thousand devices is one short line."""
    server.on(STREAM, _stream({**_event("1", kind), "command": None, **fields}), HELD)
    result = patient("watch", "--after", "0")
    assert result.stdout.splitlines()[0].partition(f"  {kind}  ")[2] == line


def test_filters_are_sent_to_the_server(server: FakeServer, patient: Pushctl) -> None:
    """The device and the types are filtered by the server."""
    server.on(STREAM, HELD)
    patient("watch", "--after", "1", "--device", "servereye:abc", "--type", "command.failed", "--type", "command.sent")
    query = server.calls(STREAM)[0].query
    assert (query["device"], query["type"]) == (["servereye:abc"], ["command.failed", "command.sent"])


def test_watch_survives_a_restart_of_the_server(server: FakeServer, patient: Pushctl) -> None:
    """When the connection is lost, the stream is resumed after its last event, with exponential backoff; that it was
    lost, and is back, is reported once.
    """
    patient.interrupt_after = 30
    away = [Answer(cut=True), Answer(status=503, body={"detail": "About to stop."}), Answer(cut=True)]
    server.on(STREAM, _stream(), *away, _stream(_event("41"), held=True))
    result = patient("watch", "--json")
    assert _seqs(result.stdout) == ["41"]
    assert result.stderr == "pushctl: the server ended the stream; reconnecting\npushctl: reconnected\n"
    assert _last_ids(server) == [None, "40", "40", "40", "40"]


def test_watch_times_out(server: FakeServer, patient: Pushctl) -> None:
    """A connection without events and keep-alives counts as lost."""
    patient.interrupt_after = 60
    server.on(STREAM, HELD, _stream(_event("91"), start=90, held=True))
    result = patient("watch", "--json")
    assert _seqs(result.stdout) == ["91"]
    assert "did not answer within 45 s; reconnecting" in result.stderr


def test_watch_without_a_server(server: FakeServer, patient: Pushctl) -> None:
    """If the first connection fails, there is no retry: the URL is probably wrong."""
    server.on(STREAM, Answer(cut=True))
    result = patient("watch")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "closed the connection without an answer" in result.stderr


@pytest.mark.parametrize("data", ["[]", "x", "[" * 100_000])
def test_watch_of_another_server(server: FakeServer, patient: Pushctl, data: str) -> None:
    """Data that is not an event is not shown."""
    server.on(STREAM, Answer(body=f"id: 1\ndata: {data}\n\n".encode()))
    result = patient("watch")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "not an event" in result.stderr


def test_watch_from_a_purged_event(server: FakeServer, patient: Pushctl) -> None:
    """If --after names an event that is no longer kept, watch ends with the server's reason."""
    server.on(STREAM, Answer(status=410, body={"title": "Gone", "detail": "No longer kept.", "oldest": "7"}))
    result = patient("watch", "--after", "1")
    assert (result.exit_code, result.stderr) == (1, "pushctl: refused (410): No longer kept. The oldest is 7.\n")
