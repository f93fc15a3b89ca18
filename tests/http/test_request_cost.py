"""Tests of what a request costs: objects, bytes of memory, and store operations."""

import gc
import tracemalloc
from collections.abc import Sequence

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from pushd.http.site import HTTPFactory
from pushd.model.token import Role
from pushd.store.group_commit import PendingTransaction
from pushd.store.sqlite.store import MEMORY, SqliteStore
from tests.connection import request
from tests.garbage import no_garbage
from tests.in_memory_server import CLIENT, BuildServer, InMemoryServer

MAX_BYTES = 1536
"""The memory that a held poll may use, with its connection but without the transport."""

HELD = 300

HOT = [
    "GET /push/c",
    "GET /push?deviceId=7&uuid=a",
    "POST /push/c/ack/m",
    "POST /push/c/result/m",
    "POST /result?deviceId=7&uuid=a",
]


class CountingStore(SqliteStore):
    """A store that counts its operations."""

    operations = 0

    def _deliver(self, group: Sequence[PendingTransaction]) -> None:
        self.operations += len(group)
        super()._deliver(group)


@pytest.fixture
def server_without_holds(build_server: BuildServer) -> InMemoryServer:
    """A server that answers idle polls at once, and knows two devices."""
    server = build_server(CountingStore(MEMORY), holds={"servereye": 0.0, "controlid": 0.0})
    for line in HOT[:2]:
        server.device_request(request(line))
    return server


@pytest.mark.parametrize("line", HOT)
def test_request_leaves_no_garbage(server_without_holds: InMemoryServer, line: str) -> None:
    """Polls, acknowledgements and results leave no reference cycles for the garbage collector."""
    body = b'{"success":true,"response":"x"}' if line.startswith("POST") else b""
    connection = server_without_holds.connect()
    connection.send(request(line, body))
    with no_garbage():
        for _ in range(50):
            connection.send(request(line, body))
    assert {answer.code for answer in connection.answers()} == {200}


def connect(site: HTTPFactory, sent: bytes) -> None:
    """A connection over which some bytes are sent, and which then is lost."""
    address = IPv4Address("TCP", CLIENT, 40000)
    transport = StringTransport(peerAddress=address)
    channel = site.buildProtocol(address)
    channel.makeConnection(transport)
    channel.dataReceived(sent)
    channel.connectionLost(Failure(ConnectionDone()))
    transport.producer = None  # as the transport of a socket does


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /push?dev",
        request("GET /push?deviceId=7"),
        request("POST /result?deviceId=7", b"x" * 100)[:-1],
        request("POST /result?deviceId=7", b"", "Transfer-Encoding: chunked") + b"5\r\nabc",
        b"\x16\x03\x01 \r\n\r\n",
    ],
    ids=["half of a head", "held poll", "half of a body", "half of a chunk", "no HTTP"],
)
def test_lost_connection_leaves_no_garbage(server: InMemoryServer, sent: bytes) -> None:
    """A connection that is lost, whatever it was used for, leaves no reference cycles for the garbage collector."""
    connect(server.device_site, sent)
    with no_garbage():
        connect(server.device_site, sent)


def test_event_stream_leaves_no_garbage(server: InMemoryServer) -> None:
    """An event stream whose client disconnects leaves no reference cycles for the garbage collector."""
    server.register("controlid:7")
    sent = request("GET /v1/events/stream?after=0", b"", f"Authorization: Bearer {server.token_of(Role.ADMIN)}")
    connect(server.admin_site, sent)
    with no_garbage():
        connect(server.admin_site, sent)


@pytest.mark.parametrize("line", HOT[:2])
def test_idle_poll_needs_no_store_operation(server_without_holds: InMemoryServer, line: str) -> None:
    """Idle polls of a known device cause no store operation."""
    store = server_without_holds.store
    assert isinstance(store, CountingStore)
    connection = server_without_holds.connect()
    before = store.operations
    for _ in range(50):
        connection.send(request(line))
    assert store.operations == before
    assert len(connection.answers()) == 50


@pytest.mark.parametrize("line", ["GET /push/c{}", "GET /push?deviceId={}&uuid=a"])
def test_held_poll_is_small(server: InMemoryServer, line: str) -> None:
    """A held poll uses so little memory that ten thousand fit into a small machine."""
    polls = [request(line.format(number), b"", "User-Agent: a device", "Accept: */*") for number in range(HELD)]
    for poll in polls:  # what is kept for each device is not counted
        server.device_request(poll).hang_up()
    address = IPv4Address("TCP", CLIENT, 40000)
    transports = [StringTransport(peerAddress=address) for _ in polls]
    channels = []
    gc.collect()
    tracemalloc.start()
    try:
        for transport, poll in zip(transports, polls, strict=True):
            channel = server.device_site.buildProtocol(address)
            channel.makeConnection(transport)
            channel.dataReceived(poll)
            channels.append(channel)
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(server.core.poll_registry) == HELD
    assert taken / HELD <= MAX_BYTES
    for channel in channels:
        channel.connectionLost(Failure(ConnectionDone()))
