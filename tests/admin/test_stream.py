"""Tests of :mod:`pushd.admin.event_stream`: what happens, as it happens."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.admin.event_stream import Rendered
from pushd.model.event import Event, EventType
from pushd.model.token import Role
from pushd.store.sqlite.store import SqliteStore
from tests.connection import request
from tests.in_memory_server import BuildHouse, House, now
from tests.sse import Message, Parser, Streaming

STREAM = "GET /v1/events/stream"
DAY = 86400


def follow(house: House, query: str = "", *headers: str) -> Streaming:
    """Open a stream."""
    return Streaming(house.begin(f"{STREAM}{query}", None, *headers))


def come_back(house: House, lost: Streaming) -> Streaming:
    """Open a stream again, as a browser does that has lost it."""
    lost.connection.hang_up()
    return follow(house, "", f"Last-Event-ID: {lost.parser.last_id}")


def listed(house: House, query: str = "?limit=500") -> list[dict[str, Any]]:
    """The feed as a list."""
    found: list[dict[str, Any]] = house.ask(f"GET /v1/events{query}").json["items"]
    return found


def values(messages: list[Message]) -> list[Any]:
    """The events that messages tell of."""
    return [message.json for message in messages]


def rename(house: House, device: str, name: str) -> None:
    """Make an event, and let whoever follows have it."""
    assert house.ask(f"PATCH /v1/devices/{device}", {"name": name}).code == 200
    house.clock.advance(0)


def test_to_the_letter(house: House) -> None:
    """The answer is what the standard asks for, and nothing on the way keeps it back."""
    connection = house.begin(STREAM)
    house.register("controlid:7")
    event = json.dumps(listed(house)[0], separators=(",", ":"))
    head, _, body = connection.transport.value().partition(b"\r\n\r\n")
    assert sorted(line for line in head.decode().split("\r\n") if not line.startswith("Date: ")) == [
        "Cache-Control: no-store",
        "Content-Type: text/event-stream",
        "HTTP/1.1 200 OK",
        "Server: pushd",
        "Transfer-Encoding: chunked",
        "X-Accel-Buffering: no",
    ]
    told = f"id: 1\nevent: device.registered\ndata: {event}\n\n"
    assert body.decode() == f"13\r\nretry: 1000\nid: 0\n\n\r\n{len(told):x}\r\n{told}\r\n"


def test_from_now_on(house: House) -> None:
    """Who opens a stream hears what happens from then on, each event as the list shows it."""
    house.register("controlid:7")
    stream = follow(house)
    rename(house, "controlid:7", "Gate")
    house.register("controlid:8")
    messages = stream.read()
    assert values(messages) == listed(house)[1:]
    assert [(message.id, message.type) for message in messages] == [
        (event["seq"], event["type"]) for event in listed(house)[1:]
    ]


def test_where_it_begins_is_told(house: House) -> None:
    """A stream that broke before anything happened is resumed from where it began."""
    house.register("controlid:7")
    stream = follow(house)
    assert stream.read() == []
    house.register("controlid:8")
    assert values(come_back(house, stream).read()) == listed(house)[1:]


def test_from_any_event(house: House) -> None:
    """Last-Event-ID, or ``after``, is any event's seq; the header wins."""
    for number in range(5):
        house.register(f"controlid:{number}")
    events = listed(house)
    for place, event in enumerate(events):
        assert values(follow(house, f"?after={event['seq']}").read()) == events[place + 1 :]
        assert values(follow(house, "?after=now", f"Last-Event-ID: {event['seq']}").read()) == events[place + 1 :]
    assert values(follow(house, "?after=0").read()) == events


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?device=controlid:8", ["device.registered", "device.changed"]),
        ("?device=controlid:9", []),
        ("?type=device.changed", ["device.changed"]),
        ("?type=device.changed,device.registered", ["device.registered", "device.registered", "device.changed"]),
        ("?type=device.changed&device=controlid:7", []),
    ],
)
def test_filters(house: House, query: str, found: list[str]) -> None:
    """A stream can be narrowed like the list, whether it tells of the past or of what happens."""
    live = follow(house, query)
    house.register("controlid:7")
    house.register("controlid:8")
    rename(house, "controlid:8", "Gate")
    assert live.types() == found
    assert follow(house, f"{query}&after=0").types() == found


@pytest.mark.parametrize(
    "query", ["?after=x", "?after=", "?after=999", "?type=nonsense", "?limit=5", "?wait=5", "?since=now"]
)
def test_unusable_query(house: House, query: str) -> None:
    """A query that the stream cannot follow is a bad request."""
    house.ask(f"{STREAM}{query}").problem(400)


@pytest.mark.parametrize("last", ["x", "-1", "1.0", "999", "\xff", "9" * 30])
def test_unusable_last_event_id(house: House, last: str) -> None:
    """So is an id that no event has had."""
    house.ask(STREAM, None, f"Last-Event-ID: {last}").problem(400)


def test_purged(house: House) -> None:
    """Who comes back for what is no longer kept is told so."""
    for number in range(3):
        house.register(f"controlid:{number}")
    house.clock.advance(31 * DAY)
    house.register("controlid:9")
    now(house.core.purge())
    problem = house.ask(STREAM, None, "Last-Event-ID: 1").problem(410)
    assert problem["type"] == "events-purged"
    assert values(follow(house, f"?after={problem['oldest']}").read()) == listed(house)[1:]


def test_silence(house: House) -> None:
    """After fifteen seconds in which nothing happened there is a comment, and again after the next fifteen."""
    stream = follow(house)
    house.tick(14)
    stream.read()
    assert stream.parser.comments == 0
    house.tick(1)
    stream.read()
    assert stream.parser.comments == 1
    house.register("controlid:7")
    house.tick(14)
    assert stream.types() == ["device.registered"]
    assert stream.parser.comments == 1
    house.tick(1)
    stream.read()
    assert stream.parser.comments == 2


def test_silence_tells_where_we_are(house: House) -> None:
    """Who asked for little need not come back from far behind: now and then it is told where the feed is."""
    stream = follow(house, "?device=controlid:8")
    house.register("controlid:7")
    house.tick(15)
    assert stream.read() == []
    assert stream.parser.last_id == listed(house)[-1]["seq"]


def test_client_that_leaves(house: House) -> None:
    """A client that hangs up leaves nothing behind."""
    timers = len(house.clock.getDelayedCalls())
    streams = [follow(house) for _ in range(3)]
    for stream in streams:
        stream.connection.hang_up()
    assert len(house.clock.getDelayedCalls()) == timers
    house.register("controlid:7")


def test_stop(house: House) -> None:
    """When we are about to stop, each stream ends at once, as an answer should; so does one that is opened then."""
    house.admin_site.closing = True
    streams = [follow(house), follow(house, "?type=alert.raised")]
    house.core.drain()
    streams.append(follow(house))
    for stream in streams:
        stream.read()
        assert stream.ended
        assert stream.connection.closed_by_server


def test_connection_goes_on_after_a_stream(house: House) -> None:
    """The end of a stream is the end of an answer: the connection can be used again."""
    stream = follow(house)
    house.core.drain()
    stream.read()
    stream.connection.send(request("GET /healthz"))
    assert stream.connection.answer().code == 200


def test_http_1_0(house: House) -> None:
    """An old client has the same events, as they are, until it hangs up."""
    line = f"{STREAM} HTTP/1.0\r\nAuthorization: Bearer {house.token_of(Role.VIEWER)}\r\n\r\n"
    connection = house.call(line.encode())
    house.register("controlid:7")
    stream = Streaming(connection)
    assert values(stream.read()) == listed(house)
    assert "Transfer-Encoding" not in stream.head
    house.core.drain()
    assert connection.closed_by_server


def test_head(house: House) -> None:
    """Who asks for the head alone is told that this cannot be had, and holds nothing."""
    answer = house.ask("HEAD /v1/events/stream")
    assert (answer.code, answer.headers["allow"]) == (405, "GET")
    assert len(house.clock.getDelayedCalls()) == 1  # of the connection, that is silent now


def test_slow_reader(house: House) -> None:
    """A client that takes nothing for half a minute is cut off, and loses nothing by it."""
    stream = follow(house)
    stream.pause()
    house.register("controlid:7")
    house.tick(29)
    assert not stream.was_cut()
    house.tick(1)
    assert stream.was_cut()
    assert stream.read() == []
    assert values(come_back(house, stream).read()) == listed(house)


def test_slow_reader_that_goes_on(house: House) -> None:
    """A client that takes something now and then, however slowly, is told all."""
    stream = follow(house)
    for number in range(5):
        stream.pause()
        house.register(f"controlid:{number}")
        house.tick(29)
        stream.resume()
    assert values(stream.read()) == listed(house)
    assert not stream.was_cut()


def test_reader_that_is_too_far_behind(house: House) -> None:
    """What a paused client misses is not kept for it for ever: it is cut off, and begins where it was."""
    house.register("controlid:7")
    stream = follow(house)
    stream.pause()
    for number in range(1025):
        now(house.core.fleet.change("controlid:7", {"name": str(number)}))
    house.clock.advance(1)
    assert stream.was_cut()
    stream.read()
    again = come_back(house, stream)
    assert [message.id for message in again.read()] == [str(seq) for seq in range(2, 1027)]


def test_slow_readers_do_not_keep_us_from_stopping(house: House) -> None:
    """A client that takes nothing is cut off when we stop."""
    stream = follow(house)
    stream.pause()
    house.core.drain()
    assert stream.was_cut()


texts = st.text(st.characters(codec="utf-8"))
data = st.dictionaries(texts, st.none() | st.booleans() | st.integers() | texts | st.lists(texts))


@given(
    data,
    st.sampled_from(EventType),
    st.integers(1, 10**18),
    st.none() | texts,
    st.lists(st.integers(1, 99), max_size=9),
)
def test_any_event_arrives(
    data: dict[str, Any], kind: EventType, seq: int, device: str | None, cuts: list[int]
) -> None:
    """Whatever an event tells, line breaks and all, and wherever the network cuts it: it arrives as one message."""
    told = Rendered().of(Event(seq=seq, type=kind, at=0, device=device, data=data))
    parser = Parser()
    for cut in cuts:
        parser.feed(told[:cut])
        told = told[cut:]
    parser.feed(told)
    (message,) = parser.messages
    assert (message.id, message.type) == (str(seq), kind)
    assert message.json == {
        "seq": str(seq),
        "type": kind,
        "at": "1970-01-01T00:00:00.000Z",
        "device": device,
        "command": None,
        "data": data,
    }


def test_restart_while_events_are_written(build_house: BuildHouse, tmp_path: Path) -> None:
    """Whoever comes back with the last id after each start of the server has missed nothing and is told nothing
    twice.
    """
    path = str(tmp_path / "pushd.sqlite")
    told: list[Any] = []
    last = "0"
    for start in range(4):
        house = build_house(SqliteStore(path))
        house.register(f"controlid:{start}")
        stream = follow(house, "", f"Last-Event-ID: {last}")
        for name in range(150):
            rename(house, f"controlid:{start}", str(name))
            if name == 100 * (start % 2):
                told += values(stream.read())
        told += values(stream.read())
        last = stream.parser.last_id
        rename(house, f"controlid:{start}", "nobody follows")
        stream.connection.hang_up()
        assert len(told) == int(last)
        now(house.core.store.close())
    house = build_house(SqliteStore(path))
    told += values(follow(house, "", f"Last-Event-ID: {last}").read())
    everything = listed(house)
    everything += listed(house, f"?limit=500&after={everything[-1]['seq']}")
    assert told == everything


def test_a_thousand_streams(house: House) -> None:
    """A thousand clients have a new command's event once each, and one after the other of them was written to."""
    house.register("controlid:7")
    streams = [follow(house) for _ in range(1000)]
    for stream in streams:
        stream.read()
    command = house.put("controlid:7", {"endpoint": "load_objects"})
    house.clock.advance(0.2)
    told = [values(stream.read()) for stream in streams]
    assert told == [listed(house)[1:]] * 1000
    assert told[0][0]["command"] == command
    house.clock.advance(5)
    assert [stream.read() for stream in streams] == [[]] * 1000
