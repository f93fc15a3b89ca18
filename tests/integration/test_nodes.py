"""Tests of several servers on one database: nodes that are killed, stopped or cut off, and devices that move."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.integration.calls import Port
from tests.integration.nodes import POLL, READER, Cluster, alerts, presence_events
from tests.integration.server import until

pytestmark = pytest.mark.slow


def test_killed_node(cluster: Cluster) -> None:
    """The device of a node that dies polls at another one, gets its commands there, and is online throughout."""
    first = cluster.start()
    cluster.hold_poll(first)
    second = cluster.start()
    command = first.send(READER, {"endpoint": "load_objects"}, not_before="2999-01-01T00:00:00Z", ttl=60)
    first.kill()
    sent = second.send(READER, {"endpoint": "load_objects", "body": {"object": "cards"}})
    assert second.devices.ask(f"{POLL}u2").json["body"] == {"object": "cards"}
    assert cluster.serving == cluster.name(second)
    assert second.devices.ask("POST /result?deviceId=7&uuid=u2", {"response": {}}).code == 200
    assert second.command(sent)["state"] == "succeeded"
    assert second.command(command)["state"] == "queued"
    assert presence_events(second) == ["device.online"]


def test_command_for_a_poll_at_another_node(cluster: Cluster) -> None:
    """A command that is sent at one node wakes the poll at another one, and its sender learns the result."""
    first = cluster.start()
    poll = cluster.hold_poll(first)
    second = cluster.start()
    path = f"POST /v1/devices/{READER}/commands?wait=50"
    waiting = second.admin.begin(path, {"payload": {"endpoint": "load_objects"}})
    assert poll.answer().json["endpoint"] == "load_objects"
    assert second.devices.ask("POST /result?deviceId=7&uuid=u1", {"response": {}}).code == 200
    answer = waiting.answer()
    assert (answer.code, answer.json["state"]) == (200, "succeeded")
    assert answer.json["attempts"] == 1


def test_poll_that_moves(cluster: Cluster) -> None:
    """The poll of a device at one node ends when it polls at another one, without waiting until its hold is over."""
    first = cluster.start()
    poll = cluster.hold_poll(first)
    second = cluster.start()
    there = second.devices.begin(f"{POLL}u2")
    assert poll.answer().body == b""
    assert not first.holds(READER)
    command = first.send(READER, {"endpoint": "load_objects"})
    assert there.answer().json["endpoint"] == "load_objects"
    assert second.command(command)["state"] == "sent"


def test_devices_of_a_dead_node(cluster: Cluster) -> None:
    """A device that does not come back after its node has died is offline after its whole timeout from then."""
    first, second = cluster.start(), cluster.start()
    cluster.hold_poll(first)
    assert first.admin.ask(f"PATCH /v1/devices/{READER}", {"heartbeat_timeout": 10}).code == 200
    first.kill()
    until(lambda: cluster.serving == cluster.name(second), "the second node serves the device")
    assert cluster.read("SELECT presence FROM device") == "online"
    until(lambda: cluster.read("SELECT presence FROM device") == "offline", "the device is offline")


def test_stopped_node(cluster: Cluster) -> None:
    """A node that was stopped for longer than others wait finds its sessions ended when it wakes up, does no harm, and
    serves again.
    """
    first = cluster.start()
    cluster.hold_poll(first)
    second = cluster.start()
    first_name = cluster.name(first)
    os.kill(first.pid, signal.SIGSTOP)
    until(lambda: f"Node {first_name} is dead" in second.log.read_text(), "the second node has noticed")
    until(lambda: cluster.serving == cluster.name(second), "the second node serves the device")
    poll = second.devices.begin(f"{POLL}u2")
    command = second.send(READER, {"endpoint": "load_objects"})
    assert poll.answer().json["endpoint"] == "load_objects"
    os.kill(first.pid, signal.SIGCONT)
    until(lambda: first.admin.ask("GET /readyz").code == 200, "the first node is ready again")
    assert second.devices.ask("POST /result?deviceId=7&uuid=u2", {"response": {}}).code == 200
    assert first.command(command)["state"] == "succeeded"
    assert first.command(command)["attempts"] == 1
    assert alerts(first) == []
    again = first.send(READER, {"endpoint": "load_objects"})
    assert first.devices.ask(f"{POLL}u3").json["endpoint"] == "load_objects"
    assert first.command(again)["state"] == "sent"


def test_upgraded_schema(cluster: Cluster) -> None:
    """A node that is too old for a schema that was upgraded while it ran answers its polls, and ends."""
    node = cluster.start()
    poll = cluster.hold_poll(node)
    cluster.admin.execute(b"UPDATE schema_version SET version = 99, oldest = 99")
    assert poll.answer().code == 200
    assert node.wait_exit() == 0
    assert "Install the version of pushd that the other nodes run. This process ends." in node.log.read_text()


def test_database_away(cluster: Cluster) -> None:
    """While the database is away, nodes are not ready after ten seconds, and end polls so that balancers send devices
    elsewhere; when it is back, no device is blamed.
    """
    node = cluster.start()
    poll = cluster.hold_poll(node)
    with cluster.database_away():
        answer = poll.answer()
        assert answer.headers["connection"] == "close"
        assert answer.body == b""
        assert node.admin.ask("GET /readyz").code == 503
        later = node.devices.begin(f"{POLL}u2")
    until(lambda: node.admin.ask("GET /readyz").code == 200, "the node is ready again")
    command = node.send(READER, {"endpoint": "load_objects"})
    assert later.answer().json["endpoint"] == "load_objects"
    assert node.command(command)["state"] == "sent"
    assert alerts(node) == []
    assert cluster.read("SELECT lost_ms FROM service") > 5_000


def test_rejections_of_all_nodes(cluster: Cluster) -> None:
    """An operator who asks one node learns what another one has refused, and which."""
    first, second = cluster.start(), cluster.start()
    second.devices.begin("GET /nowhere/push?deviceId=7").answer()
    found: list[dict[str, Any]] = []

    def is_listed() -> bool:
        found[:] = first.admin.ask("GET /v1/rejections").json["items"]
        return bool(found)

    until(is_listed, "the first node lists what the second one has refused")
    assert [(each["path"], each["node"]) for each in found] == [("/nowhere/push", cluster.name(second))]


def test_node_that_stops(cluster: Cluster) -> None:
    """The devices of a node that is stopped are taken over at once, without waiting until it counts as dead."""
    first, second = cluster.start(), cluster.start()
    cluster.hold_poll(first)
    name = cluster.name(first)
    assert first.stop() == 0
    until(lambda: cluster.serving == cluster.name(second), "the second node serves the device")
    gone = f"SELECT count(*) = 0 FROM node WHERE name = '{name}'"
    until(lambda: cluster.read(gone), "the node is forgotten")


def test_polls_at_two_nodes_at_once(cluster: Cluster) -> None:
    """Of two polls of a device that reach two nodes at the same instant one is held, and the other one ends; each
    command is sent once, and the device is online throughout.
    """
    nodes = [cluster.start(), cluster.start()]
    with ThreadPoolExecutor(2) as threads:
        for number in range(3):
            begun = [threads.submit(node.devices.begin, f"{POLL}u{number}") for node in nodes]
            polls = [each.result() for each in begun]
            cluster.polls += polls
            until(lambda: sorted(node.holds(READER) for node in nodes) == [False, True], "one poll is held")
            command = nodes[number % 2].send(READER, {"endpoint": "load_objects"})
            assert sorted(bool(poll.answer().body) for poll in polls) == [False, True]
            assert nodes[0].devices.ask(f"POST /result?deviceId=7&uuid=u{number}", {"response": {}}).code == 200
            found = nodes[1].command(command)
            assert (found["state"], found["attempts"]) == ("succeeded", 1)
    assert presence_events(nodes[0]) == ["device.online"]


def test_wait_at_another_node(cluster: Cluster) -> None:
    """Who waits at one node for the outcome of a command learns of the result that another one gets."""
    first, second = cluster.start(), cluster.start()
    poll = cluster.hold_poll(first)
    waiting = second.admin.begin(
        f"POST /v1/devices/{READER}/commands?wait=50", {"payload": {"endpoint": "load_objects"}}
    )
    assert poll.answer().json["endpoint"] == "load_objects"
    assert first.devices.ask("POST /result?deviceId=7&uuid=u1", {"response": {}}).code == 200
    answer = waiting.answer()
    assert (answer.code, answer.json["state"]) == (200, "succeeded")


def test_node_that_is_stopped_while_it_writes(cluster: Cluster) -> None:
    """A node that is stopped while its group is written keeps no device locked for long: PostgreSQL has all of it and
    commits it, or gives it up. There is one command with the key, and both senders learn which it is.
    """
    first, second = cluster.start(), cluster.start()
    assert first.admin.ask("POST /v1/devices", {"id": READER}).code == 201
    until(lambda: second.admin.ask(f"GET /v1/devices/{READER}").code == 200, "the second node knows the device")
    send = f"POST /v1/devices/{READER}/commands", {"payload": {"endpoint": "load_objects"}}
    with psycopg.connect(cluster.url) as other:
        other.execute("LOCK TABLE command IN SHARE MODE")
        sending = first.admin.begin(*send, **{"Idempotency-Key": "k"})
        until(lambda: cluster.read("SELECT count(*) FROM pg_locks WHERE NOT granted"), "the first node writes")
        os.kill(first.pid, signal.SIGSTOP)
    while (sent := second.admin.ask(*send, **{"Idempotency-Key": "k"})).code == 503:
        pass  # it waits for the device for a few seconds
    os.kill(first.pid, signal.SIGCONT)
    answer = sending.answer()
    assert sorted([sent.code, answer.code]) == [200, 201]
    assert answer.json["id"] == sent.json["id"]
    assert cluster.read("SELECT count(*) FROM command") == 1


def test_lost_listener(cluster: Cluster) -> None:
    """A node whose listening session is lost hears what was queued meanwhile when it listens again."""
    first, second = cluster.start(), cluster.start()
    poll = cluster.hold_poll(first)
    with cluster.no_new_sessions():
        cluster.end_listener(first)
        command = second.send(READER, {"endpoint": "load_objects"})
        until(lambda: "Other nodes are not heard" in first.log.read_text(), "the first node has noticed")
        assert first.holds(READER)
    assert poll.answer().json["endpoint"] == "load_objects"
    assert second.command(command)["state"] == "sent"


def test_device_that_a_node_has_not_heard_of(cluster: Cluster) -> None:
    """A device that was registered at one node gets a command from the other one at once, whatever that has heard."""
    first, second = cluster.start(), cluster.start()
    until(lambda: second.admin.ask("GET /v1/devices").code == 200, "the second node hears others")
    with cluster.no_new_sessions():
        cluster.end_listener(second)
        until(lambda: "Other nodes are not heard" in second.log.read_text(), "it hears nothing")
        assert first.admin.ask("POST /v1/devices", {"id": READER}).code == 201
        command = second.send(READER, {"endpoint": "load_objects"})
    assert second.devices.ask(f"{POLL}u1").json["endpoint"] == "load_objects"
    assert first.command(command)["state"] == "sent"


def test_tokens_of_another_node(cluster: Cluster) -> None:
    """A token that is made, changed, rotated or revoked at one node counts at the other one."""
    first, second = cluster.start(), cluster.start()

    def code(secret: str) -> int:
        return Port(second.admin.number, secret).ask("GET /v1/devices").code

    made = first.admin.ask("POST /v1/tokens", {"name": "lobby", "role": "viewer"}).json
    until(lambda: code(made["token"]) == 200, "a new token counts")
    rotated = first.admin.ask(f"POST /v1/tokens/{made['id']}/rotate?overlap=0").json
    until(lambda: code(rotated["token"]) == 200, "the new secret counts")
    until(lambda: code(made["token"]) == 401, "the old secret does not")
    assert first.admin.ask(f"PATCH /v1/tokens/{made['id']}", {"name": "gate"}).code == 200
    until(lambda: second.admin.ask(f"GET /v1/tokens/{made['id']}").json["name"] == "gate", "its new name is known")
    assert first.admin.ask(f"DELETE /v1/tokens/{made['id']}").code == 204
    until(lambda: code(rotated["token"]) == 401, "it counts no more")


def test_token_that_is_revoked_while_a_node_hears_nothing(cluster: Cluster) -> None:
    """A node that cannot hear of it soon takes no token at all, and never again the one that was revoked."""
    first, second = cluster.start(), cluster.start()
    token = first.admin.ask("POST /v1/tokens", {"name": "lobby", "role": "viewer"}).json
    lobby = Port(second.admin.number, token["token"])
    until(lambda: lobby.ask("GET /v1/devices").code == 200, "the token counts")
    with cluster.no_new_sessions():
        cluster.end_listener(second)
        assert first.admin.ask(f"DELETE /v1/tokens/{token['id']}").code == 204
        until(lambda: lobby.ask("GET /v1/devices").code == 503, "the second node takes no token")
    while (code := lobby.ask("GET /v1/devices").code) == 503:
        pass  # until it hears again
    assert code == 401


FLEET = 1000


def test_thousand_polls_of_a_dead_node(cluster: Cluster) -> None:
    """A node that dies with a thousand held polls raises no alert for devices that come back elsewhere in time."""
    first = cluster.start()
    polls = [first.devices.begin(f"GET /push?deviceId={number}&uuid=") for number in range(FLEET)]
    until(lambda: cluster.read("SELECT count(*) FROM sighting") == FLEET, "the first node serves all")
    cluster.admin.execute(b"UPDATE device SET heartbeat_timeout = 10")
    second = cluster.start()
    died = cluster.read("SELECT wall_ms() - lost_ms FROM service")
    first.kill()
    for poll in polls:
        poll.hang_up()
    cluster.polls += [second.devices.begin(f"GET /push?deviceId={number}&uuid=") for number in range(FLEET)]
    name = cluster.name(second)
    until(lambda: cluster.read(f"SELECT bool_and(node = '{name}') FROM sighting"), "the second node serves all")
    until(lambda: cluster.read(f"SELECT wall_ms() - lost_ms - {died} > 15000 FROM service"), "the timeout is over")
    assert cluster.read("SELECT count(*) FROM device WHERE presence = 'online'") == FLEET
    assert cluster.read("SELECT count(*) FROM event WHERE type = 'device.offline'") == 0
    assert alerts(second) == []
