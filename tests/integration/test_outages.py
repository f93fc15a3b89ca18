"""Tests of the server with simulated devices that go offline, sign off and come back."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from pushd.simulator.fleet import controlid_ids, servereye_ids
from tests.integration.calls import TIMEOUT
from tests.integration.server import Server, until
from tests.integration.simulator import running_simulator

pytestmark = pytest.mark.slow

CONTROLID = [f"controlid:{number}" for number in controlid_ids(0, 3)]
SERVEREYE = [f"servereye:{container}" for container in servereye_ids(0, 3)]

FLEET = ["--controlid=3", "--servereye=3", "--sites=3", "--period=0.1"]
"""Three devices of each dialect behind three addresses."""

ADDRESSES = ["127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.3", "127.0.0.4", "127.0.0.4"]


def actions(journal: Path) -> list[tuple[str, str]]:
    """The devices and their actions in a journal."""
    lines = journal.read_text().splitlines() if journal.exists() else []
    return [(line["device"], line["did"]) for line in map(json.loads, lines)]


def get_device(server: Server, device: str) -> Any:
    """A device, as the admin API shows it."""
    return server.admin.ask(f"GET /v1/devices/{device}").json


def addresses(server: Server) -> list[Any]:
    """The address from which each device polled last."""
    return [get_device(server, device).get("last_address") for device in (*CONTROLID, *SERVEREYE)]


def test_offline_and_back(server: Server, tmp_path: Path) -> None:
    """A site goes offline and comes back, one device signs off, the others stay; the server and the journal agree."""
    journal, (gone, stays) = tmp_path / "journal", (SERVEREYE[0], SERVEREYE[1])
    outages = ["--outage=offline=site1@3+5", "--outage=signed-off=4-4@3"]
    with running_simulator(server, *FLEET, f"--journal={journal}", *outages) as process:
        until(lambda: addresses(server) == ADDRESSES, "six devices from three addresses")
        until(lambda: not any(map(server.holds, CONTROLID[:2])), "the site is offline")
        assert {(device, "went-offline") for device in CONTROLID[:2]} <= set(actions(journal))
        until(lambda: get_device(server, gone)["presence"] == "signed_off", "the device has signed off")
        assert server.holds(stays)
        until(lambda: all(map(server.holds, CONTROLID[:2])), "the site is back")
        assert {(device, "came-back") for device in CONTROLID[:2]} <= set(actions(journal))
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    assert "All devices have stopped" in output
    assert {device for device, did in actions(journal) if did == "signed-off"} == set(SERVEREYE)
    assert get_device(server, stays)["presence"] == "signed_off"
