"""Tests of a device that falls silent, on the clock that the server really lives by."""

import pytest

from tests.integration.server import Server

pytestmark = pytest.mark.slow


def test_a_silent_device_is_offline(shared: Server) -> None:
    """A reader that polls once and is heard of no more is offline, and the feed says so as it happens."""
    shared.admin.ask("POST /v1/devices", {"id": "controlid:42", "hold": 0, "heartbeat_timeout": 1})
    assert shared.devices.ask("GET /push?deviceId=42").code == 200
    told = shared.admin.ask("GET /v1/events?device=controlid:42&type=device.offline&wait=20").json["items"]
    assert [event["type"] for event in told] == ["device.offline"]
    assert shared.admin.ask("GET /v1/devices/controlid:42").json["presence"] == "offline"
