"""Tests of :mod:`pushd.http.connections`: idle timeouts, reconnect storms, and responses that leave together."""

import socket
from collections.abc import Callable
from typing import BinaryIO, cast

import pytest
from attrs import define, field
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import Clock
from twisted.internet.tcp import Connection as TCPConnection
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from zope.interface import implementer

from pushd.http.connections import READS_PER_TURN, REPLACEABLE_SECONDS, AcceptThrottle, ConnectionTimeout
from tests.connection import Connection, request
from tests.in_memory_server import InMemoryServer

TIMEOUT = 10

SIGN_OFF = request("GET /push/c/signoff")
POLL = request("GET /push?deviceId=7")
LAST = request("GET /push?deviceId=7", b"", "Connection: close")


@define(eq=False)
class TimedConnection:
    """A connection that records when it was closed for being idle."""

    clock: Clock
    closed: list[float] = field(factory=list)

    def on_timeout(self, since: float) -> None:
        """Record it."""
        assert since == self.clock.seconds() - TIMEOUT
        self.closed.append(self.clock.seconds())


steps = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 3), st.sampled_from(["start", "stop", "forget"])), max_size=40
)


@given(steps)
def test_idle_connections_are_closed(steps: list[tuple[int, int, str]]) -> None:
    """Whatever connections do, each is closed when it has been idle for the timeout: not before, and not twice."""
    clock = Clock()
    idle_timeout = ConnectionTimeout(clock, TIMEOUT, TimedConnection.on_timeout)
    connections = [TimedConnection(clock) for _ in range(4)]
    since: dict[int, float] = {}
    closed: dict[int, list[float]] = {number: [] for number in range(4)}

    def pass_to(moment: float) -> None:
        for number, started in sorted(since.items()):
            if started + TIMEOUT <= moment:
                closed[number].append(started + TIMEOUT)
                del since[number]

    for wait, number, step in steps:
        clock.pump([1] * wait)
        pass_to(clock.seconds())
        if step == "start":
            idle_timeout.start(connections[number])
            since[number] = clock.seconds()
        else:
            if step == "stop":
                idle_timeout.started.pop(connections[number], None)
            else:
                idle_timeout.forget(connections[number])
            since.pop(number, None)
    clock.pump([1] * (TIMEOUT + 1))
    pass_to(clock.seconds())
    assert [connection.closed for connection in connections] == [closed[number] for number in range(4)]
    assert clock.getDelayedCalls() == []


@define(eq=False)
class Turns:
    """A clock whose reactor turns one turn at a time."""

    due: list[Callable[[], object]] = field(factory=list)

    def callLater(self, delay: float, call: Callable[[], object]) -> None:
        """Call something in the next turn."""
        assert delay == 0
        self.due.append(call)

    def turn(self) -> None:
        """One turn."""
        due, self.due = self.due, []
        for call in due:
            call()


@implementer(IPushProducer)
@define(eq=False)
class Transport:
    """A new connection's transport, which records whether it is being read."""

    is_read: bool = True

    def pauseProducing(self) -> None:
        """Record it."""
        self.is_read = False

    def resumeProducing(self) -> None:
        """Record it."""
        assert not self.is_read
        self.is_read = True

    def stopProducing(self) -> None:
        """Never called."""
        raise AssertionError


@given(st.lists(st.integers(0, 3 * READS_PER_TURN), max_size=6))
def test_new_connections_are_read_in_slices(arrivals: list[int]) -> None:
    """However many connect in each turn, only a slice of them is first read in it, and all in their order."""
    turns = Turns()
    accept_throttle = AcceptThrottle(cast(IReactorTime, turns))
    transports: list[Transport] = []
    read = 0

    def check() -> None:
        nonlocal read
        now = sum(transport.is_read for transport in transports)
        assert now - read <= READS_PER_TURN
        assert all(transport.is_read for transport in transports[:now])
        read = now

    for count in arrivals:
        turns.turn()
        for _ in range(count):
            transports.append(Transport())
            accept_throttle.add(transports[-1])
        check()
    while turns.due:
        turns.turn()
        check()
    assert read == sum(arrivals)


def test_reconnect_storm_is_served(server: InMemoryServer) -> None:
    """Devices that all reconnect at once are all served, also those that are read only in the next turn."""
    ends = [connect(server) for _ in range(READS_PER_TURN + 10)]
    assert [socket.producerState for _, socket in ends].count("paused") == 10
    server.clock.advance(0)
    assert {socket.producerState for _, socket in ends} == {"producing"}
    for connection, _ in ends:
        connection.send(SIGN_OFF)
    server.clock.advance(0)
    assert {connection.answer().code for connection, _ in ends} == {200}


class Socket(StringTransport, FileDescriptor):  # type: ignore[misc]  # the attributes of both are the former's
    """A transport whose socket accepts ``takes`` bytes at once; with None it is broken."""

    def __init__(self, takes: int | None) -> None:
        FileDescriptor.__init__(self, MemoryReactorClock())
        StringTransport.__init__(self)
        self.socket = self
        self.takes = takes
        self.taken: list[bytes] = []
        """What was written directly to the socket, not through the reactor."""
        self.end: Connection | None = None
        self.is_aborting = False

    def abortConnection(self) -> None:
        """Have the reactor close the connection."""
        self.is_aborting = self.disconnecting = True

    def connectionLost(self, reason: Failure) -> None:
        self.disconnecting = True
        if self.end is not None:
            self.end.hang_up()

    def send(self, data: bytes) -> int:
        """Take what fits."""
        if self.takes is None:
            raise BrokenPipeError
        if not self.takes:
            raise BlockingIOError
        sent = data[: self.takes]
        self.taken.append(sent)
        self.write(sent)
        return len(sent)


def connect(server: InMemoryServer, takes: int | None = 1 << 20) -> tuple[Connection, Socket]:
    """A connection over such a socket, and the socket."""
    socket = Socket(takes)
    socket.end = connection = server.connect(transport=socket)
    if socket.disconnecting:
        connection.hang_up()
    return connection, socket


def test_responses_of_a_turn_are_sent_at_its_end(server: InMemoryServer) -> None:
    """The responses of one turn of the reactor are sent together at its end; none waits for another turn."""
    ends = [connect(server), connect(server)]
    for connection, _ in ends:
        connection.send(SIGN_OFF)
    assert [socket.value() for _, socket in ends] == [b"", b""]
    server.clock.advance(0)
    assert [connection.answer().code for connection, _ in ends] == [200, 200]


@pytest.mark.parametrize("takes", [0, 1, 50, 1 << 20])
def test_slow_reader_gets_everything(server: InMemoryServer, takes: int) -> None:
    """However few bytes a client's socket accepts at once, it gets the whole response, and all that follow."""
    connection, _ = connect(server, takes)
    for _ in range(3):
        connection.send(SIGN_OFF)
        server.clock.advance(0)
        assert connection.answer().json == {"success": True, "message": "signed off"}


def test_broken_connection_is_left_to_the_reactor(server: InMemoryServer) -> None:
    """A response to a broken connection goes to the reactor, which finds the error and closes the connection."""
    connection, socket = connect(server, None)
    connection.send(SIGN_OFF)
    server.clock.advance(0)
    assert socket.value().startswith(b"HTTP/1.1 200 OK")


def test_client_that_disconnects_in_the_same_turn(server: InMemoryServer) -> None:
    """A client that disconnects between its response and the end of the turn is sent nothing."""
    connection, socket = connect(server)
    connection.send(SIGN_OFF)
    connection.hang_up()
    server.clock.advance(0)
    assert socket.taken == []


def test_error_on_one_connection_affects_no_other(
    server: InMemoryServer, monkeypatch: pytest.MonkeyPatch, no_logged_failure: list[Failure]
) -> None:
    """If sending one response fails with an unexpected error, the responses after it are sent."""
    (broken, socket), (intact, _) = connect(server), connect(server)
    monkeypatch.setattr(socket, "send", lambda data: 1 / 0)
    for connection in (broken, intact):
        connection.send(SIGN_OFF)
    server.clock.advance(0)
    assert intact.answer().code == 200
    assert [failure.type for failure in no_logged_failure] == [ZeroDivisionError]
    no_logged_failure.clear()


def test_tls_behind_a_request(server: InMemoryServer, no_logged_failure: list[Failure]) -> None:
    """What is no HTTP behind a request that is answered at once is a 400, even if it looks like TLS."""
    connection, _ = connect(server)
    connection.send(request("POST /push/c/signoff", b"{}") + b"\x16\x03\x01\x02\0\r\nHost: a\r\n\r\n")
    server.clock.advance(10)
    assert [answer.code for answer in connection.answers()] == [200, 400]
    assert connection.closed_by_server
    assert no_logged_failure == []


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\0\x01", POLL + b"x" * 20_000], ids=["TLS", "too much"])
def test_connection_is_not_closed_while_it_is_read(server: InMemoryServer, data: bytes) -> None:
    """What a client sends may end its connection, but the reactor closes it: it may be about to write to it."""
    connection, socket = connect(server)
    server.clock.advance(0)
    connection.protocol.dataReceived(data)
    assert socket.is_aborting


@pytest.mark.parametrize("cut", [None, len(SIGN_OFF), len(SIGN_OFF) + 5])
@pytest.mark.parametrize("second", [SIGN_OFF, LAST, b"GET\r\n\r\n", b"x" * 20000, b"GET /v1/unknown HTTP/1.1\r\n\r\n"])
def test_responses_are_sent_in_order(server: InMemoryServer, second: bytes, cut: int | None) -> None:
    """Whatever follows a request in the same turn, its own response is sent first."""
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


class PipelinedClient:
    """A client over a real TCP connection, whose server end has Twisted's own buffers."""

    def __init__(self, server: InMemoryServer) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.far = socket.create_connection(listener.getsockname(), timeout=10)
            near, _ = listener.accept()
        near.setblocking(False)
        self._clock = server.clock
        self._reactor = MemoryReactorClock()
        self._channel = server.device_site.buildProtocol(None)
        self._end = ServerEnd(near, self._channel, self._reactor)
        self._end.connected = True
        self._channel.makeConnection(self._end)

    def send(self, data: bytes) -> None:
        """Have the server receive some bytes in one turn of its reactor."""
        if self._end.connected and not self._end.disconnecting:
            self._channel.dataReceived(data)
        self.turn()

    def turn(self, seconds: float = 0) -> None:
        """One turn of the reactor: its timers, then the sockets that may be written to."""
        self._clock.advance(seconds)
        for writer in list(self._reactor.writers):
            if self._end.doWrite() is not None:
                writer.connectionLost(Failure(ConnectionDone()))

    def bodies(self, count: int) -> list[bytes]:
        """The status codes and bodies of that many responses, and what came after them."""
        with self.far, self.far.makefile("rb") as file:
            found = [_read_response(file) for _ in range(count)]
            self._end.connectionLost(Failure(ConnectionDone()))
            return [*found, file.read()]


class ServerEnd(TCPConnection):
    """The server's end of a TCP connection, from whose socket the reactor never reads by itself."""

    def startReading(self) -> None:
        pass


def _read_response(file: BinaryIO) -> bytes:
    status, length = file.readline().split(b" ")[1], 0
    while header := file.readline().rstrip():
        name, _, value = header.partition(b": ")
        if name == b"Content-Length":
            length = int(value)
    return b" ".join((status, file.read(length)))


ANSWERED = {
    request("GET /push/c/signoff"): [b'200 {"success":true,"message":"signed off"}'],
    request("GET /nothing"): [b"404 "],
    request("POST /push/c/ack/m", b"{}"): [b'200 {"success":true,"message":"acknowledged"}'],
    request("POST /push/c/result/m", b'{"success":true}'): [b'200 {"success":true,"message":"result taken"}'],
    request("POST /push/c/signoff", b"{}", "Expect: 100-continue"): [
        b"100 ",
        b'200 {"success":true,"message":"signed off"}',
    ],
    POLL: [b"200 "],
}
"""Requests and their responses: at once, in parts, and after a hold."""

CLOSES = request("GET /push/c/signoff", b"", "Connection: close")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.sampled_from(list(ANSWERED)), min_size=1, max_size=8), st.booleans(), st.lists(st.integers(1, 400)))
def test_pipelined_responses_are_in_order(
    server: InMemoryServer, requests: list[bytes], closes: bool, cuts: list[int]
) -> None:
    """Whatever requests are pipelined, and in whatever pieces they arrive, their responses come whole and in order."""
    expected = [response for sent in requests for response in ANSWERED[sent]]
    data = b"".join(requests)
    if closes:
        data += CLOSES
        expected += ANSWERED[request("GET /push/c/signoff")]
    client = PipelinedClient(server)
    for cut in [*cuts, len(data)]:
        client.send(data[:cut])
        data = data[cut:]
    for _ in range(requests.count(POLL)):
        client.turn(10)
    client.turn()
    assert client.bodies(len(expected)) == [*expected, b""]


@pytest.mark.parametrize("takes", [0, 50, 1 << 20])
def test_connection_is_closed_after_its_last_response(server: InMemoryServer, takes: int) -> None:
    """The connection is closed, but not before the whole response is sent."""
    connection, _ = connect(server, takes)
    connection.send(LAST)
    server.clock.advance(10)
    assert connection.answer().code == 200
    assert connection.closed_by_server


def test_closing_a_connection_sends_its_response_first(server: InMemoryServer) -> None:
    """A connection that the server closes between a response and the end of the turn is closed after the response."""
    connection, _ = connect(server)
    connection.send(SIGN_OFF)
    connection.protocol.loseConnection()  # type: ignore[attr-defined]
    assert not connection.closed_by_server
    server.clock.advance(0)
    assert connection.answer().code == 200
    assert connection.closed_by_server


def test_connection_beyond_the_limit_is_closed(server: InMemoryServer) -> None:
    """A connection beyond the limit of its port is closed at once, as long as all others are in use."""
    server.device_site.connections.limit = 2
    polls = [connect(server)[0], connect(server)[0]]
    for connection in polls:
        connection.send(POLL)
    with capturedLogs() as logged:
        for _ in range(3):
            _, socket = connect(server)
            assert socket.disconnecting
    (event,) = logged
    assert formatEvent(event).startswith(
        "Too many connections for the limit of open files; open: 2, closed at once: 1;"
    )
    polls.pop().hang_up()
    connection, socket = connect(server)
    assert not socket.disconnecting
    connection.send(SIGN_OFF)
    server.clock.advance(0)
    assert connection.answer().code == 200


def test_new_connection_replaces_an_idle_one(server: InMemoryServer) -> None:
    """At the limit, the connection that has been idle for the longest time is closed for a new one, no poll is."""
    server.device_site.connections.limit = 3
    (poll, held), (_, first), (_, second) = connect(server), connect(server), connect(server)
    poll.send(request("GET /push/c"))
    server.clock.advance(REPLACEABLE_SECONDS)
    _, third = connect(server)
    assert [end.disconnecting for end in (held, first, second, third)] == [False, True, False, False]
    _, fourth = connect(server)
    _, fifth = connect(server)
    assert [end.disconnecting for end in (held, second, third, fourth, fifth)] == [False, True, False, False, True]
    server.clock.advance(0)


def test_limit_of_all_ports(server: InMemoryServer) -> None:
    """Connections of the admin port count too, and may use what is not for the device port."""
    everywhere = server.device_site.connections.all_ports
    assert server.admin_site.connections.all_ports is everywhere
    everywhere.limit, server.device_site.connections.limit = 3, 2
    calls = [server.begin("GET /v1/events?wait=20") for _ in range(2)]
    assert not connect(server)[1].disconnecting
    assert connect(server)[1].disconnecting
    for call in calls:
        call.hang_up()
    assert not connect(server)[1].disconnecting
    server.clock.advance(0)
