"""Tests of several servers on one database, of machines whose clocks are wrong."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from pushd.model.timestamps import to_rfc3339
from tests.harness.c_compiler import compile_library
from tests.integration.calls import Port
from tests.integration.nodes import READER, Cluster, alerts, presence_events
from tests.integration.server import Server, until
from tests.programs import needs_program

pytestmark = pytest.mark.slow

HOUR = 3600
LOAD = {"endpoint": "load_objects"}

Ahead = Callable[[int], Mapping[str, str]]


@pytest.fixture
def ahead(tmp_path: Path) -> Ahead:
    """Makes the environment variables of a program whose clock is so many seconds ahead."""
    needs_program("cc")
    library = compile_library(Path(__file__).with_name("shifted_clock.c"), tmp_path)
    return lambda seconds: {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(seconds)}


@pytest.fixture
def nodes(cluster: Cluster, ahead: Ahead) -> list[Server]:
    """A node whose clock is an hour back, and one whose clock is an hour ahead."""
    return [cluster.start(ahead(seconds)) for seconds in (-HOUR, HOUR)]


def now(seconds: float = 0) -> str:
    """The time in so many seconds, as the API writes it."""
    return to_rfc3339(round((time.time() + seconds) * 1000))


def test_nodes_say_that_their_clocks_are_off(nodes: list[Server]) -> None:
    """Each logs by how much."""
    for node, seconds in zip(nodes, (-HOUR, HOUR), strict=True):
        until(partial(_says, node, f"The clock of this machine is off by {seconds}"), "it has said so")


def _says(node: Server, text: str) -> bool:
    return text in node.log.read_text()


def test_commands_are_delivered_at_their_time(cluster: Cluster, nodes: list[Server]) -> None:
    """A command lives, is leased and waits by the time of the database, wherever it was sent and is claimed."""
    for sending, serving in (nodes, reversed(nodes)):
        began = now()
        poll = cluster.hold_poll(serving)
        later = sending.send(READER, LOAD, not_before=now(HOUR / 2), ttl=60)
        sent = sending.send(READER, LOAD, ttl=60, lease=60, delivery="at_least_once")
        assert poll.answer().json["endpoint"] == "load_objects"
        command = sending.command(sent)
        assert (command["state"], command["attempts"]) == ("sent", 1)
        assert began <= command["created_at"] <= now()
        ended = serving.send(READER, LOAD, ttl=1)
        until(partial(_is_expired, sending, ended), "its time to live is over")
        assert sending.command(sent)["state"] == "sent"
        assert serving.command(later)["state"] == "queued"
        assert sending.devices.ask("POST /result?deviceId=7&uuid=u1", {"response": {}}).code == 200
        assert serving.command(sent)["state"] == "succeeded"
    at = [event["at"] for event in nodes[0].admin.ask("GET /v1/events?limit=500").json["items"]]
    assert at == sorted(at)


def _is_expired(node: Server, command: str) -> bool:
    return bool(node.command(command)["state"] == "expired")


def test_devices_are_online(cluster: Cluster, nodes: list[Server]) -> None:
    """A device that moves between them is online throughout, and offline when it has been silent for its time."""
    assert nodes[0].admin.ask("POST /v1/devices", {"id": READER, "heartbeat_timeout": 5}).code == 201
    for node in (*nodes, *nodes):
        cluster.hold_poll(node)
        assert nodes[0].admin.ask(f"GET /v1/devices/{READER}").json["presence"] == "online"
    assert presence_events(nodes[0]) == ["device.online"]
    assert alerts(nodes[0]) == []
    cluster.polls[-1].hang_up()
    until(lambda: presence_events(nodes[0]) == ["device.online", "device.offline"], "it is offline")


def test_tokens_end_at_their_time(nodes: list[Server]) -> None:
    """A token that ends in half an hour is valid at both, and one that has ended at none."""
    for making, other in (nodes, reversed(nodes)):
        token = {"name": making.folder.name, "role": "viewer", "expires_at": now(HOUR / 2)}
        made = making.admin.ask("POST /v1/tokens", token).json
        port = Port(other.admin.number, made["token"])
        until(partial(_answers, port, 200), "it is valid")
        assert making.admin.ask(f"PATCH /v1/tokens/{made['id']}", {"expires_at": now(1)}).code == 200
        until(partial(_answers, port, 401), "it has ended")


def _answers(port: Port, code: int) -> bool:
    return port.ask("GET /v1/devices").code == code
