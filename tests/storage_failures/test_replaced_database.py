"""Tests of a server whose database is deleted, replaced or emptied while it runs, or is gone when it starts."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from pushd.store.group_commit import PendingTransaction
from pushd.store.sqlite.connection import SqliteConnection
from tests.in_memory_server import BuildServer, InMemoryServer
from tests.integration.conftest import MakeServer
from tests.integration.server import Server, until
from tests.store.clock import new_store

READER = "controlid:7"
SEND = f"POST /v1/devices/{READER}/commands"
LOAD = {"payload": {"endpoint": "load_objects"}}


def delete(database: Path) -> None:
    """Delete the database."""
    database.unlink()


def replace(database: Path) -> None:
    """Put a copy in its place, as a restored backup or an editor does."""
    shutil.copyfile(database, database.with_suffix(".copy"))
    database.with_suffix(".copy").rename(database)


def empty(database: Path) -> None:
    """Truncate it, as ``> pushd.sqlite`` in a shell does."""
    os.truncate(database, 0)


def delete_wal(database: Path) -> None:
    """Delete only the file that has the latest commits."""
    Path(f"{database}-wal").unlink()


def move_directory(database: Path) -> None:
    """Move the whole data directory away."""
    database.parent.rename(database.parent.with_suffix(".moved"))


ACCIDENTS = (delete, replace, empty, delete_wal, move_directory)
Accident = Callable[[Path], None]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The path of the database."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "pushd.sqlite"


@pytest.fixture
def server(build_server: BuildServer, database: Path) -> InMemoryServer:
    """A server with a database in a file, and a device."""
    server = build_server(new_store(str(database)))
    server.register(READER)
    return server


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_nothing_is_accepted_that_the_next_start_would_not_find(
    server: InMemoryServer, database: Path, accident: Accident
) -> None:
    """An operator whose database is no longer at its path gets 503, and the server is not ready."""
    assert server.ask("GET /readyz").code == 200
    accident(database)
    sent = server.ask(SEND, LOAD)
    assert sent.code == 503
    assert str(database) in sent.json["detail"]
    assert server.ask("GET /readyz").code == 503
    listed = server.ask("GET /v1/commands")
    assert listed.code == 503 or listed.json["items"] == []


@pytest.mark.parametrize("accident", [delete, replace, delete_wal])
def test_a_loss_during_a_commit_is_found_before_the_answer(
    server: InMemoryServer, database: Path, accident: Accident, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command is not accepted when the database is lost between its change and its answer."""
    commit = SqliteConnection.commit

    def commit_and_lose(connection: SqliteConnection) -> Sequence[PendingTransaction]:
        accident(database)
        return commit(connection)

    assert server.ask("GET /readyz").code == 200
    monkeypatch.setattr(SqliteConnection, "commit", commit_and_lose)
    assert server.ask(SEND, LOAD).code == 503


def test_a_database_that_is_back_is_used_again(server: InMemoryServer, database: Path) -> None:
    """After the file was moved back, commands are accepted without a restart."""
    database.rename(database.with_suffix(".away"))
    assert server.ask(SEND, LOAD).code == 503
    database.with_suffix(".away").rename(database)
    assert server.ask(SEND, LOAD).code == 201
    assert server.ask("GET /readyz").code == 200


def test_a_database_that_another_program_checkpoints_is_used(server: InMemoryServer, database: Path) -> None:
    """A backup program may empty the write-ahead log, which is no loss."""
    with closing(sqlite3.connect(database)) as other:
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    assert Path(f"{database}-wal").stat().st_size == 0
    assert server.ask(SEND, LOAD).code == 201


@pytest.mark.slow
def test_a_running_server_reports_the_loss_once(make_server: MakeServer) -> None:
    """The log has one line about a deleted database, however many commands are refused."""
    server = make_server().start()
    server.admin.ask("POST /v1/devices", {"id": READER})
    (server.data_dir / "pushd.sqlite").unlink()
    assert {server.admin.ask(SEND, LOAD).code for _ in range(5)} == {503}
    assert server.admin.ask("GET /readyz").code == 503
    assert server.log.read_text().count("pushd.sqlite was deleted") == 1


def start_error(server: Server) -> str:
    """Start a server that cannot start; the line that it prints."""
    server.launch()
    assert server.wait_exit() == 1
    (line,) = server.stderr.read_text().splitlines()
    return line


@pytest.mark.slow
@pytest.mark.parametrize("content", [None, b""])
def test_a_lost_database_is_not_a_first_start(make_server: MakeServer, content: bytes | None) -> None:
    """A used data directory without its database does not start, until the operator says that it is to be new."""
    server = make_server().start()
    token = server.token
    server.stop()
    (server.data_dir / "pushd.sqlite").unlink()
    if content is not None:
        (server.data_dir / "pushd.sqlite").write_bytes(content)
    assert "--new" in start_error(server)
    server.options = (*server.options, "--new")
    server.start()
    assert server.token == token
    assert server.admin.ask("POST /v1/devices", {"id": READER}).code == 201
    server.stop()
    assert start_error(server).endswith("pushd.sqlite has devices; start without --new.")


@pytest.mark.slow
def test_a_database_without_its_wal_is_not_a_first_start(make_server: MakeServer) -> None:
    """A database that lost its latest commits with the -wal file, the token among them, does not start."""
    server = make_server().start()
    server.admin.ask("POST /v1/devices", {"id": READER})
    server.kill()
    (server.data_dir / "pushd.sqlite-wal").unlink()
    assert "--new-token" in start_error(server)
    old = server.token
    server.options = (*server.options, "--new-token")
    server.start()
    assert server.token != old
    until(lambda: server.admin.ask("GET /v1/devices").code == 200, "the new token is valid")
