"""
Tests of ``pushctl watch``.
"""

import json
from typing import Any

import pytest

from tests.client.recorded import Answer, Desk, RecordedServer

EVENTS = "GET /v1/events"


def _event(seq: str, kind: str = "command.sent") -> dict[str, Any]:
    return {
        "seq": seq,
        "type": kind,
        "at": "2026-01-02T03:04:05.000Z",
        "device": "servereye:abc",
        "command": "c1",
        "data": {"attempt": 1},
    }


def _page(next_: str, *events: dict[str, Any], takes: float = 0.0) -> Answer:
    return Answer(body={"items": list(events), "next": next_}, takes=takes)


@pytest.fixture
def patient(desk: Desk) -> Desk:
    """
    An operator who presses Ctrl-C after a minute.
    """
    desk.interrupt_after = 60
    return desk


def test_watch_begins_now_and_misses_nothing(server: RecordedServer, patient: Desk) -> None:
    """
    What happened before is passed over; from then on each event is shown once, until Ctrl-C ends it cleanly.
    """
    server.on(EVENTS, _page("40"), _page("41", _event("41"), takes=5), _page("42", _event("42"), takes=5))
    server.answers[EVENTS].append(_page("42", takes=60))
    result = patient.pushctl("watch", "--json")
    assert result.exit_code == 0
    assert [json.loads(line)["seq"] for line in result.stdout.splitlines()] == ["41", "42"]
    assert [asked.query.get("after") for asked in server.calls(EVENTS)] == [["now"], ["40"], ["41"], ["42"]]
    assert {asked.query["wait"][0] for asked in server.calls(EVENTS)[1:]} == {"60"}


def test_watch_shows_an_event_in_a_line(server: RecordedServer, patient: Desk) -> None:
    """
    For people an event is one line: when, what, about what.
    """
    server.on(EVENTS, _page("1", _event("1")), _page("1", takes=60))
    result = patient.pushctl("watch", "--after", "0")
    assert result.stdout.splitlines()[0].endswith('command.sent  servereye:abc  c1  {"attempt":1}')
    assert server.calls(EVENTS)[0].query["after"] == ["0"]


def test_watch_asks_for_what_concerns_the_operator(server: RecordedServer, patient: Desk) -> None:
    """
    The server picks out the device and the type that were asked for.
    """
    server.on(EVENTS, _page("1", takes=60))
    patient.pushctl(
        "watch", "--after", "1", "--device", "servereye:abc", "--type", "command.failed", "--type", "command.sent"
    )
    query = server.calls(EVENTS)[0].query
    assert (query["device"], query["type"]) == (["servereye:abc"], ["command.failed", "command.sent"])


def test_watch_outlives_a_restart_of_the_server(server: RecordedServer, patient: Desk) -> None:
    """
    A server that goes away is asked again from where the feed was left.
    """
    server.on(EVENTS, Answer(cut=True), Answer(cut=True), _page("2", _event("2")), _page("2", takes=60))
    result = patient.pushctl("watch", "--after", "1", "--json")
    assert json.loads(result.stdout)["seq"] == "2"
    assert result.stderr.count("trying again") == 2
    assert [asked.query["after"] for asked in server.calls(EVENTS)[:3]] == [["1"]] * 3


def test_watch_says_when_the_past_is_gone(server: RecordedServer, patient: Desk) -> None:
    """
    An event that is no longer kept cannot be followed from, and the watch ends with the reason.
    """
    server.on(EVENTS, Answer(status=410, body={"title": "Gone", "detail": "No longer kept.", "oldest": "7"}))
    result = patient.pushctl("watch", "--after", "1")
    assert (result.exit_code, result.stderr) == (1, "pushctl: refused (410): No longer kept. The oldest is 7.\n")
