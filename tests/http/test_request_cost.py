"""Tests of what a request costs: objects, bytes of memory, store operations and calls."""

import gc
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from pushd.http.site import HTTPFactory
from pushd.model.token import Role
from pushd.store.group_commit import Deliver, Executor, IConnection, InlineExecutor, PendingTransaction
from pushd.store.sqlite.connection import SqliteConnection
from pushd.store.sqlite.store import MEMORY, SqliteStore
from tests.calls import count_calls
from tests.connection import Connection, request
from tests.garbage import no_garbage
from tests.in_memory_server import CLIENT, BuildServer, InMemoryServer
from tests.store.clock import StoreClock

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
    server = build_server(CountingStore(MEMORY, now=StoreClock()), holds={"servereye": 0.0, "controlid": 0.0})
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


@define(eq=False)
class Cycle:
    """The durable cycle of one container: each request over a connection that is open already."""

    server: InMemoryServer
    device: Connection
    operator: Connection
    container: str = "c"
    command: str = ""

    def poll(self) -> None:
        """The container polls."""
        self.device.send(request(f"GET /push/{self.container}"))

    def put(self) -> None:
        """An operator sends a command, which the held poll gets."""
        authorization = f"Authorization: Bearer {self.server.token_of(Role.ADMIN)}"
        body = b'{"payload":{"control":"REFRESH_AGENT","data":{"agent":3}},"lease":3600}'
        self.operator.send(request(f"POST /v1/devices/servereye:{self.container}/commands", body, authorization))
        self.server.clock.advance(0)

    def acknowledge(self) -> None:
        """The container acknowledges the command."""
        self.device.send(request(f"POST /push/{self.container}/ack/{self.command}"))

    def report(self) -> None:
        """The container reports the result."""
        body = b'{"success":true,"message":"done","data":""}'
        self.device.send(request(f"POST /push/{self.container}/result/{self.command}", body))

    def run(self) -> dict[str, int]:
        """Run the cycle; the calls of each request."""
        calls = {"poll": count_calls(self.poll), "put": count_calls(self.put)}
        self.begin()
        calls["acknowledge"] = count_calls(self.acknowledge)
        calls["report"] = count_calls(self.report)
        self.end()
        return calls

    def begin(self) -> None:
        """The operator and the container have got the command."""
        assert self.operator.answer().code == 201
        self.command = self.device.answer().json["data"]["messageId"]

    def end(self) -> None:
        """The responses say that the acknowledgement and the result were taken."""
        assert [answer.json["success"] for answer in self.device.answers()] == [True, True]


MAX_CALLS = {"poll": 43, "put": 332, "acknowledge": 102, "report": 147}
"""Calls of functions of the server for each request, each with a transaction of its own: a tenth more than at last."""


def test_a_durable_cycle_makes_few_calls(server: InMemoryServer) -> None:
    """The time of a request is mostly that of Python: a regression is seen here, on any machine."""
    server.register("servereye:c")
    cycle = Cycle(server, server.connect(), server.call(b""))
    cycle.run()
    calls = cycle.run()
    assert {name: count for name, count in calls.items() if count > MAX_CALLS[name]} == {}


@define(eq=False)
class GroupingExecutor(InlineExecutor):
    """Runs what is submitted as one group when the test says so, as a server does with what arrives in one turn."""

    connection: IConnection
    deliver: Deliver
    groups_by_hand: bool = field(default=False, init=False)
    waiting: list[PendingTransaction] = field(factory=list, init=False)

    def submit(self, operation: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """Have it wait for the next group."""
        if not self.groups_by_hand:
            return super().submit(operation, *args)
        self.waiting.append(PendingTransaction(operation, args))
        return self.waiting[-1].done

    def run(self) -> None:
        """Run all that waits, and what is submitted because of it."""
        while self.waiting:
            group, self.waiting = self.waiting, []
            self.deliver(self.connection.run(group))


@define(eq=False)
class GroupingStore(SqliteStore):
    """SQLite in memory behind such an executor."""

    executor: GroupingExecutor = field(init=False)

    def _executor(self, connection: SqliteConnection, kind: object, name: str) -> Executor:
        self.executor = GroupingExecutor(connection, self._deliver)
        return self.executor


MANY = 50

OWN_CALLS = 16
"""Calls of each cycle by which the server of the test keeps its events."""

MAX_CALLS_AMONG_MANY = 470
"""Calls of a whole cycle whose operations share their transactions with others: a twentieth more than at last.
"""


def test_a_cycle_among_many_makes_fewer_calls(build_server: BuildServer) -> None:
    """Cycles that run at the same time share what a transaction costs."""
    store = GroupingStore(MEMORY, now=StoreClock())
    server = build_server(store)
    cycles = []
    for number in range(MANY):
        server.register(f"servereye:c{number}")
        cycles.append(Cycle(server, server.connect(), server.call(b""), f"c{number}"))
    for cycle in cycles:
        cycle.run()
    store.executor.groups_by_hand = True

    def each(step: Callable[[Cycle], None]) -> None:
        for cycle in cycles:
            step(cycle)
        store.executor.run()

    calls = count_calls(lambda: each(Cycle.poll)) + count_calls(lambda: each(Cycle.put))
    for cycle in cycles:
        cycle.begin()
    calls += count_calls(lambda: each(Cycle.acknowledge)) + count_calls(lambda: each(Cycle.report))
    for cycle in cycles:
        cycle.end()
    assert calls / MANY - OWN_CALLS <= MAX_CALLS_AMONG_MANY
