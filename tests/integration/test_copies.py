"""Tests of a server that is started with a copy of its database: a restored backup, or a snapshot of the machine."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.integration.server import Server

pytestmark = pytest.mark.slow

READER = "controlid:7"
OPEN_DOOR = {"endpoint": "execute_actions", "body": {"actions": [{"action": "door", "parameters": "door=1"}]}}
POLL = "GET /push?deviceId=7&uuid="
COPY = "is a copy that lacks later changes"


def back_up(server: Server, path: Path) -> None:
    """Copy the database of a server that runs, as the documentation says."""
    with (
        closing(sqlite3.connect(server.data_dir / "pushd.sqlite")) as database,
        closing(sqlite3.connect(path)) as copy,
    ):
        database.backup(copy)


def restore(server: Server, path: Path) -> None:
    """Put a backup in place of the database of a server that is stopped."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{server.data_dir}/pushd.sqlite{suffix}").unlink(missing_ok=True)
    shutil.copyfile(path, server.data_dir / "pushd.sqlite")


def start(server: Server, *options: str) -> None:
    """Start a server with these options for this start only."""
    given, server.options = server.options, (*server.options, *options)
    server.start()
    server.options = given


@pytest.fixture
def backup(server: Server, tmp_path: Path) -> tuple[Path, str]:
    """A backup in which a command is queued that has run since, and the command's id; the server is stopped."""
    server.admin.ask("POST /v1/devices", {"id": READER, "hold": 0})
    command = server.send(READER, OPEN_DOOR, ttl=3600)
    back_up(server, tmp_path / "backup.sqlite")
    assert server.devices.ask(f"{POLL}u1").json["endpoint"] == "execute_actions"
    assert server.devices.ask("POST /result?deviceId=7&uuid=u1", {"response": {}}).code == 200
    assert server.command(command)["state"] == "succeeded"
    server.stop()
    return tmp_path / "backup.sqlite", command


def events(server: Server) -> list[dict[str, Any]]:
    """All events."""
    found: list[dict[str, Any]] = server.admin.ask("GET /v1/events?limit=500").json["items"]
    return found


def test_a_restored_backup_opens_no_door_twice(server: Server, backup: tuple[Path, str]) -> None:
    """What was queued in a backup is unknown after it was restored, and is never sent."""
    path, command = backup
    restore(server, path)
    server.start()
    assert server.log.read_text().count(COPY) == 1
    found = server.command(command)
    assert (found["state"], found["attempts"]) == ("unknown", 0)
    assert not server.devices.ask(f"{POLL}u2").body
    assert server.admin.ask("GET /v1/fsck").json["items"] == []
    resolved = server.admin.ask(f"POST /v1/commands/{command}/resolve", {"state": "succeeded"})
    assert resolved.json["state"] == "succeeded"
    assert server.admin.ask("GET /v1/fsck").json["items"] == []
    later = server.send(READER, OPEN_DOOR)
    server.stop()
    server.start()
    assert COPY not in server.log.read_text()
    assert server.command(later)["state"] == "queued"


def test_a_restored_backup_can_be_queued_again(server: Server, backup: tuple[Path, str]) -> None:
    """An operator who knows that nothing has run since keeps what is queued."""
    path, command = backup
    restore(server, path)
    start(server, "--requeue")
    assert server.command(command)["state"] == "queued"
    assert server.devices.ask(f"{POLL}u2").json["endpoint"] == "execute_actions"


def test_no_id_is_given_twice(server: Server, tmp_path: Path) -> None:
    """A consumer whose position is later than a backup is not served other events under the same ids."""
    server.admin.ask("POST /v1/devices", {"id": READER})
    before = events(server)
    back_up(server, tmp_path / "backup.sqlite")
    server.admin.ask("POST /v1/devices", {"id": "controlid:8"})
    (lost,) = events(server)[len(before) :]
    server.kill()
    restore(server, tmp_path / "backup.sqlite")
    server.start()
    server.admin.ask("POST /v1/devices", {"id": "controlid:9"})
    assert events(server)[: len(before)] == before
    assert lost["seq"] not in {event["seq"] for event in events(server)}
    problem = server.admin.ask(f"GET /v1/events?after={lost['seq']}")
    assert (problem.code, problem.json["oldest"]) == (410, before[0]["seq"])
    found = server.admin.ask(f"GET /v1/events?after={before[-1]['seq']}").json["items"]
    assert [event["device"] for event in found] == ["controlid:9"]


def test_a_snapshot_of_the_machine_is_said_to_be_a_copy(server: Server, tmp_path: Path) -> None:
    """A copy of the whole directory is not noticed; the operator says that it is one."""
    server.admin.ask("POST /v1/devices", {"id": READER, "hold": 0})
    command = server.send(READER, OPEN_DOOR, ttl=3600)
    server.stop()
    shutil.copytree(server.data_dir, tmp_path / "snapshot")
    server.start()
    assert COPY not in server.log.read_text()
    server.kill()
    shutil.rmtree(server.data_dir)
    (tmp_path / "snapshot").rename(server.data_dir)
    start(server, "--restored")
    assert server.log.read_text().count(COPY) == 1
    assert server.command(command)["state"] == "unknown"


def test_a_database_without_its_directory_is_a_copy(server: Server) -> None:
    """A server that is moved without its history takes the database for a copy."""
    server.admin.ask("POST /v1/devices", {"id": READER, "hold": 0})
    command = server.send(READER, OPEN_DOOR, ttl=3600)
    server.stop()
    (server.data_dir / "history").unlink()
    server.start()
    assert server.command(command)["state"] == "unknown"


def test_a_killed_server_is_not_taken_for_a_copy(server: Server) -> None:
    """After a crash at any moment, what is queued stays queued."""
    server.admin.ask("POST /v1/devices", {"id": READER, "hold": 0})
    for _ in range(3):
        command = server.send(READER, OPEN_DOOR, ttl=3600)
        server.kill()
        server.start()
        assert COPY not in server.log.read_text()
        assert server.command(command)["state"] == "queued"


def test_a_result_from_before_the_restore_counts(server: Server, tmp_path: Path) -> None:
    """A container that is still working on a command when the server is restored may report it afterwards."""
    server.admin.ask("POST /v1/devices", {"id": "servereye:one", "hold": 0})
    command = server.send("servereye:one", {"control": "REFRESH_AGENT"})
    back_up(server, tmp_path / "backup.sqlite")
    assert command in str(server.devices.ask("GET /push/one").json)
    server.stop()
    restore(server, tmp_path / "backup.sqlite")
    server.start()
    assert server.devices.ask(f"POST /push/one/ack/{command}").code == 200
    assert server.command(command)["state"] == "unknown"
    assert server.devices.ask(f"POST /push/one/result/{command}", {"success": True}).code == 200
    found = server.command(command)
    assert (found["state"], found["evidence"], found["late"]) == ("succeeded", "device", True)
    assert server.admin.ask("GET /v1/fsck").json["items"] == []
