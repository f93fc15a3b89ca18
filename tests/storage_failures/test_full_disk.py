"""Tests of a server whose disk is full for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.integration.server import Server, ports_in, until
from tests.storage_failures.disks import HOLD, KINDS, Disk, NotPermitted, mounted

pytestmark = pytest.mark.slow

LOAD = {"endpoint": "load_objects"}
REFRESH = {"control": "REFRESH_AGENT"}
PROBLEM = "application/problem+json"
JITTER = 0.1
"""The part by which a hold may be shorter."""


@contextmanager
def running(kind: Any, folder: Path) -> Iterator[Disk]:
    """A disk with a running server."""
    try:
        with kind(folder) as disk:
            disk.server.start()
            try:
                yield disk
            finally:
                disk.server.kill()
    except NotPermitted as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module", params=list(KINDS))
def disk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """A disk of each kind; each test has devices of its own."""
    with running(KINDS[request.param], tmp_path_factory.mktemp("disk")) as disk:
        yield disk


def register(server: Server, device: str) -> None:
    """Add an approved device."""
    assert server.admin.ask("POST /v1/devices", {"id": device}).code == 201


def known(server: Server) -> set[str]:
    """The ids of all devices."""
    return {item["id"] for item in server.admin.ask("GET /v1/devices?limit=500").json["items"]}


def is_consistent(server: Server) -> bool:
    """Whether fsck finds nothing."""
    return bool(server.admin.ask("GET /v1/fsck").json == {"items": []})


def test_nothing_is_accepted_while_the_disk_is_full(disk: Disk) -> None:
    """Each request that would write is answered with 503 and leaves nothing behind; repeated later, it succeeds."""
    server = disk.server
    register(server, "controlid:1")
    path = "/v1/devices/controlid:1"
    changes: list[tuple[str, object]] = [
        (f"POST {path}/commands", {"payload": LOAD}),
        ("POST /v1/devices", {"id": "controlid:2"}),
        (f"PATCH {path}", {"name": "door"}),
        (f"POST {path}/secret", None),
        (f"DELETE {path}", None),
    ]
    key = {"Idempotency-Key": "k"}
    with disk.full():
        for line, body in changes:
            refused = server.admin.ask(line, body, **key)
            assert (refused.code, refused.headers["content-type"]) == (503, PROBLEM), line
            assert refused.json["status"] == 503
    seen = server.admin.ask(f"GET {path}").json
    assert (seen["name"], seen["queue"], seen["proof"]) == ("", 0, [])
    assert "controlid:2" not in known(server)
    assert is_consistent(server)
    assert [server.admin.ask(line, body, **key).code for line, body in changes] == [201, 201, 200, 201, 204]


def test_a_result_that_cannot_be_stored_is_refused(disk: Disk) -> None:
    """Acknowledgements and results are answered with 503 as their dialect does, and count when repeated."""
    server = disk.server
    for device in ("controlid:3", "servereye:three"):
        register(server, device)
    commands = [server.send("controlid:3", LOAD), server.send("servereye:three", REFRESH)]
    assert server.devices.ask("GET /push?deviceId=3&uuid=u").json == LOAD
    assert server.devices.ask("GET /push/three").json["data"]["messageId"] == commands[1]
    calls = [f"POST /push/three/{call}/{commands[1]}" for call in ("ack", "result")]
    with disk.full():
        result = server.devices.ask("POST /result?deviceId=3&uuid=u", {"response": {}})
        assert (result.code, result.body) == (503, b"")
        for line in (*calls, "POST /push/three/signoff"):
            refused = server.devices.ask(line, {"success": True})
            assert (refused.code, refused.json["success"]) == (503, False), line
            assert "data" not in refused.json
        assert [server.command(command)["state"] for command in commands] == ["sent", "sent"]
    assert server.devices.ask("POST /result?deviceId=3&uuid=u", {"response": {}}).code == 200
    assert [server.devices.ask(line, {"success": True}).code for line in calls] == [200, 200]
    ended = [server.command(command) for command in commands]
    assert [(one["state"], one["late"]) for one in ended] == [("succeeded", False)] * 2
    assert is_consistent(server)


def test_polls_are_held_while_nothing_can_be_claimed(disk: Disk) -> None:
    """A poll ends idle at the end of its hold, also of an unknown device; the next poll gets the command, once."""
    server = disk.server
    for device in ("controlid:4", "servereye:four"):
        register(server, device)
    commands = [server.send("controlid:4", LOAD), server.send("servereye:four", REFRESH)]
    with disk.full():
        began = monotonic()
        lines = ("GET /push?deviceId=4&uuid=u", "GET /push/four", "GET /push?deviceId=5")
        polls = [server.devices.begin(line) for line in lines]
        reader, container, unknown = (poll.answer() for poll in polls)
        assert monotonic() - began > HOLD * (1 - JITTER) - 0.1
        assert [(one.code, one.body) for one in (reader, unknown)] == [(200, b""), (200, b"")]
        assert (container.code, container.json["success"], "data" in container.json) == (200, False, False)
    assert [server.command(command)["attempts"] for command in commands] == [0, 0]
    assert server.devices.ask("GET /push?deviceId=4&uuid=v").json == LOAD
    assert server.devices.ask("GET /push/four").json["data"]["messageId"] == commands[1]
    assert server.devices.ask("GET /push?deviceId=5").body == b""
    assert "controlid:5" in known(server)


def test_reads_work_while_the_disk_is_full(disk: Disk) -> None:
    """All lists can be read; the server is alive but not ready, and becomes ready by itself when there is space."""
    server = disk.server
    register(server, "controlid:6")
    command = server.send("controlid:6", LOAD)
    with disk.full():
        for path in ("devices", f"commands/{command}", "commands", f"commands/{command}/explain", "events", "fsck"):
            assert server.admin.ask(f"GET /v1/{path}").code == 200, path
        assert server.admin.ask("GET /healthz").code == 200
        unready = server.admin.ask("GET /readyz")
        assert (unready.code, unready.headers["content-type"]) == (503, PROBLEM)
    until(lambda: server.admin.ask("GET /readyz").code == 200, "a server that is ready again")


def test_a_server_that_died_on_a_full_disk_can_be_started_there(tmp_path: Path) -> None:
    """It serves what needs no writing, has lost nothing, and is ready as soon as there is space."""
    with running(mounted, tmp_path) as disk:
        server = disk.server
        register(server, "controlid:1")
        command = server.send("controlid:1", LOAD)
        with disk.full():
            server.kill()
            server.launch()
            until(lambda: len(ports_in(server.log)) > 1, "a server that listens")
            assert [server.admin.ask(f"GET /{name}").code for name in ("healthz", "readyz")] == [200, 503]
            assert server.command(command)["state"] == "queued"
        until(lambda: server.admin.ask("GET /readyz").code == 200, "a server that is ready again")
        assert server.devices.ask("GET /push?deviceId=1").json == LOAD
        assert is_consistent(server)


def test_a_server_with_a_command_in_flight_starts_on_a_full_disk(tmp_path: Path) -> None:
    """Its lease is renewed in memory, which needs no space."""
    with running(mounted, tmp_path) as disk:
        server = disk.server
        register(server, "controlid:1")
        command = server.send("controlid:1", LOAD)
        assert server.devices.ask("GET /push?deviceId=1").json == LOAD
        with disk.full():
            server.kill()
            server.launch()
            until(lambda: len(ports_in(server.log)) > 1, "a server that listens")
            assert server.command(command)["state"] == "sent"
        until(lambda: server.admin.ask("GET /readyz").code == 200, "a server that is ready again")
        assert is_consistent(server)


def test_a_first_start_on_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    """A server without space for its database reports that in one line; the next start, with space, is a first one."""
    with running(mounted, tmp_path) as disk:
        server = disk.server
        server.kill()
        for path in server.data_dir.iterdir():
            path.unlink()
        with disk.full():
            server.launch()
            assert server.wait_exit() == 1
            (line,) = server.stderr.read_text().splitlines()
            assert line.startswith("pushd: ")
        server.start()
        assert server.admin.ask("GET /v1/devices").json["items"] == []
