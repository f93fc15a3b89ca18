"""Tests of a node that has not heard yet what another one has changed: it acts by what the database has."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.connection import Response
from tests.integration.calls import Port
from tests.integration.nodes import POLL, READER, Cluster
from tests.integration.server import Server, until

pytestmark = pytest.mark.slow

LOAD = {"endpoint": "load_objects"}


@contextmanager
def hears_nothing(cluster: Cluster, node: Server) -> Iterator[None]:
    """Keep a node from hearing of others."""
    listening = (
        f"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pushd/{cluster.name(node)}'"
        " AND query LIKE 'NOTIFY pushd_echo%' AND datname = current_database()"
    )
    until(lambda: cluster.read(listening) == 1, "the node listens")
    with cluster.no_new_sessions():
        cluster.end_listener(node)
        until(lambda: cluster.read(listening) == 0, "it does not listen any more")
        yield


def sent_at(cluster: Cluster, node: Server) -> str:
    """A command that the device has got at a node."""
    poll = cluster.hold_poll(node)
    command = node.send(READER, LOAD)
    assert poll.answer().json["endpoint"] == "load_objects"
    return command


def events_of(node: Server, command: str) -> list[str]:
    """What has happened to a command."""
    events = node.admin.ask("GET /v1/events?limit=500").json["items"]
    return [event["type"] for event in events if event["command"] == command]


def refusals(node: Server) -> list[str]:
    """Why a node has refused what devices sent."""
    return [each["reason"] for each in node.admin.ask("GET /v1/rejections").json["items"]]


def test_device_that_needs_a_secret_now(cluster: Cluster) -> None:
    """A device that was given a secret at one node gets no command without it at another; its poll ends, and its next
    one is refused.
    """
    first, second = cluster.start(), cluster.start()
    poll = cluster.hold_poll(second)
    with hears_nothing(cluster, second):
        assert first.admin.ask(f"POST /v1/devices/{READER}/secret").code == 201
        command = second.send(READER, LOAD)
        assert poll.answer().body == b""
        assert events_of(first, command) == ["command.queued"]
        cluster.polls.append(second.devices.begin(f"{POLL}u2"))
        until(lambda: refusals(second) == ["missing_proof"], "its next poll is refused")


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"admission": "blocked"}, "blocked"), ({"allow_from": ["192.0.2.0/24"]}, "address_not_allowed")],
)
def test_result_of_a_device_that_is_not_admitted_any_more(
    cluster: Cluster, change: dict[str, Any], reason: str
) -> None:
    """The result of a device that was blocked at one node, or whose networks were changed, is refused at another."""
    first, second = cluster.start(), cluster.start()
    command = sent_at(cluster, second)
    with hears_nothing(cluster, second):
        assert first.admin.ask(f"PATCH /v1/devices/{READER}", change).code == 200
        assert second.devices.ask("POST /result?deviceId=7&uuid=u1", {"response": {}}).code == 200
        assert refusals(second) == [reason]
    assert first.command(command)["state"] == "sent"


def test_device_that_is_still_admitted(cluster: Cluster) -> None:
    """A device that was moved to another site at one node gets its command at another at once, by the poll that it
    holds there, and its result is taken.
    """
    first, second = cluster.start(), cluster.start()
    poll = cluster.hold_poll(second)
    with hears_nothing(cluster, second):
        assert first.admin.ask(f"PATCH /v1/devices/{READER}", {"site": "Porto", "tags": ["gate"]}).code == 200
        command = second.send(READER, LOAD)
        assert poll.answer().json["endpoint"] == "load_objects"
        assert first.admin.ask(f"PATCH /v1/devices/{READER}", {"site": "Faro"}).code == 200
        assert second.devices.ask("POST /result?deviceId=7&uuid=u1", {"response": {}}).code == 200
    found = first.command(command)
    assert (found["state"], found["attempts"]) == ("succeeded", 1)


def test_tokens_that_were_changed(cluster: Cluster) -> None:
    """A token that was limited at one node, or revoked, sends nothing at another that it may not; one that was only
    renamed goes on, by its new name.
    """
    first, second = cluster.start(), cluster.start()
    cluster.hold_poll(first)
    made = {
        name: first.admin.ask("POST /v1/tokens", {"name": name, "role": "operator"}).json
        for name in ("renamed", "narrowed", "moved", "revoked")
    }
    ports = {name: Port(second.admin.number, token["token"]) for name, token in made.items()}
    get = f"GET /v1/devices/{READER}"
    until(
        lambda: all(port.ask(get).code == 200 for port in ports.values()),
        "the second node knows the tokens and the device",
    )

    def send(name: str) -> Response:
        later = {"payload": LOAD, "not_before": "2999-01-01T00:00:00Z"}
        return ports[name].ask(f"POST /v1/devices/{READER}/commands", later)

    def change(name: str, changes: dict[str, Any]) -> None:
        assert first.admin.ask(f"PATCH /v1/tokens/{made[name]['id']}", changes).code == 200

    with hears_nothing(cluster, second):
        change("renamed", {"name": "gate"})
        change("narrowed", {"endpoints": ["other"]})
        change("moved", {"sites": ["Porto"]})
        assert first.admin.ask(f"DELETE /v1/tokens/{made['revoked']['id']}").code == 204
        codes = {name: send(name).code for name in ("narrowed", "moved", "revoked")}
        sent = send("renamed")
    assert codes == {"narrowed": 403, "moved": 404, "revoked": 401}
    assert (sent.code, sent.json["created_by"]) == (201, "gate")
    assert cluster.read("SELECT count(*) FROM command") == 1


def test_open_with_a_token_that_was_revoked(cluster: Cluster) -> None:
    """Nor does it open a device, or send again what has ended."""
    first, second = cluster.start(), cluster.start()
    cluster.hold_poll(first)
    made = first.admin.ask("POST /v1/tokens", {"name": "lobby", "role": "operator"}).json
    assert first.admin.ask(f"PATCH /v1/devices/{READER}", {"facts": {"model": "iDFlex"}}).code == 200
    command = first.send(READER, LOAD, not_before="2999-01-01T00:00:00Z")
    assert first.admin.ask(f"POST /v1/commands/{command}/cancel").code == 200
    lobby = Port(second.admin.number, made["token"])
    until(lambda: lobby.ask(f"GET /v1/commands/{command}").code == 200, "the second node knows the token")
    model = f"GET /v1/devices/{READER}"
    until(lambda: "model" in lobby.ask(model).json["facts"], "the second node knows the device")
    with hears_nothing(cluster, second):
        assert first.admin.ask(f"DELETE /v1/tokens/{made['id']}").code == 204
        assert lobby.ask(f"POST /v1/devices/{READER}/open").code == 401
        assert first.admin.ask("GET /v1/commands").json["items"][0]["id"] == command
    assert cluster.read("SELECT count(*) FROM command") == 1
