"""Tests of the server with simulated devices that are set up and used as in the field."""

import json
from typing import Any

import pytest

from pushd.simulator.fleet import controlid_ids, servereye_ids
from tests.integration.conftest import MakeServer
from tests.integration.server import Server, until
from tests.integration.simulator import running_simulator

pytestmark = pytest.mark.slow

(READER,) = (f"controlid:{number}" for number in controlid_ids(0, 1))
(CONTAINER,) = (f"servereye:{container}" for container in servereye_ids(0, 1))


def run(server: Server, device: str, payload: dict[str, Any]) -> Any:
    """Send a command, and wait for its end."""
    answer = server.admin.ask(f"POST /v1/devices/{device}/commands?wait=30", {"payload": payload})
    assert answer.code == 200, answer.body
    return answer.json


def devices(server: Server) -> list[str]:
    """The ids of all devices."""
    return [device["id"] for device in server.admin.ask("GET /v1/devices").json["items"]]


def action(name: str, parameters: str) -> dict[str, Any]:
    """A command with one action, as an integrator copies it from the device's own interface."""
    return {"endpoint": "/execute_actions.fcgi", "body": {"actions": [{"action": name, "parameters": parameters}]}}


@pytest.mark.parametrize("base", [(), ("--base=/push",)], ids=["no base", "base"])
def test_reader_whose_address_ends_in_push(make_server: MakeServer, base: tuple[str, ...]) -> None:
    """An iDFlex whose address ends in /push refuses a door action, opens with its own, and is the only device."""
    server = make_server(*base).start()
    with running_simulator(server, "--controlid=1", "--base=/push", "--period=0.1", "--model=iDFlex"):
        until(lambda: devices(server) == [READER], "the reader polls")
        refused = run(server, READER, action("door", "door=1"))
        assert (refused["state"], refused["error"]) == ("failed", "invalid action 'door': iDFlex opens with sec_box")
        opened = run(server, READER, action("sec_box", "id=65793,reason=3"))
        assert (opened["state"], json.loads(opened["result"]["response"])) == ("succeeded", {"openings": 1})
        batch = {"transactions": [action("sec_box", "id=65793,reason=3") | {"transactionid": 7}]}
        assert run(server, READER, batch)["state"] == "succeeded"
        assert devices(server) == [READER]


def test_remote_action(server: Server) -> None:
    """A container takes its action from the message, and gets its settings."""
    with running_simulator(server, "--servereye=1"):
        until(lambda: devices(server) == [CONTAINER], "the container polls")
        done = run(server, CONTAINER, {"control": "REMOTE_ACTION", "message": 'agent|run|{"action": "echo", "n": 7}'})
        assert (done["state"], done["result"]["data"]) == ("succeeded", {"action": "echo", "n": 7})
        settings = server.devices.ask(f"GET /1/container?id={CONTAINER.partition(':')[2]}").json
        assert settings["data"]["maxHeartbeatTimeout"] == 20
