"""Tests of the fixtures: a server, and simulated devices that a test controls."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from signal import SIGKILL
from typing import Any

import pytest

from pushd.client import Admission, DeviceSignedOff, NotFound, OpenReason, Outcome, Presence, State
from pushd.testing import Fault, PushdServer, Simulate, SimulatedDevice, StartFailed
from pushd.testing.simulator import Simulator
from tests.client.test_imports import NO_TWISTED
from tests.docs.pages import ROOT
from tests.integration.server import environment, until

pytestmark = pytest.mark.slow

ADD_USER = {"endpoint": "create_objects", "body": {"object": "users", "values": [{"name": "Ada"}]}}


def test_reader(pushd_server: PushdServer, pushd_reader: SimulatedDevice) -> None:
    """A reader opens, does what it is sent, and a test sees what it received."""
    client = pushd_server.client
    assert client.open(pushd_reader.id).outcome == Outcome.OPENED
    assert client.send(pushd_reader.id, ADD_USER, wait=10).state == State.SUCCEEDED
    assert [payload["endpoint"] for payload in pushd_reader.received] == ["execute_actions", "create_objects"]
    assert pushd_reader.received[1] == ADD_USER
    assert pushd_reader.openings == 1


def test_container(pushd_server: PushdServer, pushd_container: SimulatedDevice) -> None:
    """A container does what it is sent, and announces its shutdown."""
    client, payload = pushd_server.client, {"control": "ADD_OR_UPDATE_AGENT", "data": "disk", "message": "now"}
    assert client.send(pushd_container.id, payload, wait=10).state == State.SUCCEEDED
    assert pushd_container.received == (payload,)
    pushd_container.sign_off()
    assert client.device(pushd_container.id).presence == Presence.SIGNED_OFF
    with pytest.raises(DeviceSignedOff):
        client.send(pushd_container.id, payload)


def test_faults(pushd_server: PushdServer, pushd_reader: SimulatedDevice) -> None:
    """A device misbehaves as a test says, and behaves again."""
    client = pushd_server.client
    pushd_reader.misbehave(Fault.LOSE_RESULT)
    lost = client.send(pushd_reader.id, ADD_USER, lease=0.3, wait=10)
    assert (lost.state, lost.attempts) == (State.UNKNOWN, 1)
    assert len(pushd_reader.received) == 1
    pushd_reader.misbehave()
    assert client.send(pushd_reader.id, ADD_USER, wait=10).state == State.SUCCEEDED


def test_offline(pushd_server: PushdServer, pushd_reader: SimulatedDevice) -> None:
    """A device goes offline and comes back."""
    client = pushd_server.client
    pushd_reader.go_offline()
    command = client.send(pushd_reader.id, ADD_USER, wait=0.2, then="cancel")
    assert (command.state, pushd_reader.received) == (State.CANCELLED, ())
    pushd_reader.come_back()
    assert client.open(pushd_reader.id).outcome == Outcome.OPENED


def test_model(pushd_server: PushdServer, simulate_device: Simulate) -> None:
    """A turnstile is opened by what opens a turnstile."""
    turnstile = simulate_device(model="iDBlock", name="Turnstile", tags=["ground floor"])
    assert pushd_server.client.open(turnstile.id, direction="both").outcome == Outcome.OPENED
    assert pushd_server.client.device(turnstile.id).tags == ("ground floor",)
    pushd_server.client.change(turnstile.id, facts={"model": "iDFit"})
    refused = pushd_server.client.open(turnstile.id)
    assert (refused.outcome, refused.reason) == (Outcome.NOT_OPENED, OpenReason.DEVICE_FAILED)


def test_approval(pushd_server: PushdServer, simulate_device: Simulate) -> None:
    """A device that is not registered waits for its approval."""
    unknown = simulate_device(device="controlid:77", register=False)
    client = pushd_server.client
    assert client.device(unknown.id).admission == Admission.PENDING
    command = client.send(unknown.id, ADD_USER, wait=0.2)
    assert command.state == State.QUEUED
    client.change(unknown.id, admission="approved")
    assert client.wait(command.id, timeout=10).state == State.SUCCEEDED


@pytest.mark.parametrize("kill", [False, True])
def test_restart(pushd_server: PushdServer, pushd_reader: SimulatedDevice, kill: bool) -> None:
    """The server restarts at the same URLs, with its data, and devices connect again."""
    before, client = (pushd_server.url, pushd_server.device_url, pushd_server.token), pushd_server.client
    sent = client.send(pushd_reader.id, ADD_USER, wait=10)
    pushd_server.restart(kill=kill)
    assert (pushd_server.url, pushd_server.device_url, pushd_server.token) == before
    pushd_reader.wait_until_connected()
    assert client.command(sent.id).state == State.SUCCEEDED
    assert client.open(pushd_reader.id).outcome == Outcome.OPENED


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"model": "iDUnknown"}, "iDUnknown"), ({"device": "other:7", "register": False}, "must begin with controlid:")],
)
def test_impossible_device(
    simulate_device: Simulate, pushd_reader: SimulatedDevice, arguments: dict[str, Any], message: str
) -> None:
    """A device that cannot be simulated is an error, and the others go on."""
    with pytest.raises(ValueError, match=message):
        simulate_device(**arguments)
    assert pushd_reader.received == ()


_seen: list[str] = []


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_has_its_own_device(pushd_server: PushdServer, pushd_reader: SimulatedDevice, turn: int) -> None:
    """The device of one test is gone in the next."""
    assert pushd_reader.received == ()
    for other in _seen:
        with pytest.raises(NotFound):
            pushd_server.client.device(other)
    _seen.append(pushd_reader.id)


def test_start_is_fast(tmp_path: Path) -> None:
    """Server and simulator start and end within three seconds of processor time, together: less than that on two
    cores, and the same on a busy machine.
    """
    before = getrusage(RUSAGE_CHILDREN)
    server, simulator = PushdServer(tmp_path), Simulator(tmp_path / "simulator.log")
    with closing(simulator), closing(server):
        simulator.launch()
        server.launch()
        server.wait_until_ready()
        simulator.call("stop")
    after = getrusage(RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3.0


def test_server_that_cannot_start(tmp_path: Path) -> None:
    """A server that cannot start fails with the reason from its log."""
    server = PushdServer(tmp_path, ["--no-such-option"])
    server.launch()
    with pytest.raises(StartFailed, match="no-such-option"):
        server.wait_until_ready()
    server.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from pushd.testing import PushdServer
from pushd.testing.simulator import Simulator

server, simulator = PushdServer(Path.cwd()), Simulator(Path("simulator.log"))
simulator.launch()
server.launch()
server.wait_until_ready()
simulator.call("stop")
print(server._process.pid, simulator._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_tests(tmp_path: Path) -> None:
    """Server and simulator end when the process of the tests is killed."""
    program = [sys.executable, "-c", KILLED]
    done = subprocess.run(program, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == -SIGKILL, done.stderr
    pids = done.stdout.split()
    assert len(pids) == 2
    until(lambda: not any(map(_runs, pids)), "both have ended")


def _runs(pid: str) -> bool:
    """Whether a process is one of ours, and is not a zombie that waits for its parent."""
    try:
        return b"pushd.testing" in Path("/proc", pid, "cmdline").read_bytes()
    except OSError:
        return False


def test_no_twisted() -> None:
    """The plugin brings no Twisted into the process of the tests."""
    done = subprocess.run(
        [sys.executable, "-c", NO_TWISTED.replace("client", "testing")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
