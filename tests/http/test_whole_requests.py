"""Tests of :mod:`pushd.http.whole_requests`: what is read without Twisted's parser is what that parser reads."""

from collections.abc import Sequence
from typing import Any

import pytest
from attrs import define, field
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from pushd.http import whole_requests
from pushd.http.bodies import BodyGrant, Budgets, Sender
from pushd.http.request import Request
from pushd.http.site import Channel, HTTPFactory
from pushd.http.whole_requests import MAX_KNOWN, MAX_KNOWN_SIZE, read_whole
from tests.connection import request

PLAIN = [
    request("GET /push/c"),
    request("GET /push?deviceId=7&uuid=a%20b"),
    request("POST /push/c/ack/m", b"", "Content-Length: 0", "X-Api-Key: k"),
    request("POST /push/c/result/m", b'{"success":true}', "Content-Type: application/json", "authorization: Bearer x"),
    request("GET /push/c", b"", "Connection: close"),
    request("GET /push/c", b"", "Connection: keep-alive", "accept: */*", "X-Forwarded-For: 10.0.0.1, 10.0.0.2"),
    request("POST /v1/a?b=1?2#c", b"{}", "X-Forwarded-Proto: https", "Content-Type: application/json"),
    b"GET / HTTP/1.1\r\n\r\n",
]
"""Requests that are read without Twisted's parser."""

LINES = [
    b"GET /a HTTP/1.1",
    b"POST /a?b=c HTTP/1.1",
    b"HEAD / HTTP/1.1",
    b"GET / HTTP/1.0",
    b"GET http://a/b HTTP/1.1",
    b"GET /\xe4 HTTP/1.1",
    b"GET  / HTTP/1.1",
    b"get / HTTP/1.1",
    b"Host: a",
    b"Host: b",
    b"host:a",
    b"HOST: a",
    b"Host:  a",
    b"Host: a ",
    b"Host: a\tb",
    b"Host:",
    b"Host : a",
    b": a",
    b"Host",
    b" folded",
    b"\tfolded",
    b"Content-Length: 2",
    b"content-length: 02",
    b"Content-Length: 0",
    b"Content-Length: +2",
    b"Content-Length: 2, 2",
    b"Content-Length: 99999",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: identity",
    b"Expect: 100-continue",
    b"Connection: close",
    b"Connection: TE, Close",
    b"Content-Encoding: gzip",
    b"X-Forwarded-For: 10.0.0.1",
    b"X-Forwarded-For: \xff",
    b"Accept: " + b"x" * 9000,
    b"Accept: x" * 2000,
    b"",
    b"{}",
    b"2",
    b"0",
]
ANY_LINES = st.lists(st.sampled_from(LINES), max_size=8).map(lambda lines: b"\r\n".join([*lines, b""]))
HEADS = st.builds(
    lambda first, headers, body: b"\r\n".join([first, *headers, b"", body]),
    st.sampled_from(LINES[:8]),
    st.lists(st.sampled_from(LINES[8:-5]), max_size=3),
    st.sampled_from([b"", b"{}", b"2\r\n{}\r\n0\r\n\r\n"]),
)


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A plain request of which some bytes were replaced, taken out or put in."""
    data = bytearray(draw(st.sampled_from(PLAIN)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data) - 1))
        data[at : at + draw(st.integers(0, 2))] = draw(
            st.binary(max_size=2) | st.sampled_from([b"\r\n", b"\r", b"\n", b" ", b"\t", b":", b"\0", b"\r\n\r\n"])
        )
    return bytes(data)


MESSAGES = st.sampled_from([*PLAIN, b"\r\n"]) | changed() | HEADS | ANY_LINES | st.binary(max_size=5)
PIECES = st.lists(st.tuples(st.lists(MESSAGES, min_size=1, max_size=2).map(b"".join), st.booleans()), max_size=5)


@st.composite
def cut_anywhere(draw: st.DrawFn) -> list[tuple[bytes, bool]]:
    """Messages as a stream, which arrives in arbitrary pieces."""
    stream = b"".join(draw(st.lists(MESSAGES, max_size=4)))
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    return [(piece, draw(st.booleans())) for piece in pieces if piece]


class TwistedChannel(Channel):
    """A channel that leaves everything to Twisted's parser."""

    is_at_start = False


@define(eq=False)
class RecordingPort:
    """Keeps what it is asked, and responds when the test says so."""

    seen: list[Any] = field(factory=list)
    held: list[Request] = field(factory=list)

    def serve(self, request: Request) -> None:
        """Record a request."""
        body = request.body
        content = body.size if body.oversized or body._refusal else body.content()
        head = request.method, request.path, request.query, dict(request.requestHeaders), request.is_http_1_1
        self.seen.append((*head, request.client_address, content, request.channel.persistent))
        self.held.append(request)

    def not_http(self, address: str | None, data: bytes) -> None:
        """Record what is no request."""
        self.seen.append((address, data))

    def grant_body(self, _request: Request) -> BodyGrant:
        """Any body may be kept."""
        return BodyGrant(Sender.OPERATOR, 100)


class Transport(StringTransport):
    """A transport that may be closed twice, as that of a socket."""

    def unregisterProducer(self) -> None:
        """Forget the producer, if there is one."""
        self.producer = None


@define(eq=False)
class Client:
    """A connection to a port, of which all is kept that can be seen."""

    kind: type[Channel]
    clock: Clock = field(factory=Clock)
    port: RecordingPort = field(factory=RecordingPort)
    transport: Transport = field(factory=Transport)
    channel: Channel = field(init=False)

    def __attrs_post_init__(self) -> None:
        site = HTTPFactory(self.port, Budgets(), self.clock)
        site.common_headers_until = float("inf")
        self.channel = self.kind()
        self.channel.site = self.channel.factory = site
        self.channel.timeOut = 80
        self.channel._timeout = site.idle_timeout
        self.channel.makeConnection(self.transport)

    def send(self, data: bytes) -> None:
        """Send bytes, unless the connection is being closed: then the reactor reads no more."""
        if not (self.transport.disconnecting or self.transport.disconnected):
            self.channel.dataReceived(data)

    def respond(self) -> None:
        """Respond to all requests that are held."""
        while self.port.held:
            held = self.port.held.pop(0)
            if held.channel is not None:
                held.respond(b"{}")

    def close_sending(self) -> None:
        """Close the client's side alone."""
        if not (self.transport.disconnecting or self.transport.disconnected):
            self.channel.readConnectionLost()

    def state(self) -> Sequence[Any]:
        """What can be seen, and which timeouts run."""
        timeouts = [list(each.started.values()) for each in self.channel.site.timeouts]
        return [self.port.seen, self.transport.value(), self.transport.disconnecting, timeouts, self.channel.timeOut]


@settings(max_examples=500, deadline=None)
@given(PIECES | cut_anywhere(), st.booleans())
@example([(b"\r\n", False), (PLAIN[0], True), (b"\r\n", False), (PLAIN[0], False)], False)
def test_any_bytes_are_read_as_by_twisted(pieces: list[tuple[bytes, bool]], is_half_closed: bool) -> None:
    """Whatever arrives, in whatever pieces, whether it is answered before the next, and whether the client closes its
    side then, both ways are the same.
    """
    clients = Client(Channel), Client(TwistedChannel)
    for data, is_answered in pieces:
        for client in clients:
            client.clock.advance(1)
            client.send(data)
            if is_answered:
                client.respond()
        one, other = (client.state() for client in clients)
        assert one == other
    for client in clients:
        if is_half_closed:
            client.close_sending()
        client.respond()
    assert clients[0].state() == clients[1].state()


@pytest.mark.parametrize("data", PLAIN)
def test_plain_requests_are_read_at_once(data: bytes) -> None:
    """What devices and API clients send needs no parser."""
    assert read_whole(data) is not None
    assert read_whole(data[:-1]) is None
    assert read_whole(data + b"G") is None


@pytest.mark.parametrize(
    "line",
    [
        b"Transfer-Encoding: chunked",
        b"Expect: 100-continue",
        b"Content-Encoding: gzip",
        b"Content-Length: 10000",
        b"Host: a",
        b"Accept: \xff",
        b"Accept: a ",
        b"Accept:  a",
        b"Accept: a\x00",
        b" folded",
        b"Cookie: a",
        b"Accept: " + b"x" * 8192,
    ],
)
def test_what_is_not_plain_is_left_to_twisted(line: bytes) -> None:
    """Lengths that are not plain, repeated, folded, uncommon and very long headers are not read here."""
    assert read_whole(b"POST / HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n") is None


def test_headers_are_known_again() -> None:
    """Headers that a client sends with each request are read once, and belong to each of the requests."""
    first, second = (read_whole(request(f"POST /{n}", b"{}", "Accept: known")) for n in range(2))
    assert first is not None
    assert second is not None
    assert first[3] is second[3]
    assert [first[1], second[1]] == [b"/0", b"/1"]
    assert read_whole(request("POST /2", b"{}", "Accept: known") + b" ") is None


@pytest.mark.parametrize(
    "line",
    ["Authorization: Bearer s3cret", "X-Api-Key: s3cret", "Idempotency-Key: s3cret", "X-Forwarded-For: 192.0.2.7"],
)
def test_what_is_of_one_client_is_not_kept(line: str) -> None:
    """Secrets, and what differs from one request to the next, do not stay in memory with the known headers."""
    data = request("GET /push/c", b"", line)
    assert read_whole(data) is not None
    assert not any(line.encode() in lines for lines in whole_requests._known)


def test_known_headers_are_bounded() -> None:
    """However many different headers arrive, few are kept, and no long ones."""
    for number in range(2 * MAX_KNOWN):
        assert read_whole(request("GET /", b"", f"User-Agent: {number}", f"Accept: {'x' * number}x")) is not None
        assert len(whole_requests._known) <= MAX_KNOWN
    assert max(map(len, whole_requests._known)) <= MAX_KNOWN_SIZE
