"""Tests of :mod:`pushd.admin.events`: list events and wait for them."""

from typing import Any

import pytest

from pushd.model.timestamps import to_rfc3339
from tests.connection import request
from tests.in_memory_server import START, InMemoryServer

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
        "by": None,
        "command": command,
        "data": {"attempt": 1, "endpoint": "load_objects"},
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
        ("?device=servereye:c&device=servereye:d", ["device.registered"]),
        ("?device=servereye:d&device=controlid:7&type=device.registered", ["device.registered"]),
        ("?device=servereye:c&device=controlid:7&type=device.registered", ["device.registered", "device.registered"]),
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


def test_wrong_limit_behind_a_purged_event(busy: InMemoryServer) -> None:
    """What is wrong with a call comes before what is no longer there."""
    busy.ask("GET /v1/events?after=999999999&limit=0").problem(400)


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


def at(seconds: float) -> str:
    """The time so many seconds after the test's start, as a parameter."""
    return f"?since={to_rfc3339(round((START + seconds) * 1000))}"


@pytest.fixture
def over_time(server: InMemoryServer) -> InMemoryServer:
    """A server on which a device was registered and changed, one event every ten minutes."""
    server.register("controlid:7")
    for number in range(1, 6):
        server.clock.advance(600)
        server.ask("PATCH /v1/devices/controlid:7", {"name": str(number)})
    return server


@pytest.mark.parametrize("limit", [1, 2, 10])
def test_since(over_time: InMemoryServer, limit: int) -> None:
    """Events since a time are listed, that of this time among them, and those that come later."""
    events = page(over_time)["items"]
    for seconds, first in ((-99999, 0), (0, 0), (1, 1), (600, 1), (600.001, 2), (2999, 5), (3000, 5), (3001, 6)):
        found = page(over_time, f"{at(seconds)}&limit={limit}")
        assert found["items"] == events[first : first + limit], seconds
        rest = page(over_time, f"?after={found['next']}")["items"]
        assert rest == events[first + limit :]


def test_since_behind_a_position(over_time: InMemoryServer) -> None:
    """With a position, both must be right: events behind it, and since the time."""
    events = page(over_time)["items"]
    assert page(over_time, f"{at(1800)}&after={events[1]['seq']}")["items"] == events[3:]
    assert page(over_time, f"{at(0)}&after={events[3]['seq']}")["items"] == events[4:]


@pytest.mark.parametrize("step", [-7200, -30, 30, 7200])
def test_since_after_the_clock_was_set(over_time: InMemoryServer, step: int) -> None:
    """When the clock was set, no event since a time is left out, nor is an earlier one listed."""
    over_time.wall_offset += step
    over_time.tick(1)
    for number in range(6, 12):
        over_time.clock.advance(600)
        over_time.ask("PATCH /v1/devices/controlid:7", {"name": str(number)})
    events = page(over_time)["items"]
    for event in events:
        since = f"?since={event['at']}"
        assert page(over_time, since)["items"] == [other for other in events if other["at"] >= event["at"]]


def test_since_when_all_is_purged(over_time: InMemoryServer) -> None:
    """If no event is kept, there is none since any time."""
    over_time.clock.advance(99 * 86400)
    over_time.purge()
    for seconds in (0, 100 * 86400):
        assert page(over_time, at(seconds))["items"] == []


def test_long_poll_for_events_since_a_time(over_time: InMemoryServer) -> None:
    """A request for events since a time that is to come waits for them."""
    waiting = over_time.begin(f"GET /v1/events{at(3005)}&wait=30")
    over_time.ask("PATCH /v1/devices/controlid:7", {"name": "too early"})
    over_time.clock.advance(6)
    over_time.ask("PATCH /v1/devices/controlid:7", {"name": "in time"})
    [event] = waiting.answer().json["items"]
    assert event["at"] == to_rfc3339(round((START + 3006) * 1000))


@pytest.mark.parametrize("since", ["now", "5", "yesterday"])
def test_since_is_a_time(server: InMemoryServer, since: str) -> None:
    """Anything else is refused."""
    assert server.ask(f"GET /v1/events?since={since}").code == 400
