"""Tests of ``pushctl watch``."""

import json
from typing import Any

import pytest

from tests.pushctl.recorded import Answer, Desk, RecordedServer

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


def _told(*events: dict[str, Any], start: int = 40, held: bool = False) -> Answer:
    lines = [f"retry: 1000\nid: {start}\n\n:\n\n"]
    lines += [f"id: {event['seq']}\nevent: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
    return Answer(body="".join(lines).encode(), held=held)


@pytest.fixture
def patient(desk: Desk) -> Desk:
    """An operator who presses Ctrl-C after some minutes."""
    desk.interrupt_after = 300
    return desk


def _seqs(text: str) -> list[str]:
    return [json.loads(line)["seq"] for line in text.splitlines()]


def _places(server: RecordedServer) -> list[str | None]:
    return [asked.headers.get("last-event-id") for asked in server.calls(STREAM)]


def test_watch_begins_now_and_misses_nothing(server: RecordedServer, patient: Desk) -> None:
    """From now on each event is shown once, until Ctrl-C ends it cleanly; a stream that ends is taken up where
    it was.
    """
    patient.interrupt_after = 20
    server.on(STREAM, _told(_event("41"), _event("42")), _told(_event("43"), start=42, held=True))
    result = patient.pushctl("watch", "--json")
    assert result.exit_code == 0
    assert _seqs(result.stdout) == ["41", "42", "43"]
    assert _places(server) == [None, "42"]
    assert server.calls(STREAM)[0].query == {}


def test_watch_shows_an_event_in_a_line(server: RecordedServer, patient: Desk) -> None:
    """For people an event is one line: when, what, about what."""
    server.on(STREAM, _told(_event("1")), HELD)
    result = patient.pushctl("watch", "--after", "0")
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
            {"device": None, "data": {"alert": "18", "kind": "webhook", "webhook": "wh_1", "by": "ana\x1b"}},
            "18  webhook  wh_1  by ana\\x1b",
        ),
        ("device.offline", {"data": {"heartbeat_timeout": 1200.0}}, "servereye:abc  silent for more than 20 min"),
        ("device.online", {"data": {"after": "offline"}}, "servereye:abc  was offline"),
        ("device.signed_off", {"data": {"after": "online"}}, "servereye:abc  was online"),
        ("device.approved", {"data": {}}, "servereye:abc"),
        ("device.offline", {"data": [1]}, "servereye:abc"),
    ],
)
def test_watch_has_words(server: RecordedServer, patient: Desk, kind: str, fields: dict[str, Any], line: str) -> None:
    """Who comes and goes, and what somebody must be told of, reads well; a site of a thousand devices is one short
    line.
    """
    server.on(STREAM, _told({**_event("1", kind), "command": None, **fields}), HELD)
    result = patient.pushctl("watch", "--after", "0")
    assert result.stdout.splitlines()[0].partition(f"  {kind}  ")[2] == line


def test_watch_asks_for_what_concerns_the_operator(server: RecordedServer, patient: Desk) -> None:
    """The server picks out the device and the type that were asked for."""
    server.on(STREAM, HELD)
    patient.pushctl(
        "watch", "--after", "1", "--device", "servereye:abc", "--type", "command.failed", "--type", "command.sent"
    )
    query = server.calls(STREAM)[0].query
    assert (query["device"], query["type"]) == (["servereye:abc"], ["command.failed", "command.sent"])


def test_watch_outlives_a_restart_of_the_server(server: RecordedServer, patient: Desk) -> None:
    """A server that goes away is asked again from where the feed was left, less and less often; both ends are told
    once.
    """
    patient.interrupt_after = 30
    away = [Answer(cut=True), Answer(status=503, body={"detail": "About to stop."}), Answer(cut=True)]
    server.on(STREAM, _told(), *away, _told(_event("41"), held=True))
    result = patient.pushctl("watch", "--json")
    assert _seqs(result.stdout) == ["41"]
    assert result.stderr == "pushctl: the server ended the stream; trying again\npushctl: connected again\n"
    assert _places(server) == [None, "40", "40", "40", "40"]


def test_watch_notices_silence(server: RecordedServer, patient: Desk) -> None:
    """A connection that says nothing any more, not even that it is there, is lost."""
    patient.interrupt_after = 60
    server.on(STREAM, HELD, _told(_event("91"), start=90, held=True))
    result = patient.pushctl("watch", "--json")
    assert _seqs(result.stdout) == ["91"]
    assert "did not answer within 45 s; trying again" in result.stderr


def test_watch_where_no_server_is(server: RecordedServer, patient: Desk) -> None:
    """A server that is not there in the first place is likely to be somewhere else, and not waited for."""
    server.on(STREAM, Answer(cut=True))
    result = patient.pushctl("watch")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "hung up without an answer" in result.stderr


@pytest.mark.parametrize("data", ["[]", "x", "[" * 100_000])
def test_watch_of_something_else(server: RecordedServer, patient: Desk, data: str) -> None:
    """What is no event is not shown."""
    server.on(STREAM, Answer(body=f"id: 1\ndata: {data}\n\n".encode()))
    result = patient.pushctl("watch")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no event" in result.stderr


def test_watch_says_when_the_past_is_gone(server: RecordedServer, patient: Desk) -> None:
    """An event that is no longer kept cannot be followed from, and the watch ends with the reason."""
    server.on(STREAM, Answer(status=410, body={"title": "Gone", "detail": "No longer kept.", "oldest": "7"}))
    result = patient.pushctl("watch", "--after", "1")
    assert (result.exit_code, result.stderr) == (1, "pushctl: refused (410): No longer kept. The oldest is 7.\n")
