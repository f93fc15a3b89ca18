"""Tests of ``pushctl events``."""

import json
from typing import Any

from tests.pushctl.fake_server import Answer, FakeServer, Pushctl

FEED, STREAM = "GET /v1/events", "GET /v1/events/stream"


def _event(seq: int, **fields: Any) -> dict[str, Any]:
    event = {"seq": str(seq), "type": "command.failed", "at": "2026-01-02T03:04:05.000Z", "by": None}
    return {**event, "device": "controlid:11", "command": "c1", "data": {}, **fields}


def _page(*events: dict[str, Any], position: str) -> Answer:
    return Answer(body={"items": list(events), "next": position})


def test_failure_says_what_and_why_first(server: FakeServer, pushctl: Pushctl) -> None:
    """Of a command the endpoint and the error come before the ids, and then who sent it and its trace."""
    data = {"endpoint": "open_door", "error": "no power", "attempt": 1, "trace": "T-1"}
    server.on(FEED, _page(_event(1, data=data, by="lobby"), position="1"))
    result = pushctl("events")
    assert result.exit_code == 0
    pieces = result.stdout.rstrip().split("  ")[1:]
    assert pieces == [
        "command.failed",
        "open_door",
        "no power",
        "controlid:11",
        "c1",
        '{"attempt":1}',
        "trace T-1",
        "by lobby",
    ]


def test_all_pages_are_shown(server: FakeServer, pushctl: Pushctl) -> None:
    """All events since the time are shown, page by page, and no more is asked for at the end."""
    full = [_event(number) for number in range(500)]
    server.on(FEED, _page(*full, position="p1"), _page(_event(500), position="p2"))
    result = pushctl("events", "--since", "2030-01-02T03:04:05Z", "--json")
    assert [json.loads(line)["seq"] for line in result.stdout.splitlines()] == [str(number) for number in range(501)]
    first, second = server.calls(FEED)
    assert first.query == {"since": ["2030-01-02T03:04:05Z"], "limit": ["500"]}
    assert second.query == {"after": ["p1"], "limit": ["500"]}


def test_filters_reach_the_server(server: FakeServer, pushctl: Pushctl) -> None:
    """Devices and types may be given more than once; a position replaces the time."""
    server.on(FEED, _page(position="p"))
    words = "--device controlid:1 --device servereye:a --type command.sent --type device.online --after 41"
    assert pushctl("events", *words.split()).exit_code == 0
    (request,) = server.calls(FEED)
    assert request.query == {
        "device": ["controlid:1", "servereye:a"],
        "type": ["command.sent", "device.online"],
        "after": ["41"],
        "limit": ["500"],
    }


def test_last_hour_is_the_default(server: FakeServer, pushctl: Pushctl) -> None:
    """Without a time it is the last hour: a feed may go back for a month."""
    server.on(FEED, _page(position="p"))
    result = pushctl("events")
    assert (result.exit_code, result.stdout) == (0, "")
    assert len(server.calls(FEED)[0].query["since"]) == 1


def test_follow_misses_nothing(server: FakeServer, pushctl: Pushctl) -> None:
    """The stream continues where the list has ended, with the same filters."""
    pushctl.interrupt_after = 10
    server.on(FEED, _page(_event(1), position="7"))
    line = json.dumps(_event(8))
    server.on(STREAM, Answer(body=f"id: 7\n\nid: 8\ndata: {line}\n\n".encode(), held=True))
    result = pushctl("events", "--follow", "--type", "command.failed", "--json")
    assert result.exit_code == 0
    assert [json.loads(line)["seq"] for line in result.stdout.splitlines()] == ["1", "8"]
    assert server.calls(STREAM)[0].query == {"type": ["command.failed"], "after": ["7"]}
