"""Tests of what a request costs, where that can be counted: objects, bytes, queries, commits."""

import gc
import tracemalloc

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from pushd.store.sqlite.store import MEMORY, SqliteStore
from tests.connection import request
from tests.in_memory_server import CLIENT, BuildHouse, InMemoryServer

MOST = 3 * 1024
"""Bytes that a held poll may take, its connection included, but for the transport."""

HELD = 300

HOT = [
    "GET /push/c",
    "GET /push?deviceId=7&uuid=a",
    "POST /push/c/ack/m",
    "POST /push/c/result/m",
    "POST /result?deviceId=7&uuid=a",
]


class CountingStore(SqliteStore):
    """A store that counts what is asked of it."""

    asked = 0

    def _write(self, verb: object, *args: object) -> object:  # type: ignore[override]
        self.asked += 1
        return super()._write(verb, *args)  # type: ignore[arg-type]

    def _read(self, verb: object, *args: object) -> object:  # type: ignore[override]
        self.asked += 1
        return super()._read(verb, *args)  # type: ignore[arg-type]


@pytest.fixture
def house_without_holds(build_house: BuildHouse) -> InMemoryServer:
    """A house that answers idle polls at once, and knows two devices."""
    server = build_house(CountingStore(MEMORY), holds={"servereye": 0.0, "controlid": 0.0})
    for line in HOT[:2]:
        server.device_request(request(line))
    return server


@pytest.mark.parametrize("line", HOT)
def test_a_hot_request_leaves_no_garbage(house_without_holds: InMemoryServer, line: str) -> None:
    """However many polls, acknowledgements and results come, the garbage collector has nothing to do for them."""
    body = b'{"success":true,"response":"x"}' if line.startswith("POST") else b""
    connection = house_without_holds.connect()
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
def test_an_idle_poll_asks_the_database_for_nothing(house_without_holds: InMemoryServer, line: str) -> None:
    """A device that polls for years, and has nothing to do, touches neither disk nor database."""
    store = house_without_holds.store
    assert isinstance(store, CountingStore)
    connection = house_without_holds.connect()
    before = store.asked
    for _ in range(50):
        connection.send(request(line))
    assert store.asked == before
    assert len(connection.answers()) == 50


@pytest.mark.parametrize("line", ["GET /push/c{}", "GET /push?deviceId={}&uuid=a"])
def test_a_held_poll_is_small(server: InMemoryServer, line: str) -> None:
    """Ten thousand devices that wait fit into the memory of a small machine."""
    polls = [request(line.format(number), b"", "User-Agent: a device", "Accept: */*") for number in range(HELD)]
    for poll in polls:  # what is kept of a device for good is not counted
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
    assert taken / HELD <= MOST
    for channel in channels:
        channel.connectionLost(Failure(ConnectionDone()))
