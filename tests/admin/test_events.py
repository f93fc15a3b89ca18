"""Tests of :mod:`pushd.admin.events`: list events and wait for them."""

from typing import Any

import pytest

from tests.connection import request
from tests.in_memory_server import InMemoryServer

POLL = request("GET /push?deviceId=7&uuid=a")
RESULT = request("POST /result?deviceId=7&uuid=a", b'{"response":{}}')
DAY = 86400


@pytest.fixture
def busy(server: InMemoryServer) -> InMemoryServer:
    """A server on which a command was sent and succeeded, and a second device was registered."""
    server.register("controlid:7")
    server.put("controlid:7", {"endpoint": "load_objects"})
    server.device_request(POLL)
    server.device_request(RESULT)
    server.register("servereye:c")
    return server


EVENTS = [
    "device.registered",
    "command.queued",
    "device.online",
    "command.sent",
    "command.succeeded",
    "device.registered",
]


def page(server: InMemoryServer, query: str = "") -> dict[str, Any]:
    """A page of events."""
    answer = server.ask(f"GET /v1/events{query}")
    assert answer.code == 200, answer.body
    found: dict[str, Any] = answer.json
    return found


def types(found: dict[str, Any]) -> list[str]:
    """The types of the events of a page."""
    return [item["type"] for item in found["items"]]


def test_list(busy: InMemoryServer) -> None:
    """Every change is an event, in order, from the oldest that is kept."""
    found = page(busy)
    assert types(found) == EVENTS
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
    """All pages together are the whole event log, and the last page has the position to continue from."""
    found: list[str] = []
    query = f"?limit={limit}"
    for _ in range(8):
        piece = page(busy, query)
        found += types(piece)
        query = f"?limit={limit}&after={piece['next']}"
        if not piece["items"]:
            break
    assert found == EVENTS
    busy.register("controlid:9")
    assert types(page(busy, query)) == ["device.registered"]


def test_after_any_event(busy: InMemoryServer) -> None:
    """A list can start after any event."""
    seq = page(busy)["items"][2]["seq"]
    assert types(page(busy, f"?after={seq}")) == EVENTS[3:]


def test_next_is_never_null(server: InMemoryServer) -> None:
    """An empty list has a position to continue from, too."""
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
    """Events can be filtered by device and type; the position moves past those that are left out."""
    narrowed = page(busy, query)
    assert types(narrowed) == found
    assert narrowed["next"] == page(busy)["next"]


def test_from_now_on(busy: InMemoryServer) -> None:
    """With ``after=now``, a list starts with the next event."""
    found = page(busy, "?after=now")
    assert found["items"] == []
    busy.register("controlid:9")
    assert types(page(busy, f"?after={found['next']}")) == ["device.registered"]


def test_wait(busy: InMemoryServer) -> None:
    """With ``wait``, the answer comes with the first event."""
    waiting = busy.begin("GET /v1/events?after=now&wait=30")
    busy.clock.advance(29)
    assert waiting.answers() == []
    busy.register("controlid:9")
    assert types(waiting.answer().json) == ["device.registered"]


def test_wait_with_a_filter(busy: InMemoryServer) -> None:
    """Events of other devices do not end a wait for one device."""
    waiting = busy.begin("GET /v1/events?after=now&wait=30&device=controlid:8")
    busy.register("controlid:9")
    assert waiting.answers() == []
    busy.register("controlid:8")
    assert types(waiting.answer().json) == ["device.registered"]


def test_wait_times_out(busy: InMemoryServer) -> None:
    """If no event comes in time, the answer is empty and has the position to continue from."""
    last = page(busy)["next"]
    waiting = busy.begin(f"GET /v1/events?after={last}&wait=3")
    busy.clock.advance(3)
    assert waiting.answer().json == {"items": [], "next": last}


def test_wait_that_is_not_needed(busy: InMemoryServer) -> None:
    """If there are events already, the answer comes at once."""
    assert types(page(busy, "?wait=60")) == EVENTS


def test_waiting_client_disconnects(busy: InMemoryServer) -> None:
    """A client that disconnects while it waits leaves no timer behind."""
    timers = len(busy.clock.getDelayedCalls())
    busy.begin("GET /v1/events?after=now&wait=30").hang_up()
    assert len(busy.clock.getDelayedCalls()) == timers


def test_wait_ends_at_shutdown(busy: InMemoryServer) -> None:
    """When the server is about to stop, waiting clients are answered at once."""
    waiting = busy.begin("GET /v1/events?after=now&wait=30")
    busy.core.drain()
    assert waiting.answer().json["items"] == []


INVALID = [
    *("?after=x", "?after=", "?after=-1", "?after=1.0", "?after=" + "9" * 30, "?after=%D9%A1"),
    *("?type=nonsense", "?type=", "?type=command.sent,", "?wait=61", "?limit=0", "?since=now"),
]


@pytest.mark.parametrize("query", INVALID)
def test_invalid_query(busy: InMemoryServer, query: str) -> None:
    """An invalid query is refused."""
    assert busy.ask(f"GET /v1/events{query}").code == 400


@pytest.mark.parametrize("after", ["999999", "0123456789ab-1", "{epoch}-999999"])
def test_unknown_position(busy: InMemoryServer, after: str) -> None:
    """A position that this database does not have, as after a backup was restored, is one whose events are missed."""
    items = page(busy)["items"]
    problem = busy.ask(f"GET /v1/events?after={after.format(epoch=busy.core.epochs.current)}").problem(410)
    assert (problem["type"], problem["oldest"]) == ("events-purged", items[0]["seq"])


def test_purged(busy: InMemoryServer) -> None:
    """A position before the oldest event that is kept is refused, and the error has the oldest event."""
    first = page(busy)["items"][0]["seq"]
    busy.clock.advance(31 * DAY)
    busy.register("controlid:9")
    busy.purge()
    answer = busy.ask(f"GET /v1/events?after={first}")
    assert (answer.code, answer.json["type"], answer.json["title"]) == (410, "events-purged", "Gone")
    kept = page(busy)["items"]
    assert answer.json["oldest"] == kept[0]["seq"]
    assert [item["type"] for item in kept][-1] == "device.registered"
