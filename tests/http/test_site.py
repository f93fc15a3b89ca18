"""Tests of :mod:`pushd.http.site`: HTTP/1.1 connections, byte by byte."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.logger import capturedLogs

from pushd.http.site import IDLE_SECONDS
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


@pytest.mark.parametrize(
    "prefix", ["http://10.1.1.5:8080", "HTTP://pushd.example", "https://[2001:db8::1]:8443", "http://"]
)
def test_target_in_absolute_form(server: InMemoryServer, prefix: str) -> None:
    """A target in absolute form, as a proxy sends it, means the same as its path; on the admin port too."""
    server.register("servereye:c")
    assert server.device_request(request(f"GET {prefix}/push/c/signoff?x=http://y/")).answer().code == 200
    assert server.device_request(request(f"POST {prefix}/push/c/result/m", b'{"success":true}')).answer().code == 200
    assert server.ask(f"GET {prefix}/v1/devices?q=c").json["items"][0]["id"] == "servereye:c"
    assert server.call(request(f"GET {prefix}?x")).answer().headers["content-type"] == "text/html; charset=utf-8"


def test_large_body_for_a_target_in_absolute_form(server: InMemoryServer) -> None:
    """A large body is kept for a target in absolute form as for its path."""
    server.register("controlid:7")
    command = {"payload": {"endpoint": "x", "body": {"a": "b" * 100_000}}}
    assert server.ask("POST http://pushd.example/v1/devices/controlid:7/commands", command).code == 201


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_head_of_health_checks(server: InMemoryServer, path: str) -> None:
    """A load balancer may check the health by HEAD: the response is that to GET, without its body."""
    head, get = server.call(request(f"HEAD {path}")).answer(), server.call(request(f"GET {path}")).answer()
    assert (head.code, head.body) == (get.code, b"")
    assert head.headers["content-length"] == str(len(get.body))
    server.core.drain()
    assert server.call(request(f"HEAD {path}")).answer().code == server.call(request(f"GET {path}")).answer().code


def test_head_of_a_poll(server: InMemoryServer) -> None:
    """A poll by HEAD is not allowed: it would take a command that no device receives."""
    answer = server.device_request(request("HEAD /push/c")).answer()
    assert (answer.code, answer.headers["allow"]) == (405, "GET")


def test_admin_request_without_host(server: InMemoryServer) -> None:
    """The admin port demands a Host in HTTP/1.1, and none in HTTP/1.0, which has no such header."""
    server.call(b"GET /v1/devices HTTP/1.1\r\n\r\n").answer().problem(400)
    assert server.call(b"GET /healthz HTTP/1.0\r\n\r\n").answer().code == 200


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP", "identity, gzip"])
def test_encoded_body(server: InMemoryServer, encoding: str) -> None:
    """A compressed body is a 415 on both ports, in the dialect of the route; an empty one and identity are none."""
    header = f"Content-Encoding: {encoding}"
    for line in ("POST /push/c/result/m", "POST /push/c/ack/m", "POST /result?deviceId=7"):
        assert server.device_request(request(line, b"x", header)).answer().code == 415
    server.ask("POST /v1/devices", {"id": "controlid:7"}, header).problem(415)
    large = server.device_request(request("POST /push/c/result/m", b"x" * 100_000, header))
    assert large.answer().json["success"] is False
    assert server.device_request(request("GET /push/c/signoff", b"", header)).answer().code == 200
    plain = request("POST /push/c/result/m", b'{"success":true}', "Content-Encoding: identity")
    assert server.device_request(plain).answer().code == 200


def test_too_much_behind_a_poll(server: InMemoryServer) -> None:
    """A client that sends much behind its poll is disconnected: its end could not be seen otherwise."""
    connection = server.device_request(POLL)
    closed = []
    for _ in range(17):
        connection.send(b"x" * 1000)
        closed.append(connection.closed_by_server)
    assert closed == [False] * 16 + [True]
    connection.hang_up()
    assert len(server.core.poll_registry) == 0


BAD_HEADERS = [
    b"Host: b",
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
    """A connection without request and response for 80 s is closed, later than by load balancers, and not logged."""
    idle, poll = server.connect(), server.device_request(request("GET /push/c"))
    server.clock.advance(45)
    assert poll.answer().code == 200
    server.clock.advance(IDLE_SECONDS - 46)
    states = [idle.closed_by_server]
    with capturedLogs() as logged:
        server.clock.advance(2)
        states.append(idle.closed_by_server)
        idle.hang_up()
    assert (states, logged) == ([False, True], [])
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
