"""What a server sees of simulated devices that go offline, sign off and come back."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pushd.simulator.fleet import controlid_ids, servereye_ids
from tests.integration.calls import HOST
from tests.integration.server import TWISTD, Server, environment, until

pytestmark = pytest.mark.slow

READERS = [f"controlid:{number}" for number in controlid_ids(0, 3)]
CONTAINERS = [f"servereye:{container}" for container in servereye_ids(0, 3)]

ADDRESSES = ["127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.3", "127.0.0.4", "127.0.0.4"]


@contextmanager
def simulated(server: Server, journal: Path, *options: str) -> "Iterator[subprocess.Popen[str]]":
    """Three readers and three containers behind three addresses, for as long as the block lasts."""
    fleet = ["--controlid=3", "--servereye=3", "--sites=3", "--period=0.1", f"--journal={journal}"]
    address = f"--server=http://{HOST}:{server.devices.number}"
    process = subprocess.Popen(
        [str(TWISTD), "--nodaemon", "--pidfile=", "pushd-simulate", address, *fleet, *options],
        cwd=server.folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def deeds(journal: Path) -> list[tuple[str, str]]:
    """What became of the devices, as they keep it."""
    lines = journal.read_text().splitlines() if journal.exists() else []
    return [(line["device"], line["did"]) for line in map(json.loads, lines)]


def seen(server: Server, device: str) -> Any:
    """A device as an operator sees it."""
    return server.admin.ask(f"GET /v1/devices/{device}").json


def addresses(server: Server) -> list[Any]:
    """From where the server saw each device."""
    return [seen(server, device).get("last_address") for device in (*READERS, *CONTAINERS)]


def test_away_and_back(server: Server, tmp_path: Path) -> None:
    """A site vanishes and comes back, a container says goodbye, the others stay; the server and the journal agree."""
    journal, (gone, stays) = tmp_path / "journal", (CONTAINERS[0], CONTAINERS[1])
    with simulated(server, journal, "--outage=offline=site1@2+4", "--outage=signed-off=4-4@2") as process:
        until(lambda: addresses(server) == ADDRESSES, "six devices from three addresses")
        until(lambda: not any(map(server.holds, READERS[:2])), "a site that holds no poll")
        assert {(device, "went-offline") for device in READERS[:2]} <= set(deeds(journal))
        until(lambda: seen(server, gone)["presence"] == "signed_off", "a goodbye")
        assert server.holds(stays)
        until(lambda: all(map(server.holds, READERS[:2])), "a site that is back")
        assert {(device, "came-back") for device in READERS[:2]} <= set(deeds(journal))
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "All devices have stopped" in said
    assert {device for device, did in deeds(journal) if did == "signed-off"} == set(CONTAINERS)
    assert seen(server, stays)["presence"] == "signed_off"
