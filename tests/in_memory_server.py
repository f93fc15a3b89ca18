"""A whole server without sockets, files or time: both ports over a database in memory, driven by bytes."""

import json
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from attrs import define, field
from treq.testing import StubTreq
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.resource import Resource

from pushd.config import Config
from pushd.core.app import Core
from pushd.core.clocks import Clocks
from pushd.core.devices.admission import AdmissionMode
from pushd.http.bodies import Budget
from pushd.http.site import HTTPFactory
from pushd.model.token import Role
from pushd.store.sqlite.store import MEMORY, SqliteStore
from pushd.wiring import build_admin_port, build_core, build_device_port
from tests.connection import Connection, Response, request

T = TypeVar("T")

START = 1_800_000_000.0
"""Seconds since the epoch when a test begins: 2027-01-15T08:00:00Z."""

CLIENT = "192.0.2.1"
"""The address from which clients connect, unless a test says otherwise."""


@define(eq=False)
class InMemoryServer:
    """Both ports over one core."""

    clock: Clock
    config: Config
    store: SqliteStore
    random: float = 0.0
    budget: Budget = field(factory=Budget)
    core: Core = field(init=False)
    off_reactor: int = field(default=0, init=False)
    """How many bodies were parsed off the reactor."""
    device_site: HTTPFactory = field(init=False)
    admin_site: HTTPFactory = field(init=False)
    _connections: list[Connection] = field(factory=list, init=False)
    _tokens: dict[Role, str] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        ahead = START - self.clock.seconds()
        clocks = Clocks(self.clock, lambda: ahead + self.clock.seconds())
        self.core = build_core(self.store, clocks, self.config, lambda: self.random)
        self.core.start()
        devices = build_device_port(self.core, self.config, self._in_thread)
        operators = build_admin_port(self.core, self._in_thread)
        self.device_site = HTTPFactory(devices, self.budget, self.clock)
        self.admin_site = HTTPFactory(operators, self.budget, self.clock)

    def connect(self, peer: str = CLIENT, transport: StringTransport | None = None) -> Connection:
        """A new connection to the device port."""
        return self._connect(self.device_site, peer, transport)

    def device_request(self, data: bytes, peer: str = CLIENT) -> Connection:
        """Send bytes to the device port, on a new connection."""
        connection = self.connect(peer)
        connection.send(data)
        return connection

    def call(self, data: bytes) -> Connection:
        """Send bytes to the admin port, on a new connection, and let the reactor turn once."""
        connection = self._connect(self.admin_site, CLIENT)
        connection.send(data)
        self.clock.advance(0)
        return connection

    def stub(self) -> StubTreq:
        """A treq whose requests come to the device port, whatever their host."""
        stub = StubTreq(Resource())
        stub._agent._serverFactory = self.device_site  # type: ignore[assignment]
        return stub

    def begin(self, line: str, body: object = None, *headers: str, role: Role = Role.ADMIN) -> Connection:
        """Make a call of the admin API such as ``GET /v1/devices``, with a JSON body if there is one."""
        content = b"" if body is None else json.dumps(body).encode()
        return self.call(request(line, content, f"Authorization: Bearer {self.token_of(role)}", *headers))

    def ask(self, line: str, body: object = None, *headers: str, role: Role = Role.ADMIN) -> Response:
        """Make a call of the admin API that is answered at once."""
        return self.begin(line, body, *headers, role=role).answer()

    def register(self, device: str, **fields: Any) -> None:
        """Add an approved device."""
        assert self.ask("POST /v1/devices", {"id": device, **fields}).code == 201

    def put(self, device: str, payload: object, **terms: Any) -> str:
        """Send a command; its id."""
        answer = self.ask(f"POST /v1/devices/{device}/commands", {"payload": payload, **terms})
        assert answer.code == 201, answer.body
        return str(answer.json["id"])

    def command(self, command: str) -> dict[str, Any]:
        """A command as an operator sees it."""
        found: dict[str, Any] = self.ask(f"GET /v1/commands/{command}").json
        return found

    def seen(self, device: str) -> dict[str, Any]:
        """A device as an operator sees it."""
        found: dict[str, Any] = self.ask(f"GET /v1/devices/{device}").json
        return found

    def orphans(self, device: str) -> list[dict[str, Any]]:
        """The orphan results of a device, newest first."""
        found: list[dict[str, Any]] = self.ask(f"GET /v1/devices/{device}/orphans").json["items"]
        return found

    def events(self, device: str) -> list[str]:
        """The types of what happened to a device."""
        return [event["type"] for event in self.ask(f"GET /v1/events?device={device}").json["items"]]

    def tick(self, seconds: int) -> None:
        """Let time pass, and let the clock end what it ends."""
        for _ in range(seconds):
            self.clock.advance(1)
            now(self.core.sweep())
            now(self.core.detect_offline())

    def fail_store(self) -> None:
        """From now on, nothing can be made durable."""
        now(self.store.close())

    def token_of(self, role: Role) -> str:
        """A token with a role."""
        if role not in self._tokens:
            self._tokens[role] = now(self.core.tokens.issue(role, role))
        return self._tokens[role]

    def close(self) -> None:
        """Let everybody hang up; nothing of them may be left."""
        for connection in self._connections:
            connection.hang_up()
        assert len(self.core.poll_registry) == 0, "a poll was left behind"
        assert self.budget.used == 0, "a body was left behind"
        now(self.store.close())

    def _connect(self, site: HTTPFactory, peer: str, transport: StringTransport | None = None) -> Connection:
        address = IPv4Address("TCP", peer, 40000)
        protocol = site.buildProtocol(address)
        assert protocol is not None
        transport = StringTransport(peerAddress=address) if transport is None else transport
        protocol.makeConnection(transport)
        self._connections.append(Connection(protocol, transport))
        return self._connections[-1]

    def _in_thread(self, work: Callable[[], Any]) -> Deferred[Any]:
        self.off_reactor += 1
        return execute(work)


def now(doing: Deferred[T] | Coroutine[Any, Any, T]) -> T:
    """What must be done already."""
    results: list[T] = []
    failures: list[Failure] = []
    done = doing if isinstance(doing, Deferred) else Deferred.fromCoroutine(doing)
    done.addCallbacks(results.append, failures.append)
    for failure in failures:
        failure.raiseException()
    (result,) = results
    return result


BuildHouse = Callable[..., InMemoryServer]


@pytest.fixture
def build_house(clock: Clock) -> Iterator[BuildHouse]:
    """Makes a house over a store, with these options; open to any device unless they say otherwise."""
    houses: list[InMemoryServer] = []

    def build(store: SqliteStore | None = None, random: float = 0.0, **options: Any) -> InMemoryServer:
        config = Config(**{"admission": AdmissionMode.OPEN, **options})
        houses.append(InMemoryServer(clock, config, store or SqliteStore(MEMORY), random))
        return houses[-1]

    yield build
    for server in houses:
        server.close()


@pytest.fixture
def server(build_house: BuildHouse) -> InMemoryServer:
    """A house that is open to any device."""
    return build_house()
