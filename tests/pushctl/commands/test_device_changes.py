"""Tests of ``pushctl devices add``, ``set``, ``block``, ``forget`` and ``mute``."""

import json
from datetime import datetime

import pytest

from tests.pushctl.fake_server import DEVICE, Answer, FakeServer, Pushctl

READER, CONTAINER = "controlid:3206485144263533", "servereye:4f1c2d"

OPTIONS = (
    *("--name", "Main gate", "--site", "Lobby", "--tag", "a", "--tag", "b", "--allow-from", "192.0.2.0/24"),
    *("--model", "iDFlex", "--opens-with", "catra", "--fact", "rack=B=2", "--fact", "floor="),
    *("--heartbeat-timeout", "5m", "--hold", "2.5", "--batch", "3"),
)
FIELDS = {
    "name": "Main gate",
    "site": "Lobby",
    "tags": ["a", "b"],
    "allow_from": ["192.0.2.0/24"],
    "facts": {"model": "iDFlex", "opens_with": "catra", "rack": "B=2", "floor": None},
    "heartbeat_timeout": 300,
    "hold": 2.5,
    "batch": 3,
}


def test_add(server: FakeServer, pushctl: Pushctl) -> None:
    """A device is registered with the fields that are given, and shown."""
    server.on("POST /v1/devices", Answer(status=201, body={**DEVICE, "id": READER}))
    result = pushctl("devices", "add", "0G0200/005B6D", *OPTIONS)
    assert (result.exit_code, READER in result.stdout) == (0, True)
    assert server.calls("POST /v1/devices")[0].body == {"id": READER, **FIELDS}
    assert json.loads(pushctl("devices", "add", READER, "--json").stdout)["id"] == READER
    assert server.calls("POST /v1/devices")[1].body == {"id": READER}


def test_add_a_known_device(server: FakeServer, pushctl: Pushctl) -> None:
    """The server's reason is shown."""
    server.on("POST /v1/devices", Answer(status=409, body={"detail": "It is registered already."}))
    result = pushctl("devices", "add", READER)
    assert (result.exit_code, result.stderr) == (1, "pushctl: refused (409): It is registered already.\n")


def test_set(server: FakeServer, pushctl: Pushctl) -> None:
    """What is given is changed or reset, of each device; if one is unknown, the others are changed nevertheless."""
    server.on(f"PATCH /v1/devices/{READER}", Answer(status=404, body={"detail": "No such."}))
    server.on(f"PATCH /v1/devices/{CONTAINER}", Answer(body=DEVICE))
    result = pushctl("devices", "set", READER, CONTAINER, "--name", "", "--clear", "hold", "--clear", "tags")
    assert (result.exit_code, result.stdout) == (1, f"{CONTAINER} changed\n")
    assert result.stderr == f"pushctl: {READER}: refused (404): No such.\n"
    (changed,) = server.calls(f"PATCH /v1/devices/{CONTAINER}")
    assert changed.body == {"name": "", "hold": None, "tags": None}
    assert pushctl("devices", "set", CONTAINER, *OPTIONS, "--json").exit_code == 0
    assert server.calls(f"PATCH /v1/devices/{CONTAINER}")[1].body == FIELDS


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "Nothing to change"),
        (("--hold", "3", "--clear", "hold"), "hold is set and cleared"),
        (("--fact", "rack"), "NAME=VALUE"),
        (("--fact", "=B"), "NAME=VALUE"),
        (("--opens-with", "key"), "sec_box"),
    ],
)
def test_wrong_options(server: FakeServer, pushctl: Pushctl, arguments: tuple[str, ...], reason: str) -> None:
    """Options that do not go together are an error, and nothing is sent."""
    result = pushctl("devices", "set", CONTAINER, *arguments)
    assert (result.exit_code, reason in result.stderr) == (2, True)
    assert server.received == []


def test_block(server: FakeServer, pushctl: Pushctl) -> None:
    """Each device is blocked."""
    server.on(f"PATCH /v1/devices/{CONTAINER}", Answer(body=DEVICE))
    result = pushctl("devices", "block", CONTAINER)
    assert (result.exit_code, result.stdout) == (0, f"{CONTAINER} blocked\n")
    assert server.calls(f"PATCH /v1/devices/{CONTAINER}")[0].body == {"admission": "blocked"}


def test_forget(server: FakeServer, pushctl: Pushctl) -> None:
    """Devices are deleted only if that is confirmed."""
    server.on(f"DELETE /v1/devices/{CONTAINER}", Answer(status=204, body=b""))
    unconfirmed = pushctl("devices", "forget", CONTAINER)
    assert (unconfirmed.exit_code, "--yes" in unconfirmed.stderr, server.received) == (2, True, [])
    result = pushctl("devices", "forget", CONTAINER, "--yes")
    assert (result.exit_code, result.stdout) == (0, f"{CONTAINER} deleted\n")
    assert json.loads(pushctl("devices", "forget", CONTAINER, "--yes", "--json").stdout) == {"id": CONTAINER}


@pytest.mark.parametrize("command", [("mute",), ("devices", "mute")])
def test_mute(server: FakeServer, pushctl: Pushctl, command: tuple[str, ...]) -> None:
    """The devices that match are muted for a while, and their number is shown."""
    server.on("POST /v1/devices/mute", Answer(body={"devices": [READER], "count": 1}))
    result = pushctl(*command, "--tag", "a", "--tag", "b", "--site", "Lobby", "--for", "2h")
    assert result.exit_code == 0
    (request,) = server.calls("POST /v1/devices/mute")
    until = datetime.fromisoformat(request.body.pop("until"))
    assert until.timestamp() == pytest.approx(server.clock.seconds() + 7200, abs=1)
    assert request.body == {"site": "Lobby", "tags": ["a", "b"]}
    assert result.stdout.startswith("1 device is muted until ")


def test_end_of_a_mute(server: FakeServer, pushctl: Pushctl) -> None:
    """With --off, alerts are raised again."""
    server.on("POST /v1/devices/mute", Answer(body={"devices": [READER, CONTAINER], "count": 2}))
    result = pushctl("mute", "0G0200/005B6D", CONTAINER, "--off")
    assert result.stdout == "2 devices are not muted any more\n"
    assert server.calls("POST /v1/devices/mute")[0].body == {"devices": [READER, CONTAINER], "until": None}
    assert json.loads(pushctl("mute", CONTAINER, "--off", "--json").stdout)["count"] == 2


@pytest.mark.parametrize(
    "arguments", [("--for", "2h"), ("--site", "Lobby"), ("--site", "Lobby", "--for", "1", "--off")]
)
def test_wrong_mute(server: FakeServer, pushctl: Pushctl, arguments: tuple[str, ...]) -> None:
    """It must be said which devices, and for how long."""
    assert pushctl("mute", *arguments).exit_code == 2
    assert server.received == []


def test_mute_that_matches_nothing(server: FakeServer, pushctl: Pushctl) -> None:
    """A tag that no device has is most likely mistyped."""
    server.on("POST /v1/devices/mute", Answer(body={"count": 0}))
    assert "no device matches" in pushctl("mute", "--tag", "nosuch", "--for", "2h").stderr
    server.on("POST /v1/devices/mute", Answer(body={"count": 2}))
    assert pushctl("mute", "--tag", "north", "--for", "2h").stderr == ""
