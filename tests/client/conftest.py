"""A server process with simulated devices, and clients of it."""

from collections.abc import Callable, Iterator

import pytest

from pushd.client import Client
from tests.client.flaky_proxy import FlakyProxy
from tests.in_memory_server import build_server as build_server
from tests.in_memory_server import server as server
from tests.integration.calls import HOST
from tests.integration.conftest import shared as shared
from tests.integration.server import Server, until
from tests.integration.simulator import running_simulator

READER = "controlid:4408801109440198"
CONTAINER = "servereye:4f1c2d"
ABSENT = "controlid:77"
"""A device that is registered and never polls."""

MakeClient = Callable[..., Client]


def url_of(server: Server) -> str:
    """The URL of the admin port."""
    return f"http://{HOST}:{server.admin.number}"


@pytest.fixture(scope="session")
def fleet(shared: Server) -> Iterator[Server]:
    """The server with a simulated reader, whose model is known, and a simulated container, both connected."""
    ids = [f"--id={device.replace(':', '=')}" for device in (READER, CONTAINER)]
    with running_simulator(shared, *ids, "--command-duration=0.05", "--period=0.1"):
        until(lambda: shared.holds(READER) and shared.holds(CONTAINER), "both devices poll")
        assert shared.admin.ask(f"PATCH /v1/devices/{READER}", {"facts": {"model": "iDAccess"}}).code == 200
        assert shared.admin.ask("POST /v1/devices", {"id": ABSENT}).code == 201
        yield shared


@pytest.fixture
def make_client() -> Iterator[MakeClient]:
    """Makes clients, which are closed at the end."""
    clients: list[Client] = []

    def make(url: str, token: str, **options: float) -> Client:
        clients.append(Client(url, token, **options))  # type: ignore[arg-type]  # seconds
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(fleet: Server, make_client: MakeClient) -> Client:
    """A client with the token of an admin."""
    return make_client(url_of(fleet), fleet.token)


@pytest.fixture
def proxy(fleet: Server) -> Iterator[FlakyProxy]:
    """A proxy before the admin port, which passes everything on until a test says otherwise."""
    proxy = FlakyProxy(HOST, fleet.admin.number)
    with proxy.running():
        yield proxy
