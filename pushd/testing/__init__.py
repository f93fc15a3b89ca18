"""A pytest plugin for programs that use pushd: a real server, and simulated devices that can be made to misbehave.

It is switched on with ``-p pushd.testing``, or ``pytest_plugins = ["pushd.testing"]`` in the ``conftest.py`` at the
root of the tests.
"""

from pushd.simulator.faults import Fault
from pushd.testing.fixtures import (
    pushd_container,
    pushd_options,
    pushd_reader,
    pushd_server,
    pushd_simulator,
    simulate_device,
)
from pushd.testing.processes import StartFailed
from pushd.testing.server import PushdServer
from pushd.testing.simulator import Simulate, SimulatedDevice

__all__ = [
    "Fault",
    "PushdServer",
    "Simulate",
    "SimulatedDevice",
    "StartFailed",
    "pushd_container",
    "pushd_options",
    "pushd_reader",
    "pushd_server",
    "pushd_simulator",
    "simulate_device",
]
