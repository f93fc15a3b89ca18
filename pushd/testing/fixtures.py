"""The fixtures of the pytest plugin."""

from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest

from pushd.testing.server import PushdServer
from pushd.testing.simulator import CONTROLID, SERVEREYE, Simulate, SimulatedDevice, Simulator


@pytest.fixture(scope="session")
def pushd_options() -> Sequence[str]:
    """Further options of ``pushd-server``: override this fixture to change them."""
    return ()


@pytest.fixture(scope="session")
def pushd_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """The process of the simulated devices; it starts while the server does."""
    simulator = Simulator(tmp_path_factory.mktemp("pushd-simulator") / "log")
    simulator.launch()
    with closing(simulator):
        yield simulator


@pytest.fixture(scope="session")
def pushd_server(
    pushd_simulator: Simulator,  # noqa: ARG001 - to start it first
    pushd_options: Sequence[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[PushdServer]:
    """A running server, the same for all tests of a session."""
    server = PushdServer(tmp_path_factory.mktemp("pushd-server"), pushd_options)
    server.launch()
    with closing(server):
        server.wait_until_ready()
        yield server


@pytest.fixture
def simulate_device(pushd_server: PushdServer, pushd_simulator: Simulator) -> Iterator[Simulate]:
    """Simulates devices; they are deleted at the end of the test."""
    with closing(Simulate(pushd_server, pushd_simulator)) as simulate:
        yield simulate


@pytest.fixture
def pushd_reader(simulate_device: Simulate) -> SimulatedDevice:
    """A simulated Control iD reader."""
    return simulate_device(CONTROLID, name="Simulated reader")


@pytest.fixture
def pushd_container(simulate_device: Simulate) -> SimulatedDevice:
    """A simulated Server-Eye container."""
    return simulate_device(SERVEREYE, name="Simulated container")
