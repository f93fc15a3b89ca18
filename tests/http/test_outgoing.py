"""Tests of :mod:`pushd.http.outgoing`: answers leave at the end of the turn in which they were made, in order and
whole.
"""

import pytest
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionLost
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from tests.connection import Connection, request
from tests.in_memory_server import InMemoryServer

SIGN_OFF = request("GET /push/c/signoff")
LAST = request("GET /push?deviceId=7", b"", "Connection: close")


class Socket(StringTransport, FileDescriptor):  # type: ignore[misc]  # what both have is the former's
    """A transport whose socket takes so many bytes at once, or is broken with None."""

    def __init__(self, takes: int | None) -> None:
        StringTransport.__init__(self)
        self.takes = takes
        self.taken: list[bytes] = []
        """What was written directly, past what the reactor is to send."""

    def connectionLost(self, reason: Failure) -> None:
        self.disconnecting = True

    def writeSomeData(self, data: bytes) -> int | ConnectionLost:
        if self.takes is None:
            return CONNECTION_LOST
        sent = data[: self.takes]
        self.taken.append(sent)
        self.write(sent)
        return len(sent)


def connect(server: InMemoryServer, takes: int | None = 1 << 20) -> tuple[Connection, Socket]:
    """A connection over such a socket."""
    socket = Socket(takes)
    return server.connect(transport=socket), socket


def test_an_answer_leaves_at_the_end_of_its_turn(server: InMemoryServer) -> None:
    """What is made in one turn goes out together, and at once: nobody waits for another turn."""
    one, another = connect(server), connect(server)
    for connection, _ in (one, another):
        connection.send(SIGN_OFF)
    assert [socket.value() for _, socket in (one, another)] == [b"", b""]
    server.clock.advance(0)
    assert [connection.answer().code for connection, _ in (one, another)] == [200, 200]


@pytest.mark.parametrize("takes", [0, 1, 50, 1 << 20])
def test_what_a_socket_does_not_take_is_left_to_the_reactor(server: InMemoryServer, takes: int) -> None:
    """However little of an answer a client takes, it gets all of it, and all that follows."""
    connection, _ = connect(server, takes)
    for _ in range(3):
        connection.send(SIGN_OFF)
        server.clock.advance(0)
        assert connection.answer().json == {"success": True, "message": "signed off"}


def test_a_connection_that_broke_is_left_to_the_reactor(server: InMemoryServer) -> None:
    """The reactor finds out what is wrong, and ends it."""
    connection, socket = connect(server, None)
    connection.send(SIGN_OFF)
    server.clock.advance(0)
    assert socket.value().startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_leaves_in_the_same_turn_is_sent_nothing(server: InMemoryServer) -> None:
    """Between an answer and the end of its turn a client may be gone."""
    connection, socket = connect(server)
    connection.send(SIGN_OFF)
    connection.hang_up()
    server.clock.advance(0)
    assert socket.taken == []


def test_a_fault_with_one_answer_is_none_of_the_others(
    server: InMemoryServer, monkeypatch: pytest.MonkeyPatch, no_logged_failure: list[Failure]
) -> None:
    """Whatever goes wrong with a connection, those behind it are answered."""
    (broken, socket), (fine, _) = connect(server), connect(server)
    monkeypatch.setattr(socket, "writeSomeData", lambda data: 1 / 0)
    for connection in (broken, fine):
        connection.send(SIGN_OFF)
    server.clock.advance(0)
    assert fine.answer().code == 200
    assert [failure.type for failure in no_logged_failure] == [ZeroDivisionError]
    no_logged_failure.clear()


@pytest.mark.parametrize("cut", [None, len(SIGN_OFF), len(SIGN_OFF) + 5])
@pytest.mark.parametrize("second", [SIGN_OFF, LAST, b"GET\r\n\r\n", b"x" * 20000, b"GET /v1/unknown HTTP/1.1\r\n\r\n"])
def test_answers_leave_in_order(server: InMemoryServer, second: bytes, cut: int | None) -> None:
    """Whatever follows a request in the same turn, its own answer is the first."""
    connection, socket = connect(server)
    data = SIGN_OFF + second
    for piece in (data,) if cut is None else (data[:cut], data[cut:]):
        if not connection.closed_by_server:
            connection.protocol.dataReceived(piece)
    server.clock.advance(10)
    first, *rest = socket.value().split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"200 OK")
    assert first.endswith(b'{"success":true,"message":"signed off"}')
    assert len(rest) == (0 if second.startswith(b"x") else 1)


@pytest.mark.parametrize("takes", [0, 50, 1 << 20])
def test_a_connection_ends_with_its_last_answer(server: InMemoryServer, takes: int) -> None:
    """It is closed, but not before all is sent."""
    connection, _ = connect(server, takes)
    connection.send(LAST)
    server.clock.advance(10)
    assert connection.answer().code == 200
    assert connection.closed_by_server


def test_a_connection_that_is_closed_sends_what_it_has(server: InMemoryServer) -> None:
    """Whoever closes a connection between an answer and the end of its turn closes it after that."""
    connection, _ = connect(server)
    connection.send(SIGN_OFF)
    connection.protocol.loseConnection()  # type: ignore[attr-defined]
    assert not connection.closed_by_server
    server.clock.advance(0)
    assert connection.answer().code == 200
    assert connection.closed_by_server
