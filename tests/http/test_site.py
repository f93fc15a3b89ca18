"""Tests of :mod:`pushd.http.site`: the manners of a connection, over bytes."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.interfaces import IProtocolNegotiationFactory

from tests.connection import request
from tests.in_memory_server import InMemoryServer

POLL = request("GET /push?deviceId=7")
SIGN_OFF = request("GET /push/c/signoff")


def test_idle_poll_to_the_letter(server: InMemoryServer) -> None:
    """An idle answer has no body, says so, is not chunked, and no cache may keep it."""
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
    """A device polls again on the connection on which it was answered."""
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
def test_connection_is_closed_after_its_last_answer(server: InMemoryServer, data: bytes) -> None:
    """A client that keeps no connections is answered, and let go."""
    connection = server.device_request(data)
    server.clock.advance(10)
    assert connection.answer().code == 200
    assert connection.closed_by_server


def test_pipelined_requests_are_answered_in_order(server: InMemoryServer) -> None:
    """Requests that arrive together are answered one by one, a held poll first."""
    connection = server.device_request(POLL + SIGN_OFF)
    assert connection.answers() == []
    server.clock.advance(10)
    assert [answer.body for answer in connection.answers()] == [b"", b'{"success":true,"message":"signed off"}']


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 40), max_size=10))
def test_request_may_arrive_in_pieces(server: InMemoryServer, cuts: list[int]) -> None:
    """Wherever the network cuts a request, it is the same request."""
    data = request("POST /push/c/result/m", b'{"success":true}', "Content-Type: application/json")
    connection = server.connect()
    for cut in cuts:
        connection.send(data[:cut])
        data = data[cut:]
    connection.send(data)
    assert connection.answer().json == {"success": True, "message": "result taken"}
    connection.hang_up()


def test_chunked_body(server: InMemoryServer) -> None:
    """A client may send its body in chunks, without saying how long it is."""
    head = request("POST /push/c/result/m", b"", "Transfer-Encoding: chunked")
    connection = server.device_request(head + b'9\r\n{"success\r\n7\r\n":true}\r\n0\r\n\r\n')
    assert connection.answer().code == 200


def test_client_that_asks_before_it_sends(server: InMemoryServer) -> None:
    """A client that asks whether it may send its body is told to go on."""
    data = request("POST /push/c/result/m", b'{"success":true}', "Expect: 100-continue")
    head, _, body = data.partition(b"\r\n\r\n")
    connection = server.device_request(head + b"\r\n\r\n")
    assert connection.answer().code == 100
    connection.send(body)
    assert connection.answer().code == 200


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
def test_client_that_leaves(server: InMemoryServer, data: bytes) -> None:
    """A client that leaves, wherever it was, leaves nothing behind: no poll, no body, no timer, no line in the log."""
    server.device_request(data).hang_up()
    assert len(server.core.poll_registry) == 0
    assert server.clock.getDelayedCalls() == []


@pytest.mark.parametrize("host", [b"a..b", b"x" * 70, b"\xff", b"[::1", b"", b"10.1.1.5:99999", b"a b"])
def test_any_host(server: InMemoryServer, host: bytes) -> None:
    """A device is answered whatever it calls us by."""
    connection = server.device_request(b"GET /push?deviceId=7 HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
    server.clock.advance(10)
    assert connection.answer().code == 200


def test_request_without_host(server: InMemoryServer) -> None:
    """A device that calls us by no name at all is answered."""
    connection = server.device_request(b"GET /push?deviceId=7 HTTP/1.1\r\n\r\n")
    server.clock.advance(10)
    assert connection.answer().code == 200


@pytest.mark.parametrize("line", ["GET *", "GET /%ff", "GET /push/%ff", "BREW /push/c", "GET push/c", "OPTIONS *"])
def test_no_answer_may_be_cached(server: InMemoryServer, line: str) -> None:
    """Every answer says that no cache may keep it, also where a request is none of ours."""
    assert server.device_request(request(line)).answer().headers["cache-control"] == "no-store"


def test_silent_connection_is_closed(server: InMemoryServer) -> None:
    """A connection on which nothing was asked or answered for a minute is closed."""
    silent, poll = server.connect(), server.device_request(request("GET /push/c"))
    server.clock.advance(45)
    assert poll.answer().code == 200
    server.clock.advance(16)
    assert silent.closed_by_server
    assert not poll.closed_by_server


def test_only_http_1(server: InMemoryServer) -> None:
    """Over TLS we speak HTTP/1.1 alone, whatever is installed: no other protocol is ever negotiated."""
    assert not IProtocolNegotiationFactory.providedBy(server.device_site)


def test_connection_ends_with_its_answer_while_we_stop(server: InMemoryServer) -> None:
    """While the server stops, a connection ends with the answer that it waits for: its device must go elsewhere."""
    server.register("servereye:c")
    stays = server.device_request(request("GET /push/c"))
    server.device_site.closing = True
    server.core.drain()
    assert stays.answer().code == 200
    assert stays.closed_by_server
