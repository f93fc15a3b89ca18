"""Tests of what a server that was killed, or stopped, still knows when it starts again."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.server import Server, until

pytestmark = pytest.mark.slow

OPEN_DOOR = {"endpoint": "execute_actions", "body": {"actions": [{"action": "door", "parameters": "door=1"}]}}
REFRESH = {"control": "REFRESH_AGENT"}

Work = tuple[str, str, object]
"""A command that a device has taken, the call that reports what became of it, and what it reports."""


def test_accepted_commands_survive_a_kill(server: Server) -> None:
    """A server that is killed right after it accepted commands delivers them when it runs again."""
    register(server)
    door, refresh = server.send("controlid:1", OPEN_DOOR), server.send("servereye:one", REFRESH)
    server.kill()
    server.start()
    assert server.devices.ask("GET /push?deviceId=1").json == OPEN_DOOR
    assert server.devices.ask("GET /push/one").json["data"]["messageId"] == refresh
    assert {server.command(command)["state"] for command in (door, refresh)} == {"sent"}


def reader_works(server: Server) -> Work:
    """A reader takes a command."""
    command = server.send("controlid:1", OPEN_DOOR)
    assert server.devices.ask("GET /push?deviceId=1&uuid=u").json == OPEN_DOOR
    return command, "POST /result?deviceId=1&uuid=u", {"response": {"ok": True}}


def container_works(server: Server) -> Work:
    """A container takes a message."""
    command = server.send("servereye:one", REFRESH)
    assert server.devices.ask("GET /push/one").json["success"] is True
    return command, f"POST /push/one/result/{command}", {"success": True, "data": [1, 2]}


@pytest.mark.parametrize("work", [reader_works, container_works])
def test_taken_result_survives_a_kill(server: Server, work: Callable[[Server], Work]) -> None:
    """A server that is killed right after it thanked for a result still has it, and thanks for its repeat alike."""
    register(server)
    command, report, result = work(server)
    thanked = server.devices.ask(report, result)
    server.kill()
    seen = server.start().command(command)
    assert (thanked.code, seen["state"], seen["result"]) == (200, "succeeded", result)
    assert server.devices.ask(report, result).body == thanked.body


def test_nothing_runs_twice_after_a_kill(server: Server) -> None:
    """A command that may have reached its device is not sent again after a kill: in the end nobody knows."""
    register(server)
    command = server.send("controlid:1", OPEN_DOOR, lease=1)
    assert server.devices.ask("GET /push?deviceId=1&uuid=u").json == OPEN_DOOR
    server.kill()
    server.start()
    poll = server.devices.begin("GET /push?deviceId=1&uuid=v")
    until(lambda: server.command(command)["state"] == "unknown", "the end of the lease")
    assert server.holds("controlid:1")
    poll.hang_up()


def test_second_start_has_forgotten_nothing(server: Server) -> None:
    """Devices, their secrets, commands, the feed and the operator's token are the same after a restart."""
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
    """Add a device of each dialect."""
    for device in ("controlid:1", "servereye:one"):
        assert server.admin.ask("POST /v1/devices", {"id": device, **fields}).code == 201


def everything(server: Server) -> dict[str, Any]:
    """What the admin API shows of devices, commands and events, down to when and from where each device was last
    seen.
    """
    return {what: server.admin.ask(f"GET /v1/{what}?limit=500").json for what in ("devices", "commands", "events")}
