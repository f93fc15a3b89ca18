"""Tests of a device that goes offline, with real time."""

import pytest

from tests.integration.server import Server

pytestmark = pytest.mark.slow


def test_device_goes_offline(shared: Server) -> None:
    """A device that polls once and not again goes offline, and a client that waits for events is notified."""
    shared.admin.ask("POST /v1/devices", {"id": "controlid:42", "hold": 0, "heartbeat_timeout": 1})
    assert shared.devices.ask("GET /push?deviceId=42").code == 200
    events = shared.admin.ask("GET /v1/events?device=controlid:42&type=device.offline&wait=20").json["items"]
    assert [event["type"] for event in events] == ["device.offline"]
    assert shared.admin.ask("GET /v1/devices/controlid:42").json["presence"] == "offline"
