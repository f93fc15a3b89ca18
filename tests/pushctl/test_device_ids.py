"""Tests of :mod:`pushd.pushctl.device_ids`."""

import pytest

from pushd.pushctl.device_ids import read_device_id
from tests.pushctl.fake_server import COMMAND, DEVICE, Answer, FakeServer, Pushctl

READER = "controlid:3206485144263533"


@pytest.mark.parametrize("text", ["0G0200/005B6D", "controlid:0G0200/005B6D", "controlid:0g020?/005b6d", READER])
def test_serial_number(text: str) -> None:
    """A serial number stands for an id, with or without the dialect."""
    assert read_device_id(text) == READER


@pytest.mark.parametrize("text", ["servereye:4f1c2d", "controlid:7", "7", "", "servereye:0G0200"])
def test_other_text(text: str) -> None:
    """Anything else is passed on: the server knows best what an id is."""
    assert read_device_id(text) == text


@pytest.mark.parametrize("text", ["0G020/005B6D", "controlid:0G0200/5B6D", "servereye:0G0200/005B6D", "a/b"])
def test_no_serial_number(text: str) -> None:
    """What only looks like a serial number is an error that shows the form of one."""
    with pytest.raises(ValueError, match="such as 0G0200/005B6D"):
        read_device_id(text)


def test_everywhere(server: FakeServer, pushctl: Pushctl) -> None:
    """Each command takes serial numbers."""
    for call in (f"PATCH /v1/devices/{READER}", f"GET /v1/devices/{READER}"):
        server.on(call, Answer(body=DEVICE))
    server.on(f"POST /v1/devices/{READER}/commands", Answer(body=COMMAND))
    assert pushctl("approve", "0G0200/005B6D").exit_code == 0
    assert pushctl("show", "controlid:0G0200/005B6D").exit_code == 0
    assert pushctl("send", "0G0200/005B6D", "load_objects").exit_code == 0
    (sent,) = server.calls(f"POST /v1/devices/{READER}/commands")
    assert sent.body["payload"] == {"endpoint": "load_objects"}
    wrong = pushctl("show", "0G020/005B6D")
    assert (wrong.exit_code, "is not a device" in wrong.stderr) == (2, True)
