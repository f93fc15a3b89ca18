"""Tests of :mod:`pushd.admin.event_stream`: server-sent events."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.admin.event_stream import RenderedEvents
from pushd.model.event import Event, EventType
from pushd.model.token import Role
from tests.connection import request
from tests.in_memory_server import BuildServer, InMemoryServer
from tests.results import result_of
from tests.sse import EventStream, Message, Parser
from tests.store.clock import new_store

STREAM = "GET /v1/events/stream"
DAY = 86400


def stream_events(server: InMemoryServer, query: str = "", *headers: str) -> EventStream:
    """Open a stream."""
    return EventStream(server.begin(f"{STREAM}{query}", None, *headers))


def reconnect(server: InMemoryServer, lost: EventStream) -> EventStream:
    """Open a stream again, as a browser does that has lost it."""
    lost.connection.hang_up()
    return stream_events(server, "", f"Last-Event-ID: {lost.parser.last_id}")


def listed(server: InMemoryServer, query: str = "?limit=500") -> list[dict[str, Any]]:
    """The events as a list."""
    found: list[dict[str, Any]] = server.ask(f"GET /v1/events{query}").json["items"]
    return found


def values(messages: list[Message]) -> list[Any]:
    """The events in the messages."""
    return [message.json for message in messages]


def rename(server: InMemoryServer, device: str, name: str) -> None:
    """Make an event, and let the streams have it."""
    assert server.ask(f"PATCH /v1/devices/{device}", {"name": name}).code == 200
    server.clock.advance(0)


def test_exact_bytes(server: InMemoryServer) -> None:
    """The response is as the standard demands, and no proxy is made to buffer it."""
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
    received = f"id: {listed(server)[0]['seq']}\nevent: device.registered\ndata: {event}\n\n"
    assert body.decode() == f"13\r\nretry: 1000\nid: 0\n\n\r\n{len(received):x}\r\n{received}\r\n"


def test_from_now_on(server: InMemoryServer) -> None:
    """A stream has the events from its start on, each as in the list."""
    server.register("controlid:7")
    stream = stream_events(server)
    rename(server, "controlid:7", "Gate")
    server.register("controlid:8")
    messages = stream.read()
    assert values(messages) == listed(server)[1:]
    assert [(message.id, message.type) for message in messages] == [
        (event["seq"], event["type"]) for event in listed(server)[1:]
    ]


def test_stream_starts_with_its_position(server: InMemoryServer) -> None:
    """A stream that broke before its first event is resumed where it began."""
    server.register("controlid:7")
    stream = stream_events(server)
    assert stream.read() == []
    server.register("controlid:8")
    assert values(reconnect(server, stream).read()) == listed(server)[1:]


def test_from_any_event(server: InMemoryServer) -> None:
    """Last-Event-ID, ``lastEventId`` or ``after`` is the seq of any event, in this order of precedence."""
    for number in range(5):
        server.register(f"controlid:{number}")
    events = listed(server)
    for place, event in enumerate(events):
        assert values(stream_events(server, f"?after={event['seq']}").read()) == events[place + 1 :]
        assert (
            values(stream_events(server, "?after=now", f"Last-Event-ID: {event['seq']}").read()) == events[place + 1 :]
        )
        assert values(stream_events(server, f"?after=now&lastEventId={event['seq']}").read()) == events[place + 1 :]
        both = stream_events(server, "?lastEventId=0", f"Last-Event-ID: {event['seq']}")
        assert values(both.read()) == events[place + 1 :]
    assert values(stream_events(server, "?after=0").read()) == events
    server.ask(f"{STREAM}?lastEventId=x").problem(400)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?device=controlid:8", ["device.registered", "device.changed"]),
        ("?device=controlid:9", []),
        ("?device=controlid:9&device=controlid:8", ["device.registered", "device.changed"]),
        ("?device=controlid:7&device=controlid:8&type=device.registered", ["device.registered", "device.registered"]),
        ("?type=device.changed", ["device.changed"]),
        ("?type=device.changed,device.registered", ["device.registered", "device.registered", "device.changed"]),
        ("?type=device.changed&device=controlid:7", []),
    ],
)
def test_filters(server: InMemoryServer, query: str, found: list[str]) -> None:
    """A stream has the same filters as the list, for past and for new events."""
    live = stream_events(server, query)
    server.register("controlid:7")
    server.register("controlid:8")
    rename(server, "controlid:8", "Gate")
    assert live.types() == found
    assert stream_events(server, f"{query}&after=0").types() == found


@pytest.mark.parametrize("query", ["?after=x", "?after=", "?type=nonsense", "?limit=5", "?wait=5", "?since=now"])
def test_invalid_query(server: InMemoryServer, query: str) -> None:
    """An invalid query is refused."""
    server.ask(f"{STREAM}{query}").problem(400)


@pytest.mark.parametrize("last", ["x", "-1", "1.0", "\xff", "9" * 30, "0123456789ab-", "0123456789AB-1"])
def test_invalid_last_event_id(server: InMemoryServer, last: str) -> None:
    """An id that no event of any database has is refused."""
    server.ask(STREAM, None, f"Last-Event-ID: {last}").problem(400)


@pytest.mark.parametrize("last", ["999", "0123456789ab-1"])
def test_unknown_last_event_id(server: InMemoryServer, last: str) -> None:
    """A client whose last event this database does not have learns that it has missed some, and where to go on."""
    server.register("controlid:1")
    problem = server.ask(STREAM, None, f"Last-Event-ID: {last}").problem(410)
    assert (problem["type"], problem["oldest"]) == ("events-purged", listed(server)[0]["seq"])


def test_purged(server: InMemoryServer) -> None:
    """A position before the oldest event that is kept is refused."""
    for number in range(3):
        server.register(f"controlid:{number}")
    first = listed(server)[0]["seq"]
    server.clock.advance(31 * DAY)
    server.register("controlid:9")
    server.purge()
    problem = server.ask(STREAM, None, f"Last-Event-ID: {first}").problem(410)
    assert problem["type"] == "events-purged"
    assert values(stream_events(server, f"?after={problem['oldest']}").read()) == listed(server)[1:]


def test_keep_alive(server: InMemoryServer) -> None:
    """After 15 s without an event there is a comment, and another after the next 15 s."""
    stream = stream_events(server)
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


def test_keep_alive_has_the_position(server: InMemoryServer) -> None:
    """A client with a narrow filter gets the position now and then, and need not reconnect from far behind."""
    stream = stream_events(server, "?device=controlid:8")
    server.register("controlid:7")
    server.tick(15)
    assert stream.read() == []
    assert stream.parser.last_id == listed(server)[-1]["seq"]


def test_client_disconnects(server: InMemoryServer) -> None:
    """A client that disconnects leaves nothing behind."""
    timers = len(server.clock.getDelayedCalls())
    streams = [stream_events(server) for _ in range(3)]
    for stream in streams:
        stream.connection.hang_up()
    assert len(server.clock.getDelayedCalls()) == timers
    server.register("controlid:7")


def test_shutdown(server: InMemoryServer) -> None:
    """At shutdown each stream ends at once and completely; so does one that is opened then."""
    server.admin_site.closing = True
    streams = [stream_events(server), stream_events(server, "?type=alert.raised")]
    server.core.drain()
    streams.append(stream_events(server))
    for stream in streams:
        stream.read()
        assert stream.ended
        assert stream.connection.closed_by_server


def test_connection_is_usable_after_a_stream(server: InMemoryServer) -> None:
    """The end of a stream is the end of a response: the connection can be used again."""
    stream = stream_events(server)
    server.core.drain()
    stream.read()
    stream.connection.send(request("GET /healthz"))
    assert stream.connection.answer().code == 200


def test_http_1_0(server: InMemoryServer) -> None:
    """An HTTP/1.0 client gets the same events, not chunked, until the connection ends."""
    line = f"{STREAM} HTTP/1.0\r\nAuthorization: Bearer {server.token_of(Role.VIEWER)}\r\n\r\n"
    connection = server.call(line.encode())
    server.register("controlid:7")
    stream = EventStream(connection)
    assert values(stream.read()) == listed(server)
    assert "Transfer-Encoding" not in stream.head
    server.core.drain()
    assert connection.closed_by_server


def test_head(server: InMemoryServer) -> None:
    """A HEAD request is refused, and holds nothing."""
    answer = server.ask("HEAD /v1/events/stream")
    assert (answer.code, answer.headers["allow"]) == (405, "GET")
    assert len(server.clock.getDelayedCalls()) == 1  # of the connection, that is silent now


def test_slow_client(server: InMemoryServer) -> None:
    """A client that reads nothing for half a minute is disconnected, and misses nothing after it reconnects."""
    stream = stream_events(server)
    stream.pause()
    server.register("controlid:7")
    server.tick(29)
    assert not stream.was_aborted()
    server.tick(1)
    assert stream.was_aborted()
    assert stream.read() == []
    assert values(reconnect(server, stream).read()) == listed(server)


def test_slow_client_that_reads(server: InMemoryServer) -> None:
    """A client that reads now and then, however slowly, gets all events."""
    stream = stream_events(server)
    for number in range(5):
        stream.pause()
        server.register(f"controlid:{number}")
        server.tick(29)
        stream.resume()
    assert values(stream.read()) == listed(server)
    assert not stream.was_aborted()


def test_client_that_is_too_far_behind(server: InMemoryServer) -> None:
    """A client that reads nothing while many events come is disconnected, and continues where it was."""
    server.register("controlid:7")
    stream = stream_events(server)
    stream.pause()
    for number in range(1025):
        result_of(server.core.registry.change("controlid:7", {"name": str(number)}))
    server.clock.advance(1)
    assert stream.was_aborted()
    stream.read()
    again = reconnect(server, stream)
    assert [message.id for message in again.read()] == [server.core.epochs.event_id(seq) for seq in range(2, 1027)]


def test_slow_client_at_shutdown(server: InMemoryServer) -> None:
    """A client that reads nothing is disconnected at shutdown."""
    stream = stream_events(server)
    stream.pause()
    server.core.drain()
    assert stream.was_aborted()


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
    """Any event, line breaks and all, arrives as one message, wherever the network cuts it."""
    received = RenderedEvents().get(Event(seq=seq, type=kind, at=0, device=device, data=data))
    parser = Parser()
    for cut in cuts:
        parser.feed(received[:cut])
        received = received[cut:]
    parser.feed(received)
    (message,) = parser.messages
    assert (message.id, message.type) == (str(seq), kind)
    assert message.json == {
        "seq": str(seq),
        "type": kind,
        "at": "1970-01-01T00:00:00.000Z",
        "device": device,
        "by": None,
        "command": None,
        "data": data,
    }


def test_restart_while_events_are_written(build_server: BuildServer, tmp_path: Path) -> None:
    """A client that reconnects with its last id after each start of the server gets every event once."""
    path = str(tmp_path / "pushd.sqlite")
    received: list[Any] = []
    last = "0"
    for start in range(4):
        server = build_server(new_store(path))
        server.register(f"controlid:{start}")
        stream = stream_events(server, "", f"Last-Event-ID: {last}")
        for name in range(150):
            rename(server, f"controlid:{start}", str(name))
            if name == 100 * (start % 2):
                received += values(stream.read())
        received += values(stream.read())
        last = stream.parser.last_id
        rename(server, f"controlid:{start}", "no client")
        stream.connection.hang_up()
        assert len(received) == int(last.rpartition("-")[2])
        result_of(server.core.store.close())
    server = build_server(new_store(path))
    received += values(stream_events(server, "", f"Last-Event-ID: {last}").read())
    everything = listed(server)
    everything += listed(server, f"?limit=500&after={everything[-1]['seq']}")
    assert received == everything


def test_a_thousand_streams(server: InMemoryServer) -> None:
    """A thousand clients get the event of a new command once each."""
    server.register("controlid:7")
    streams = [stream_events(server) for _ in range(1000)]
    for stream in streams:
        stream.read()
    command = server.put("controlid:7", {"endpoint": "load_objects"})
    server.clock.advance(0.2)
    received = [values(stream.read()) for stream in streams]
    assert received == [listed(server)[1:]] * 1000
    assert received[0][0]["command"] == command
    server.clock.advance(5)
    assert [stream.read() for stream in streams] == [[]] * 1000
