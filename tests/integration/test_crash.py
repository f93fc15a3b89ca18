"""Tests of what a server still has when it starts again after a kill or a stop."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.server import Server, until

pytestmark = pytest.mark.slow

OPEN_DOOR = {"endpoint": "execute_actions", "body": {"actions": [{"action": "door", "parameters": "door=1"}]}}
REFRESH = {"control": "REFRESH_AGENT"}

ReceivedCommand = tuple[str, str, object]
"""The id of a command that a device has received, the request that reports its result, and the result."""


def test_accepted_commands_survive_a_kill(server: Server) -> None:
    """A server that is killed right after it accepted commands delivers them when it runs again."""
    register(server)
    door, refresh = server.send("controlid:1", OPEN_DOOR), server.send("servereye:one", REFRESH)
    server.kill()
    server.start()
    assert server.devices.ask("GET /push?deviceId=1").json == OPEN_DOOR
    assert server.devices.ask("GET /push/one").json["data"]["messageId"] == refresh
    assert {server.command(command)["state"] for command in (door, refresh)} == {"sent"}


def receive_controlid(server: Server) -> ReceivedCommand:
    """Let a Control iD device receive a command."""
    command = server.send("controlid:1", OPEN_DOOR)
    assert server.devices.ask("GET /push?deviceId=1&uuid=u").json == OPEN_DOOR
    return command, "POST /result?deviceId=1&uuid=u", {"response": {"ok": True}}


def receive_servereye(server: Server) -> ReceivedCommand:
    """Let a Server-Eye device receive a message."""
    command = server.send("servereye:one", REFRESH)
    assert server.devices.ask("GET /push/one").json["success"] is True
    return command, f"POST /push/one/result/{command}", {"success": True, "data": [1, 2]}


@pytest.mark.parametrize("receive", [receive_controlid, receive_servereye])
def test_accepted_result_survives_a_kill(server: Server, receive: Callable[[Server], ReceivedCommand]) -> None:
    """A server that is killed right after it accepted a result still has it, and answers a repeat in the same way."""
    register(server)
    command, report, result = receive(server)
    answer = server.devices.ask(report, result)
    server.kill()
    seen = server.start().command(command)
    assert (answer.code, seen["state"], seen["result"]) == (200, "succeeded", result)
    assert server.devices.ask(report, result).body == answer.body


def test_nothing_runs_twice_after_a_kill(server: Server) -> None:
    """A command that may have reached its device is not sent again after a kill: it ends as unknown."""
    register(server)
    command = server.send("controlid:1", OPEN_DOOR, lease=1)
    assert server.devices.ask("GET /push?deviceId=1&uuid=u").json == OPEN_DOOR
    server.kill()
    server.start()
    poll = server.devices.begin("GET /push?deviceId=1&uuid=v")
    until(lambda: server.command(command)["state"] == "unknown", "the lease has ended")
    assert server.holds("controlid:1")
    poll.hang_up()


def test_everything_survives_a_restart(server: Server) -> None:
    """Devices, their secrets, commands, events and the admin token are the same after a restart."""
    register(server, name="Gate", tags=["north"], hold=0)
    path = server.admin.ask("POST /v1/devices/controlid:1/secret").json["path"]
    server.send("controlid:1", OPEN_DOOR)
    assert server.devices.ask(f"GET {path}/push?deviceId=1&uuid=u").json == OPEN_DOOR
    assert server.devices.ask(f"POST {path}/result?deviceId=1&uuid=u", {"error": "no such door"}).code == 200
    assert server.devices.ask("GET /push/one").json["success"] is False
    assert server.devices.ask("GET /push/one/signoff").json["success"] is True
    before, token = everything(server), server.token
    assert server.stop() == 0
    assert everything(server.start()) == before
    assert server.token == token
    command = server.send("controlid:1", OPEN_DOOR)
    assert server.devices.ask(f"GET {path}/push?deviceId=1&uuid=v").json == OPEN_DOOR
    assert server.command(command)["state"] == "sent"


def register(server: Server, **fields: Any) -> None:
    """Register a device of each dialect."""
    for device in ("controlid:1", "servereye:one"):
        assert server.admin.ask("POST /v1/devices", {"id": device, **fields}).code == 201


def everything(server: Server) -> dict[str, Any]:
    """All devices, commands and events, with the time and address at which each device was last seen."""
    return {what: server.admin.ask(f"GET /v1/{what}?limit=500").json for what in ("devices", "commands", "events")}
