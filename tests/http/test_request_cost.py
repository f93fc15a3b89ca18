"""Tests of what a request costs: objects, bytes of memory, and store operations."""

import gc
import tracemalloc

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from pushd.store.sqlite.store import MEMORY, SqliteStore
from tests.connection import request
from tests.in_memory_server import CLIENT, BuildServer, InMemoryServer

MAX_BYTES = 3 * 1024
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

    def _write(self, verb: object, *args: object) -> object:  # type: ignore[override]
        self.operations += 1
        return super()._write(verb, *args)  # type: ignore[arg-type]

    def _read(self, verb: object, *args: object) -> object:  # type: ignore[override]
        self.operations += 1
        return super()._read(verb, *args)  # type: ignore[arg-type]


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
    gc.collect()
    gc.disable()
    try:
        for _ in range(50):
            connection.send(request(line, body))
        assert gc.collect() == 0
    finally:
        gc.enable()
    assert {answer.code for answer in connection.answers()} == {200}


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
