"""Tests of :mod:`pushd.http.site`: HTTP/1.1 connections, byte by byte."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.logger import capturedLogs

from tests.connection import request
from tests.in_memory_server import InMemoryServer

POLL = request("GET /push?deviceId=7")
SIGN_OFF = request("GET /push/c/signoff")


def test_bytes_of_an_idle_response(server: InMemoryServer) -> None:
    """The response to an idle poll has an empty body with its length, is not chunked, and must not be cached."""
    connection = server.device_request(b"GET /push?deviceId=4408801109440198 HTTP/1.1\r\nHost: 10.1.1.5:8080\r\n\r\n")
    server.clock.advance(10)
    head, _, body = connection.transport.value().partition(b"\r\n\r\n")
    status, *headers = head.split(b"\r\n")
    assert status == b"HTTP/1.1 200 OK"
    assert sorted(header for header in headers if not header.startswith(b"Date: ")) == [
        b"Cache-Control: no-store",
        b"Content-Length: 0",
        b"Server: pushd",
    ]
    assert body == b""


def test_connection_is_kept(server: InMemoryServer) -> None:
    """A device can send its next poll on the same connection."""
    connection = server.device_request(POLL)
    server.clock.advance(10)
    assert connection.answer().code == 200
    connection.send(POLL)
    server.clock.advance(10)
    assert connection.answer().code == 200
    assert not connection.closed_by_server


@pytest.mark.parametrize(
    "data",
    [
        b"GET /push?deviceId=7 HTTP/1.0\r\n\r\n",
        b"GET /push?deviceId=7 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"GET /push?deviceId=7 HTTP/1.1\r\nHost: a\r\nConnection: TE, Close\r\n\r\n",
        b"GET /push?deviceId=7 HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nConnection: close\r\n\r\n",
    ],
)
def test_connection_close(server: InMemoryServer, data: bytes) -> None:
    """If the client does not keep connections, the server closes it after the response."""
    connection = server.device_request(data)
    server.clock.advance(10)
    assert connection.answer().code == 200
    assert connection.closed_by_server


def test_pipelined_requests_are_answered_in_order(server: InMemoryServer) -> None:
    """Pipelined requests are answered in order: the first, a held poll, delays the second."""
    connection = server.device_request(POLL + SIGN_OFF)
    assert connection.answers() == []
    server.clock.advance(10)
    assert [answer.body for answer in connection.answers()] == [b"", b'{"success":true,"message":"signed off"}']


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 40), max_size=10))
def test_request_may_arrive_in_pieces(server: InMemoryServer, cuts: list[int]) -> None:
    """A request may arrive in pieces of any size."""
    data = request("POST /push/c/result/m", b'{"success":true}', "Content-Type: application/json")
    connection = server.connect()
    for cut in cuts:
        connection.send(data[:cut])
        data = data[cut:]
    connection.send(data)
    assert connection.answer().json == {"success": True, "message": "result taken"}
    connection.hang_up()


def test_chunked_body(server: InMemoryServer) -> None:
    """A client may send its body in chunks, without a Content-Length."""
    head = request("POST /push/c/result/m", b"", "Transfer-Encoding: chunked")
    connection = server.device_request(head + b'9\r\n{"success\r\n7\r\n":true}\r\n0\r\n\r\n')
    assert connection.answer().code == 200


def test_expect_100_continue(server: InMemoryServer) -> None:
    """A client that sends ``Expect: 100-continue`` gets a 100 before its body, and then the response."""
    data = request("POST /push/c/result/m", b'{"success":true}', "Expect: 100-continue")
    head, _, body = data.partition(b"\r\n\r\n")
    connection = server.device_request(head + b"\r\n\r\n")
    assert connection.answer().code == 100
    connection.send(body)
    assert connection.answer().code == 200


BAD_HEADERS = [
    b"Content-Length: " + b"9" * 5000,
    b"Content-Length: 1_0",
    b"Content-Length: 2\r\nContent-Length: 2",
    b"Content-Length: 2\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: identity, chunked",
    b"Transfer-Encoding: gzip",
    b"no colon",
    b"a space: b",
    b"X: \0",
]


@pytest.mark.parametrize("headers", BAD_HEADERS)
def test_bad_headers(server: InMemoryServer, headers: bytes) -> None:
    """Headers that are no HTTP, or leave the end of the body in doubt, are a 400, and the connection is closed."""
    with capturedLogs() as logged:
        connection = server.device_request(
            b"POST /push/c/signoff HTTP/1.1\r\nHost: a\r\n" + headers + b"\r\n\r\n{}" + SIGN_OFF
        )
        assert connection.answer().code == 400
    assert connection.closed_by_server
    assert logged == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET",
        b"GET /push?deviceId=7 HTTP/1.1\r\n",
        b"GET /push?deviceId=7 HTTP/1.1\r\nHost: a",
        b"POST /result?deviceId=7 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{",
        POLL,
        POLL + b"GET /pu",
        POLL + POLL,
    ],
)
def test_client_that_disconnects(server: InMemoryServer, data: bytes) -> None:
    """A client may disconnect at any point: no poll, no body, no timer and no log line is left of it."""
    server.device_request(data).hang_up()
    assert len(server.core.poll_registry) == 0
    assert server.clock.getDelayedCalls() == []


@pytest.mark.parametrize("host", [b"a..b", b"x" * 70, b"\xff", b"[::1", b"", b"10.1.1.5:99999", b"a b"])
def test_any_host(server: InMemoryServer, host: bytes) -> None:
    """A device is served whatever its Host header is."""
    connection = server.device_request(b"GET /push?deviceId=7 HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
    server.clock.advance(10)
    assert connection.answer().code == 200


def test_request_without_host(server: InMemoryServer) -> None:
    """A device is served without a Host header."""
    connection = server.device_request(b"GET /push?deviceId=7 HTTP/1.1\r\n\r\n")
    server.clock.advance(10)
    assert connection.answer().code == 200


@pytest.mark.parametrize("line", ["GET *", "GET /%ff", "GET /push/%ff", "BREW /push/c", "GET push/c", "OPTIONS *"])
def test_no_response_may_be_cached(server: InMemoryServer, line: str) -> None:
    """Every response forbids caching, also an error response to an invalid request."""
    assert server.device_request(request(line)).answer().headers["cache-control"] == "no-store"


def test_idle_connection_is_closed(server: InMemoryServer) -> None:
    """A connection without request and response for a minute is closed."""
    idle, poll = server.connect(), server.device_request(request("GET /push/c"))
    server.clock.advance(45)
    assert poll.answer().code == 200
    server.clock.advance(16)
    assert idle.closed_by_server
    assert not poll.closed_by_server


def test_only_http_1(server: InMemoryServer) -> None:
    """Over TLS only HTTP/1.1 is offered, whatever is installed: no other protocol is negotiated."""
    for site in (server.device_site, server.admin_site):
        assert IProtocolNegotiationFactory(site).acceptableProtocols() == [b"http/1.1"]


def test_connections_are_closed_during_shutdown(server: InMemoryServer) -> None:
    """While the server shuts down, each connection is closed after its response: its device must reconnect."""
    server.register("servereye:c")
    poll = server.device_request(request("GET /push/c"))
    server.device_site.closing = True
    server.core.drain()
    assert poll.answer().code == 200
    assert poll.closed_by_server
