"""A whole server without sockets, files or real time: tests send bytes to its two ports and move its clock."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from attrs import define, field
from treq.testing import StubTreq
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource

from pushd.admin.openapi import OpenApiApp
from pushd.admin.port import AdminPort
from pushd.config import Config
from pushd.core.app import Core
from pushd.core.clocks import Clocks
from pushd.core.credentials import make_token_secret
from pushd.core.devices.admission import AdmissionMode
from pushd.http.bodies import Budgets
from pushd.http.client_address import TrustedProxies
from pushd.http.connections import OpenConnections
from pushd.http.site import HTTPFactory
from pushd.model.event import to_json
from pushd.model.token import Role
from pushd.store.sqlite.store import SqliteStore
from pushd.wiring import build_admin_port, build_core, build_device_port
from tests.connection import Connection, Response, request
from tests.openapi_contract import Contract, contract_of
from tests.results import result_of
from tests.store.clock import follow, new_store
from tests.token_file import MemoryTokenFile, add_file_token

START = 1_800_000_000.0
"""The time when a test starts: 2027-01-15T08:00:00Z."""

CLIENT = "192.0.2.1"
"""The address from which clients connect, unless a test says otherwise."""


@define(eq=False)
class InMemoryServer:
    """The device port and the admin port of one core, with a database in memory unless a test gives another store."""

    clock: Clock
    config: Config
    store: SqliteStore
    wall_offset: float
    """Wall time when the clock was 0; a test sets the wall clock by changing it."""
    random: float = 0.0
    budgets: Budgets = field(factory=Budgets)
    token_file: MemoryTokenFile = field(factory=MemoryTokenFile)
    core: Core = field(init=False)
    off_reactor: int = field(default=0, init=False)
    """How many request bodies were parsed in a thread; here that happens at once, unless threads are busy."""
    threads_are_busy: bool = False
    """Whether what is to run in a thread waits for :meth:`run_threads`."""
    is_in_thread: bool = field(default=False, init=False)
    """Whether what runs now is what was to run in a thread."""
    _in_threads: list[Callable[[], object]] = field(factory=list, init=False)
    device_site: HTTPFactory = field(init=False)
    admin_port: AdminPort = field(init=False)
    admin_site: HTTPFactory = field(init=False)
    contract: Contract = field(init=False)
    """The OpenAPI document, with which each answer is compared."""
    recorded: list[dict[str, Any]] = field(factory=list, init=False, repr=False)
    """The events since the start of this server, as the API shows them."""
    _connections: list[Connection] = field(factory=list, init=False)
    _tokens: dict[Role, str] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        clocks = Clocks(self.clock, lambda: self.wall_offset + self.clock.seconds())
        follow(self.store, clocks)
        self.core = build_core(self.store, clocks, self.config, self.token_file, lambda: self.random)
        self.core.start()
        devices = build_device_port(self.core, self.config, self._in_thread)
        self.admin_port = build_admin_port(self.core, self.config, self._in_thread)
        openapi = self.admin_port.pages["openapi.json"]
        assert isinstance(openapi, OpenApiApp)
        self.contract = contract_of(openapi.content)
        self.store.subscribe(lambda event: self.recorded.append(to_json(event)))
        connections = OpenConnections()
        proxies = TrustedProxies.of(self.config.trusted_proxies)
        self.device_site = HTTPFactory(devices, self.budgets, self.clock, connections, proxies)
        self.admin_site = HTTPFactory(self.admin_port, self.budgets, self.clock, connections, proxies)

    def connect(self, peer: str = CLIENT, transport: StringTransport | None = None) -> Connection:
        """Open a connection to the device port."""
        return self._connect(self.device_site, peer, transport)

    def device_request(self, data: bytes, peer: str = CLIENT) -> Connection:
        """Send bytes to the device port on a new connection."""
        connection = self.connect(peer)
        connection.send(data)
        return connection

    def call(self, data: bytes) -> Connection:
        """Send bytes to the admin port on a new connection, and run what is due at once."""
        connection = self._connect(self.admin_site, CLIENT)
        connection.send(data)
        self.clock.advance(0)
        return connection

    def stub(self) -> StubTreq:
        """A treq client whose requests all go to the device port, whatever their host."""
        stub = StubTreq(Resource())
        stub._agent._serverFactory = self.device_site  # type: ignore[assignment]
        return stub

    def begin(self, line: str, body: object = None, *headers: str, role: Role = Role.ADMIN) -> Connection:
        """Send a request such as ``GET /v1/devices`` to the admin API, with a JSON body if given; do not wait."""
        return self.begin_as(f"Authorization: Bearer {self.token_of(role)}", line, body, *headers)

    def begin_as(self, credentials: str, line: str, body: object = None, *headers: str) -> Connection:
        """The same with another header that says who sends it, such as a cookie."""
        content = b"" if body is None else json.dumps(body).encode()
        connection = self.call(request(line, content, credentials, *headers))
        connection.check = partial(self.contract.check, line, content)
        return connection

    def ask(self, line: str, body: object = None, *headers: str, role: Role = Role.ADMIN) -> Response:
        """Send a request to the admin API, and return its answer, which must be there at once."""
        return self.begin(line, body, *headers, role=role).answer()

    def register(self, device: str, **fields: Any) -> None:
        """Register an approved device."""
        assert self.ask("POST /v1/devices", {"id": device, **fields}).code == 201

    def put(self, device: str, payload: object, **options: Any) -> str:
        """Send a command with these send options; its id."""
        answer = self.ask(f"POST /v1/devices/{device}/commands", {"payload": payload, **options})
        assert answer.code == 201, answer.body
        return str(answer.json["id"])

    def command(self, command: str) -> dict[str, Any]:
        """A command, as the admin API shows it."""
        found: dict[str, Any] = self.ask(f"GET /v1/commands/{command}").json
        return found

    def device(self, device: str) -> dict[str, Any]:
        """A device, as the admin API shows it."""
        found: dict[str, Any] = self.ask(f"GET /v1/devices/{device}").json
        return found

    def orphans(self, device: str) -> list[dict[str, Any]]:
        """The orphan results of a device, newest first."""
        found: list[dict[str, Any]] = self.ask(f"GET /v1/devices/{device}/orphans").json["items"]
        return found

    def events(self, device: str) -> list[str]:
        """The types of a device's events."""
        return [event["type"] for event in self.ask(f"GET /v1/events?device={device}").json["items"]]

    def tick(self, seconds: int) -> None:
        """Let time pass, and run the periodic tasks after each second."""
        for _ in range(seconds):
            self.clock.advance(1)
            result_of(self.core.sweep())
            result_of(self.core.detect_offline())

    def purge(self) -> None:
        """Delete what is older than the retention."""
        purged = Deferred.fromCoroutine(self.core.purge())
        self.clock.advance(1)
        result_of(purged)

    def fail_store(self) -> None:
        """Close the store: every write fails from now on."""
        result_of(self.store.close())

    def token_of(self, role: Role) -> str:
        """A token with this role; the same each time."""
        if role not in self._tokens:
            self._tokens[role] = self._admin_token() if role is Role.ADMIN else self.make_token(role, role)
        return self._tokens[role]

    def _admin_token(self) -> str:
        """The token of ``admin.token``, which the start of a server makes if there is none."""
        tokens = self.core.tokens
        for token in tokens.all():
            if token.is_file:
                _, secret = result_of(tokens.rotate(token.id, 0))
                return secret
        self.token_file.secret = secret = make_token_secret()
        add_file_token(tokens, secret)
        return secret

    def make_token(self, name: str, role: Role, **fields: Any) -> str:
        """Make a token, with selectors and ``expires_at`` as in the core; its secret."""
        _, secret = result_of(self.core.tokens.add(name, role, **fields))
        return secret

    def close(self) -> None:
        """Close all connections; no poll and no body may be left, and each event must be as the document says."""
        for connection in self._connections:
            connection.hang_up()
        assert len(self.core.poll_registry) == 0, "a poll is left"
        assert self.budgets.used == 0, "a body is left"
        result_of(self.store.close())
        for event in self.recorded:
            self.contract.check_event(event)

    def _connect(self, site: HTTPFactory, peer: str, transport: StringTransport | None = None) -> Connection:
        address = IPv4Address("TCP", peer, 40000)
        protocol = site.buildProtocol(address)
        assert protocol is not None
        transport = StringTransport(peerAddress=address) if transport is None else transport
        protocol.makeConnection(transport)
        self._connections.append(Connection(protocol, transport))
        return self._connections[-1]

    def run_threads(self) -> None:
        """Run what waits for a thread."""
        while self._in_threads:
            self._in_threads.pop(0)()

    def _work(self, work: Callable[[], Any]) -> Any:
        self.is_in_thread = True
        try:
            return work()
        finally:
            self.is_in_thread = False

    def _in_thread(self, work: Callable[[], Any]) -> Deferred[Any]:
        self.off_reactor += 1
        done: Deferred[Any] = Deferred()
        self._in_threads.append(lambda: execute(self._work, work).chainDeferred(done))
        if not self.threads_are_busy:
            self.run_threads()
        return done


BuildServer = Callable[..., InMemoryServer]


@pytest.fixture
def build_server(clock: Clock) -> Iterator[BuildServer]:
    """Builds a server with a store and options; it admits any device unless an option says otherwise.

    The clocks of servers that are built one after the other run on.
    """
    servers: list[InMemoryServer] = []
    wall_offset = START - clock.seconds()

    def build(store: SqliteStore | None = None, random: float = 0.0, **options: Any) -> InMemoryServer:
        config = Config(**{"admission": AdmissionMode.OPEN, **options})
        servers.append(InMemoryServer(clock, config, store or new_store(), wall_offset, random))
        return servers[-1]

    yield build
    for server in servers:
        server.close()


@pytest.fixture
def server(build_server: BuildServer) -> InMemoryServer:
    """A server that admits any device."""
    return build_server()
