"""Tests of :mod:`pushd.admin.events`: what happened, in order."""

from typing import Any

import pytest

from tests.connection import request
from tests.in_memory_server import InMemoryServer, now

POLL = request("GET /push?deviceId=7&uuid=a")
RESULT = request("POST /result?deviceId=7&uuid=a", b'{"response":{}}')
DAY = 86400


@pytest.fixture
def busy(server: InMemoryServer) -> InMemoryServer:
    """A house in which a command went all its way, and a second device was registered."""
    server.register("controlid:7")
    server.put("controlid:7", {"endpoint": "load_objects"})
    server.device_request(POLL)
    server.device_request(RESULT)
    server.register("servereye:c")
    return server


STORY = [
    "device.registered",
    "command.queued",
    "device.online",
    "command.sent",
    "command.succeeded",
    "device.registered",
]


def page(server: InMemoryServer, query: str = "") -> dict[str, Any]:
    """A piece of the feed."""
    answer = server.ask(f"GET /v1/events{query}")
    assert answer.code == 200, answer.body
    found: dict[str, Any] = answer.json
    return found


def types(found: dict[str, Any]) -> list[str]:
    """What a piece of the feed tells of."""
    return [item["type"] for item in found["items"]]


def test_story(busy: InMemoryServer) -> None:
    """The feed tells of every change, in order, from the oldest kept."""
    found = page(busy)
    assert types(found) == STORY
    sent = found["items"][3]
    command = busy.ask("GET /v1/commands").json["items"][0]["id"]
    assert sent == {
        "seq": sent["seq"],
        "type": "command.sent",
        "at": "2027-01-15T08:00:00.000Z",
        "device": "controlid:7",
        "command": command,
        "data": {"attempt": 1},
    }
    assert isinstance(sent["seq"], str)


@pytest.mark.parametrize("limit", [1, 2, 4, 6, 7])
def test_paging(busy: InMemoryServer, limit: int) -> None:
    """Pieces together are the whole feed, and the last of them says where to go on."""
    found: list[str] = []
    query = f"?limit={limit}"
    for _ in range(8):
        piece = page(busy, query)
        found += types(piece)
        query = f"?limit={limit}&after={piece['next']}"
        if not piece["items"]:
            break
    assert found == STORY
    busy.register("controlid:9")
    assert types(page(busy, query)) == ["device.registered"]


def test_after_any_event(busy: InMemoryServer) -> None:
    """One may go on after any event."""
    seq = page(busy)["items"][2]["seq"]
    assert types(page(busy, f"?after={seq}")) == STORY[3:]


def test_next_is_never_null(server: InMemoryServer) -> None:
    """Where to go on is told even where nothing has happened yet."""
    start = page(server)
    assert start == {"items": [], "next": start["next"]}
    server.register("controlid:7")
    assert types(page(server, f"?after={start['next']}")) == ["device.registered"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?device=servereye:c", ["device.registered"]),
        ("?device=servereye:d", []),
        ("?type=command.sent", ["command.sent"]),
        ("?type=command.sent&type=device.online", ["device.online", "command.sent"]),
        ("?type=command.sent,device.online", ["device.online", "command.sent"]),
        ("?type=device.registered&device=controlid:7", ["device.registered"]),
        ("?type=alert.raised", []),
    ],
)
def test_filters(busy: InMemoryServer, query: str, found: list[str]) -> None:
    """The feed can be narrowed by device and type; what is left out is passed over for good."""
    narrowed = page(busy, query)
    assert types(narrowed) == found
    assert narrowed["next"] == page(busy)["next"]


def test_from_now_on(busy: InMemoryServer) -> None:
    """Who wants only what comes can begin there."""
    found = page(busy, "?after=now")
    assert found["items"] == []
    busy.register("controlid:9")
    assert types(page(busy, f"?after={found['next']}")) == ["device.registered"]


def test_wait(busy: InMemoryServer) -> None:
    """Who waits is answered with the first thing that happens."""
    waiting = busy.begin("GET /v1/events?after=now&wait=30")
    busy.clock.advance(29)
    assert waiting.answers() == []
    busy.register("controlid:9")
    assert types(waiting.answer().json) == ["device.registered"]


def test_wait_for_one_thing(busy: InMemoryServer) -> None:
    """Who waits for one device is not disturbed by others."""
    waiting = busy.begin("GET /v1/events?after=now&wait=30&device=controlid:8")
    busy.register("controlid:9")
    assert waiting.answers() == []
    busy.register("controlid:8")
    assert types(waiting.answer().json) == ["device.registered"]


def test_wait_in_vain(busy: InMemoryServer) -> None:
    """Who waits in vain is told where to go on."""
    last = page(busy)["next"]
    waiting = busy.begin(f"GET /v1/events?after={last}&wait=3")
    busy.clock.advance(3)
    assert waiting.answer().json == {"items": [], "next": last}


def test_wait_that_is_not_needed(busy: InMemoryServer) -> None:
    """Who waits for what has happened already is answered at once."""
    assert types(page(busy, "?wait=60")) == STORY


def test_who_waits_may_leave(busy: InMemoryServer) -> None:
    """Who leaves while waiting leaves nothing behind."""
    timers = len(busy.clock.getDelayedCalls())
    busy.begin("GET /v1/events?after=now&wait=30").hang_up()
    assert len(busy.clock.getDelayedCalls()) == timers


def test_who_waits_when_we_stop(busy: InMemoryServer) -> None:
    """When we are about to stop, who waits is answered at once."""
    waiting = busy.begin("GET /v1/events?after=now&wait=30")
    busy.core.drain()
    assert waiting.answer().json["items"] == []


UNUSABLE = [
    *("?after=x", "?after=", "?after=-1", "?after=1.0", "?after=999999", "?after=" + "9" * 30, "?after=%D9%A1"),
    *("?type=nonsense", "?type=", "?type=command.sent,", "?wait=61", "?limit=0", "?since=now"),
]


@pytest.mark.parametrize("query", UNUSABLE)
def test_unusable_query(busy: InMemoryServer, query: str) -> None:
    """A query that the feed cannot follow is a bad request; so is a place that it has not reached."""
    assert busy.ask(f"GET /v1/events{query}").code == 400


def test_purged(busy: InMemoryServer) -> None:
    """Who asks for what is no longer kept is told so, and what the oldest is that is."""
    first = page(busy)["items"][0]["seq"]
    busy.clock.advance(31 * DAY)
    busy.register("controlid:9")
    now(busy.core.purge())
    answer = busy.ask(f"GET /v1/events?after={first}")
    assert (answer.code, answer.json["type"], answer.json["title"]) == (410, "events-purged", "Gone")
    kept = page(busy)["items"]
    assert answer.json["oldest"] == kept[0]["seq"]
    assert [item["type"] for item in kept][-1] == "device.registered"
