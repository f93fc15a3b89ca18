"""Tests of a disk that is full, and of a database that was damaged."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_FSIZE, prlimit

import pytest

from tests.integration.server import HOME, OPEN, Server, environment, until

pytestmark = pytest.mark.slow

READER = "controlid:1"
CONTAINER = "servereye:one"
LOAD = {"endpoint": "load_objects"}
DONE: dict[str, object] = {"response": {}}


@contextmanager
def full_disk(server: Server) -> Iterator[None]:
    """A server whose files may not grow, as on a disk that is full."""
    size = (server.data_dir / "pushd.sqlite-wal").stat().st_size
    prlimit(server.pid, RLIMIT_FSIZE, (size, RLIM_INFINITY))
    try:
        yield
    finally:
        prlimit(server.pid, RLIMIT_FSIZE, (RLIM_INFINITY, RLIM_INFINITY))


def busy(folder: Path) -> tuple[Server, str, str]:
    """A server with a reader and a container, each of which has taken a command."""
    server = Server(folder, (*OPEN, "--hold=controlid=1", "--hold=servereye=1")).start()
    for device in (READER, CONTAINER):
        assert server.admin.ask("POST /v1/devices", {"id": device}).code == 201
    door, refresh = server.send(READER, LOAD), server.send(CONTAINER, {"control": "REFRESH_AGENT"})
    assert server.devices.ask("GET /push?deviceId=1&uuid=a").json == LOAD
    assert server.devices.ask("GET /push/one").json["data"]["messageId"] == refresh
    return server, door, refresh


def test_a_full_disk_accepts_nothing_and_loses_nothing(tmp_path: Path) -> None:
    """While nothing can be written a send is a 503, polls end idle and results are a 503 to be sent again; all is well
    once there is room.
    """
    server, door, refresh = busy(tmp_path)
    try:
        with full_disk(server):
            refused = server.admin.ask(f"POST /v1/devices/{READER}/commands", {"payload": LOAD})
            assert (refused.code, refused.headers["content-type"]) == (503, "application/problem+json")
            result = server.devices.ask("POST /result?deviceId=1&uuid=a", DONE)
            assert (result.code, result.body) == (503, b"")
            report = server.devices.ask(f"POST /push/one/result/{refresh}", {"success": True})
            assert (report.code, report.json["success"]) == (503, False)
            idle = server.devices.ask("GET /push?deviceId=1&uuid=b")
            assert (idle.code, idle.body) == (200, b"")
            assert server.devices.ask("GET /push/one").json["success"] is False
            assert server.admin.ask("GET /healthz").code == 200
            assert server.admin.ask("GET /readyz").code == 503
            assert server.command(door)["state"] == "sent"
        until(lambda: server.admin.ask("GET /readyz").code == 200, "a server that is ready again")
        assert server.devices.ask("POST /result?deviceId=1&uuid=a", DONE).code == 200
        assert server.devices.ask(f"POST /push/one/result/{refresh}", {"success": True}).code == 200
        assert [server.command(command)["state"] for command in (door, refresh)] == ["succeeded", "succeeded"]
        assert len(server.admin.ask("GET /v1/commands").json["items"]) == 2
        assert server.admin.ask("GET /v1/fsck").json == {"items": []}
    finally:
        server.kill()


def test_what_was_accepted_before_the_disk_was_full_survives_a_kill(tmp_path: Path) -> None:
    """A server that is killed while its disk is full knows at its next start what it had promised, and no more."""
    server, door, refresh = busy(tmp_path)
    try:
        with full_disk(server):
            assert server.admin.ask(f"POST /v1/devices/{READER}/commands", {"payload": LOAD}).code == 503
            server.kill()
            server.start()
        assert {item["id"] for item in server.admin.ask("GET /v1/commands").json["items"]} == {door, refresh}
        assert server.admin.ask("GET /v1/fsck").json == {"items": []}
    finally:
        server.kill()


def test_a_damaged_database_is_not_served(tmp_path: Path) -> None:
    """A database with a page of rubbish is found out by fsck, and by the server before it serves anybody, or at the
    call that needs what is gone: never by an answer that is made up.
    """
    server, _, _ = busy(tmp_path)
    try:
        assert server.stop() == 0
        database = server.data_dir / "pushd.sqlite"
        pages = bytearray(database.read_bytes())
        pages[8192:] = b"\xa5" * (len(pages) - 8192)
        database.write_bytes(pages)
        looked = subprocess.run(
            [sys.executable, "-m", "pushd.fsck", str(database)], cwd=HOME, env=environment(), capture_output=True
        )
        assert looked.returncode in (1, 2), looked.stdout
        assert looked.stdout or looked.stderr
        server.launch()
        assert server.ended() == 1
        complaint = server.complaints.read_text()
        assert complaint.count("\n") == 1
        assert str(database) in complaint
    finally:
        server.kill()
