"""Tests of the options of a server process."""

from pathlib import Path

import pytest

from tests.integration.conftest import MakeServer
from tests.integration.server import ANY_PORT, until

pytestmark = pytest.mark.slow

FILE = f"""
devices = ["{ANY_PORT}", "{ANY_PORT}"]
admin = "{ANY_PORT}"
admission = "closed"
base = ["/controlid"]
hold = {{ controlid = 0, servereye = 0 }}
"""


def test_config_file(make_server: MakeServer, tmp_path: Path) -> None:
    """Options may be in a file, under their names on the command line; those on the command line take precedence."""
    (tmp_path / "pushd.toml").write_text(FILE)
    server = make_server("--config=pushd.toml", "--admission=approve", usual=()).start()
    assert len(server.device_ports) == 2
    assert server.devices.ask("GET /controlid/push?deviceId=1").code == 200
    assert server.devices.ask("GET /elsewhere/push?deviceId=2").code == 404
    (device,) = until(lambda: server.admin.ask("GET /v1/devices").json["items"], "the device is pending")
    assert (device["id"], device["admission"]) == ("controlid:1", "pending")
