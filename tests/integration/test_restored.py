"""Tests of servers whose database on PostgreSQL is restored from a backup while they run, or are stopped."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from attrs import define

from tests.integration.server import OPEN, Server, until
from tests.integration.test_migrate import OPEN_DOOR, POLL, READER, pushctl
from tests.integration.test_start_errors import start_error
from tests.postgres import PostgresServer

pytestmark = pytest.mark.slow


@define(eq=False)
class Database:
    """A database that is backed up, and restored, under all that use it."""

    server: PostgresServer
    url: str

    @property
    def name(self) -> str:
        """Its name."""
        return urlsplit(self.url).path[1:]

    def back_up(self) -> None:
        """Copy it."""
        self._replace(f"{self.name}_backup", self.name)

    def restore(self) -> None:
        """Put the copy in its place."""
        self._replace(self.name, f"{self.name}_backup")

    def _replace(self, name: str, template: str) -> None:
        with psycopg.connect(self.server.url, autocommit=True) as other:
            other.execute(f'ALTER DATABASE "{template}" WITH ALLOW_CONNECTIONS false'.encode())
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (template,))
            other.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
            other.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
            other.execute(f'ALTER DATABASE "{template}" WITH ALLOW_CONNECTIONS true'.encode())

    def drop_backup(self) -> None:
        """Delete the copy."""
        with psycopg.connect(self.server.url, autocommit=True) as other:
            other.execute(f'DROP DATABASE IF EXISTS "{self.name}_backup" WITH (FORCE)'.encode())


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    """An empty database."""
    with postgres_server.database() as url:
        database = Database(postgres_server, url)
        yield database
        database.drop_backup()


@pytest.fixture
def server(database: Database, tmp_path: Path) -> Iterator[Server]:
    """A server on it that runs, with a device."""
    server = Server(tmp_path, (*OPEN, f"--store={database.url}")).start()
    server.admin.ask("POST /v1/devices", {"id": READER, "hold": 0})
    yield server
    server.kill()


def sent_since(server: Server, database: Database) -> str:
    """A command that is queued in the backup, and was sent since."""
    command = server.send(READER, OPEN_DOOR, ttl=3600)
    database.back_up()
    until(lambda: b"execute_actions" in server.devices.ask(f"{POLL}u1").body, "it is sent")
    assert server.devices.ask("POST /result?deviceId=7&uuid=u1", {"response": {}}).code == 200
    assert server.command(command)["state"] == "succeeded"
    return command


def test_a_restore_under_a_server(server: Server, database: Database) -> None:
    """No door is opened twice: nothing is sent until an operator has called ``pushctl after-restore``."""
    command = sent_since(server, database)
    database.restore()
    until(lambda: "pushctl after-restore" in server.admin.ask("GET /readyz").body.decode(), "it is not ready")
    assert server.devices.ask(f"{POLL}u2").body == b""
    assert server.admin.ask(f"POST /v1/devices/{READER}/commands", {"payload": OPEN_DOOR}).code == 503
    until(lambda: server.admin.ask("GET /v1/alerts").json["items"], "an alert is raised")
    assert [alert["kind"] for alert in server.admin.ask("GET /v1/alerts").json["items"]] == ["restored"]

    done = pushctl("after-restore", "--store", database.url)
    assert (done.code, done.out) == (0, "Another history has begun. Commands that are unknown now: 1.\n")
    assert server.wait_exit() == 0
    server.start()
    found = server.command(command)
    assert (found["state"], found["attempts"]) == ("unknown", 0)
    assert server.devices.ask(f"{POLL}u3").body == b""
    assert server.admin.ask("GET /v1/fsck").json["items"] == []
    assert [bool(alert["cleared_at"]) for alert in server.admin.ask("GET /v1/alerts").json["items"]] == [True]


def test_a_restore_while_the_server_is_stopped(server: Server, database: Database) -> None:
    """The start says what to do; afterwards the server starts, with what is queued if that is asked for."""
    command = sent_since(server, database)
    server.stop()
    database.restore()
    assert "run pushctl after-restore" in start_error(server)
    done = pushctl("after-restore", "--store", database.url, "--requeue", "--json")
    if done.code == 1:  # of the server that ran when the backup was made, some seconds ago
        until(lambda: pushctl("after-restore", "--store", database.url, "--requeue").code == 0, "it is not running")
    server.start()
    assert server.command(command)["state"] == "queued"


def test_wrong_store() -> None:
    """A database that cannot be reached is one line; one on SQLite notices at its start."""
    done = pushctl("after-restore", "--store", "postgresql://pushd:secret@127.0.0.1:1/none")
    assert (done.code, done.err.count("\n"), "secret" in done.err) == (1, 1, False)
    assert pushctl("after-restore", "--store", "pushd.sqlite").code == 2
