"""Tests of a server with a full disk or a damaged database."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_FSIZE, prlimit

import pytest

from tests.integration.server import OPEN, ROOT, Server, environment, until

pytestmark = pytest.mark.slow

CONTROLID = "controlid:1"
SERVEREYE = "servereye:one"
COMMAND = {"endpoint": "load_objects"}
RESULT: dict[str, object] = {"response": {}}


@contextmanager
def full_disk(server: Server) -> Iterator[None]:
    """Let no file of the server grow, as on a full disk."""
    size = (server.data_dir / "pushd.sqlite-wal").stat().st_size
    prlimit(server.pid, RLIMIT_FSIZE, (size, RLIM_INFINITY))
    try:
        yield
    finally:
        prlimit(server.pid, RLIMIT_FSIZE, (RLIM_INFINITY, RLIM_INFINITY))


def server_with_commands(folder: Path) -> tuple[Server, str, str]:
    """A running server with a device of each dialect, and the ids of the commands that they have received."""
    server = Server(folder, (*OPEN, "--hold=controlid=1", "--hold=servereye=1")).start()
    for device in (CONTROLID, SERVEREYE):
        assert server.admin.ask("POST /v1/devices", {"id": device}).code == 201
    door, refresh = server.send(CONTROLID, COMMAND), server.send(SERVEREYE, {"control": "REFRESH_AGENT"})
    assert server.devices.ask("GET /push?deviceId=1&uuid=a").json == COMMAND
    assert server.devices.ask("GET /push/one").json["data"]["messageId"] == refresh
    return server, door, refresh


def test_a_full_disk_accepts_nothing_and_loses_nothing(tmp_path: Path) -> None:
    """While the disk is full, commands and results are answered with 503, and polls without a command; afterwards
    everything works again.
    """
    server, door, refresh = server_with_commands(tmp_path)
    try:
        with full_disk(server):
            refused = server.admin.ask(f"POST /v1/devices/{CONTROLID}/commands", {"payload": COMMAND})
            assert (refused.code, refused.headers["content-type"]) == (503, "application/problem+json")
            result = server.devices.ask("POST /result?deviceId=1&uuid=a", RESULT)
            assert (result.code, result.body) == (503, b"")
            report = server.devices.ask(f"POST /push/one/result/{refresh}", {"success": True})
            assert (report.code, report.json["success"]) == (503, False)
            idle = server.devices.ask("GET /push?deviceId=1&uuid=b")
            assert (idle.code, idle.body) == (200, b"")
            assert server.devices.ask("GET /push/one").json["success"] is False
            assert server.admin.ask("GET /healthz").code == 200
            assert server.admin.ask("GET /readyz").code == 503
            assert server.command(door)["state"] == "sent"
            for _ in range(20):
                assert server.admin.ask("GET /readyz").code == 503
                assert server.devices.ask("POST /result?deviceId=1&uuid=a", RESULT).code == 503
        until(lambda: server.admin.ask("GET /readyz").code == 200, "the server is ready again")
        assert server.devices.ask("POST /result?deviceId=1&uuid=a", RESULT).code == 200
        assert server.devices.ask(f"POST /push/one/result/{refresh}", {"success": True}).code == 200
        assert [server.command(command)["state"] for command in (door, refresh)] == ["succeeded", "succeeded"]
        assert len(server.admin.ask("GET /v1/commands").json["items"]) == 2
        assert server.admin.ask("GET /v1/fsck").json == {"items": []}
        log = server.log.read_text()
        lines = "Unable to write to the database: ", "The database can be written again"
        assert [log.count(line) for line in lines] == [1, 1]
        assert not any(line in log for line in ("503:", "Could not claim", "failed, will retry"))
    finally:
        server.kill()


def test_what_was_accepted_before_the_disk_was_full_survives_a_kill(tmp_path: Path) -> None:
    """A server that is killed while its disk is full has all accepted commands at its next start, and no others."""
    server, door, refresh = server_with_commands(tmp_path)
    try:
        with full_disk(server):
            assert server.admin.ask(f"POST /v1/devices/{CONTROLID}/commands", {"payload": COMMAND}).code == 503
            server.kill()
            server.start()
        assert {item["id"] for item in server.admin.ask("GET /v1/commands").json["items"]} == {door, refresh}
        assert server.admin.ask("GET /v1/fsck").json == {"items": []}
    finally:
        server.kill()


def test_a_damaged_database_is_not_served(tmp_path: Path) -> None:
    """A server does not start with a database whose pages are damaged, and fsck reports the damage."""
    server, _, _ = server_with_commands(tmp_path)
    try:
        assert server.stop() == 0
        database = server.data_dir / "pushd.sqlite"
        pages = bytearray(database.read_bytes())
        pages[8192:] = b"\xa5" * (len(pages) - 8192)
        database.write_bytes(pages)
        fsck = subprocess.run(
            [sys.executable, "-m", "pushd.fsck", str(database)], cwd=ROOT, env=environment(), capture_output=True
        )
        assert fsck.returncode in (1, 2), fsck.stdout
        assert fsck.stdout or fsck.stderr
        server.launch()
        assert server.wait_exit() == 1
        error = server.stderr.read_text()
        assert error.count("\n") == 1
        assert str(database) in error
    finally:
        server.kill()
