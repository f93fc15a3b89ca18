"""Tests of :mod:`pushd.admin.event_stream`: what happens, as it happens."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.admin.event_stream import RenderedEvents
from pushd.model.event import Event, EventType
from pushd.model.token import Role
from pushd.store.sqlite.store import SqliteStore
from tests.connection import request
from tests.in_memory_server import BuildHouse, InMemoryServer, now
from tests.sse import Message, Parser, Streaming

STREAM = "GET /v1/events/stream"
DAY = 86400


def follow(server: InMemoryServer, query: str = "", *headers: str) -> Streaming:
    """Open a stream."""
    return Streaming(server.begin(f"{STREAM}{query}", None, *headers))


def come_back(server: InMemoryServer, lost: Streaming) -> Streaming:
    """Open a stream again, as a browser does that has lost it."""
    lost.connection.hang_up()
    return follow(server, "", f"Last-Event-ID: {lost.parser.last_id}")


def listed(server: InMemoryServer, query: str = "?limit=500") -> list[dict[str, Any]]:
    """The feed as a list."""
    found: list[dict[str, Any]] = server.ask(f"GET /v1/events{query}").json["items"]
    return found


def values(messages: list[Message]) -> list[Any]:
    """The events that messages tell of."""
    return [message.json for message in messages]


def rename(server: InMemoryServer, device: str, name: str) -> None:
    """Make an event, and let whoever follows have it."""
    assert server.ask(f"PATCH /v1/devices/{device}", {"name": name}).code == 200
    server.clock.advance(0)


def test_to_the_letter(server: InMemoryServer) -> None:
    """The answer is what the standard asks for, and nothing on the way keeps it back."""
    connection = server.begin(STREAM)
    server.register("controlid:7")
    event = json.dumps(listed(server)[0], separators=(",", ":"))
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


def test_from_now_on(server: InMemoryServer) -> None:
    """Who opens a stream hears what happens from then on, each event as the list shows it."""
    server.register("controlid:7")
    stream = follow(server)
    rename(server, "controlid:7", "Gate")
    server.register("controlid:8")
    messages = stream.read()
    assert values(messages) == listed(server)[1:]
    assert [(message.id, message.type) for message in messages] == [
        (event["seq"], event["type"]) for event in listed(server)[1:]
    ]


def test_where_it_begins_is_told(server: InMemoryServer) -> None:
    """A stream that broke before anything happened is resumed from where it began."""
    server.register("controlid:7")
    stream = follow(server)
    assert stream.read() == []
    server.register("controlid:8")
    assert values(come_back(server, stream).read()) == listed(server)[1:]


def test_from_any_event(server: InMemoryServer) -> None:
    """Last-Event-ID, or ``after``, is any event's seq; the header wins."""
    for number in range(5):
        server.register(f"controlid:{number}")
    events = listed(server)
    for place, event in enumerate(events):
        assert values(follow(server, f"?after={event['seq']}").read()) == events[place + 1 :]
        assert values(follow(server, "?after=now", f"Last-Event-ID: {event['seq']}").read()) == events[place + 1 :]
    assert values(follow(server, "?after=0").read()) == events


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
def test_filters(server: InMemoryServer, query: str, found: list[str]) -> None:
    """A stream can be narrowed like the list, whether it tells of the past or of what happens."""
    live = follow(server, query)
    server.register("controlid:7")
    server.register("controlid:8")
    rename(server, "controlid:8", "Gate")
    assert live.types() == found
    assert follow(server, f"{query}&after=0").types() == found


@pytest.mark.parametrize(
    "query", ["?after=x", "?after=", "?after=999", "?type=nonsense", "?limit=5", "?wait=5", "?since=now"]
)
def test_unusable_query(server: InMemoryServer, query: str) -> None:
    """A query that the stream cannot follow is a bad request."""
    server.ask(f"{STREAM}{query}").problem(400)


@pytest.mark.parametrize("last", ["x", "-1", "1.0", "999", "\xff", "9" * 30])
def test_unusable_last_event_id(server: InMemoryServer, last: str) -> None:
    """So is an id that no event has had."""
    server.ask(STREAM, None, f"Last-Event-ID: {last}").problem(400)


def test_purged(server: InMemoryServer) -> None:
    """Who comes back for what is no longer kept is told so."""
    for number in range(3):
        server.register(f"controlid:{number}")
    server.clock.advance(31 * DAY)
    server.register("controlid:9")
    now(server.core.purge())
    problem = server.ask(STREAM, None, "Last-Event-ID: 1").problem(410)
    assert problem["type"] == "events-purged"
    assert values(follow(server, f"?after={problem['oldest']}").read()) == listed(server)[1:]


def test_silence(server: InMemoryServer) -> None:
    """After fifteen seconds in which nothing happened there is a comment, and again after the next fifteen."""
    stream = follow(server)
    server.tick(14)
    stream.read()
    assert stream.parser.comments == 0
    server.tick(1)
    stream.read()
    assert stream.parser.comments == 1
    server.register("controlid:7")
    server.tick(14)
    assert stream.types() == ["device.registered"]
    assert stream.parser.comments == 1
    server.tick(1)
    stream.read()
    assert stream.parser.comments == 2


def test_silence_tells_where_we_are(server: InMemoryServer) -> None:
    """Who asked for little need not come back from far behind: now and then it is told where the feed is."""
    stream = follow(server, "?device=controlid:8")
    server.register("controlid:7")
    server.tick(15)
    assert stream.read() == []
    assert stream.parser.last_id == listed(server)[-1]["seq"]


def test_client_that_leaves(server: InMemoryServer) -> None:
    """A client that hangs up leaves nothing behind."""
    timers = len(server.clock.getDelayedCalls())
    streams = [follow(server) for _ in range(3)]
    for stream in streams:
        stream.connection.hang_up()
    assert len(server.clock.getDelayedCalls()) == timers
    server.register("controlid:7")


def test_stop(server: InMemoryServer) -> None:
    """When we are about to stop, each stream ends at once, as an answer should; so does one that is opened then."""
    server.admin_site.closing = True
    streams = [follow(server), follow(server, "?type=alert.raised")]
    server.core.drain()
    streams.append(follow(server))
    for stream in streams:
        stream.read()
        assert stream.ended
        assert stream.connection.closed_by_server


def test_connection_goes_on_after_a_stream(server: InMemoryServer) -> None:
    """The end of a stream is the end of an answer: the connection can be used again."""
    stream = follow(server)
    server.core.drain()
    stream.read()
    stream.connection.send(request("GET /healthz"))
    assert stream.connection.answer().code == 200


def test_http_1_0(server: InMemoryServer) -> None:
    """An old client has the same events, as they are, until it hangs up."""
    line = f"{STREAM} HTTP/1.0\r\nAuthorization: Bearer {server.token_of(Role.VIEWER)}\r\n\r\n"
    connection = server.call(line.encode())
    server.register("controlid:7")
    stream = Streaming(connection)
    assert values(stream.read()) == listed(server)
    assert "Transfer-Encoding" not in stream.head
    server.core.drain()
    assert connection.closed_by_server


def test_head(server: InMemoryServer) -> None:
    """Who asks for the head alone is told that this cannot be had, and holds nothing."""
    answer = server.ask("HEAD /v1/events/stream")
    assert (answer.code, answer.headers["allow"]) == (405, "GET")
    assert len(server.clock.getDelayedCalls()) == 1  # of the connection, that is silent now


def test_slow_reader(server: InMemoryServer) -> None:
    """A client that takes nothing for half a minute is cut off, and loses nothing by it."""
    stream = follow(server)
    stream.pause()
    server.register("controlid:7")
    server.tick(29)
    assert not stream.was_cut()
    server.tick(1)
    assert stream.was_cut()
    assert stream.read() == []
    assert values(come_back(server, stream).read()) == listed(server)


def test_slow_reader_that_goes_on(server: InMemoryServer) -> None:
    """A client that takes something now and then, however slowly, is told all."""
    stream = follow(server)
    for number in range(5):
        stream.pause()
        server.register(f"controlid:{number}")
        server.tick(29)
        stream.resume()
    assert values(stream.read()) == listed(server)
    assert not stream.was_cut()


def test_reader_that_is_too_far_behind(server: InMemoryServer) -> None:
    """What a paused client misses is not kept for it for ever: it is cut off, and begins where it was."""
    server.register("controlid:7")
    stream = follow(server)
    stream.pause()
    for number in range(1025):
        now(server.core.registry.change("controlid:7", {"name": str(number)}))
    server.clock.advance(1)
    assert stream.was_cut()
    stream.read()
    again = come_back(server, stream)
    assert [message.id for message in again.read()] == [str(seq) for seq in range(2, 1027)]


def test_slow_readers_do_not_keep_us_from_stopping(server: InMemoryServer) -> None:
    """A client that takes nothing is cut off when we stop."""
    stream = follow(server)
    stream.pause()
    server.core.drain()
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
    told = RenderedEvents().get(Event(seq=seq, type=kind, at=0, device=device, data=data))
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
        server = build_house(SqliteStore(path))
        server.register(f"controlid:{start}")
        stream = follow(server, "", f"Last-Event-ID: {last}")
        for name in range(150):
            rename(server, f"controlid:{start}", str(name))
            if name == 100 * (start % 2):
                told += values(stream.read())
        told += values(stream.read())
        last = stream.parser.last_id
        rename(server, f"controlid:{start}", "nobody follows")
        stream.connection.hang_up()
        assert len(told) == int(last)
        now(server.core.store.close())
    server = build_house(SqliteStore(path))
    told += values(follow(server, "", f"Last-Event-ID: {last}").read())
    everything = listed(server)
    everything += listed(server, f"?limit=500&after={everything[-1]['seq']}")
    assert told == everything


def test_a_thousand_streams(server: InMemoryServer) -> None:
    """A thousand clients have a new command's event once each, and one after the other of them was written to."""
    server.register("controlid:7")
    streams = [follow(server) for _ in range(1000)]
    for stream in streams:
        stream.read()
    command = server.put("controlid:7", {"endpoint": "load_objects"})
    server.clock.advance(0.2)
    told = [values(stream.read()) for stream in streams]
    assert told == [listed(server)[1:]] * 1000
    assert told[0][0]["command"] == command
    server.clock.advance(5)
    assert [stream.read() for stream in streams] == [[]] * 1000
