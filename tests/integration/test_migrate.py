"""Tests of ``pushctl migrate``: a fleet moves to PostgreSQL and back, and servers go on where they were."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from attrs import frozen

from pushd.fsck import inspect
from tests.integration.server import OPEN, TWISTD, Server, environment
from tests.integration.test_start_errors import start_error
from tests.postgres import PostgresServer
from tests.store.transfer.fleet import many_events

pytestmark = pytest.mark.slow

READER = "controlid:7"
POLL = "GET /push?deviceId=7&uuid="
OPEN_DOOR = {"endpoint": "execute_actions", "body": {"actions": [{"action": "door", "parameters": "door=1"}]}}
HOOK = {"url": "http://127.0.0.1:9/hook", "types": ["command.succeeded"]}


@frozen
class Done:
    """What a call of ``pushctl`` has printed, and its exit code."""

    code: int
    out: str
    err: str


def pushctl(*arguments: str) -> Done:
    """Call ``pushctl`` as an operator does."""
    done = subprocess.run(
        [sys.executable, "-c", "from pushd.pushctl.main import main; main()", *arguments],
        env=environment(),
        capture_output=True,
        text=True,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def migrate(source: str, target: str, *options: str) -> Done:
    """Move a fleet."""
    return pushctl("migrate", "--from", source, "--to", target, *options)


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server on SQLite that runs."""
    server = Server(tmp_path, (*OPEN, "--webhook-allow=127.0.0.0/8"))
    yield server.start()
    server.kill()


def file_of(server: Server) -> str:
    """The database of a server, as an argument."""
    return f"sqlite:{server.data_dir / 'pushd.sqlite'}"


def cursor_of(server: Server) -> str:
    """The position at the end of the events."""
    events = server.admin.ask("GET /v1/events?limit=500").json
    return str(events["next"])


def types_after(server: Server, cursor: str) -> Sequence[str]:
    """The types of the events after a position."""
    return [event["type"] for event in server.admin.ask(f"GET /v1/events?after={cursor}&limit=500").json["items"]]


def test_a_server_goes_on_where_it_was(server: Server, url: str) -> None:
    """What was queued is delivered and what was out is reported, keys and cursors hold, on PostgreSQL and back."""
    admin = server.admin
    admin.ask("POST /v1/devices", {"id": READER, "hold": 0})
    hook = admin.ask("POST /v1/webhooks", HOOK).json["id"]
    out = server.send(READER, OPEN_DOOR, ttl=3600)
    assert server.devices.ask(f"{POLL}u1").json["endpoint"] == "execute_actions"
    key = {"Idempotency-Key": "k1"}
    sending = (f"POST /v1/devices/{READER}/commands", {"payload": OPEN_DOOR, "ttl": 3600})
    queued = admin.ask(*sending, **key).json["id"]
    cursor, options = cursor_of(server), server.options
    webhook = admin.ask(f"GET /v1/webhooks/{hook}").json
    server.stop()
    done = migrate(file_of(server), url, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["rows"]["command"] == 2

    server.options = (*options, f"--store={url}")
    server.start()
    assert server.admin.ask("GET /v1/fsck").json["items"] == []
    assert server.command(out)["state"] == "sent"
    assert server.devices.ask("POST /result?deviceId=7&uuid=u1", {"response": {}}).code == 200
    assert server.command(out)["state"] == "succeeded"
    assert server.admin.ask(*sending, **key).json["id"] == queued
    assert server.devices.ask(f"{POLL}u2").json["endpoint"] == "execute_actions"
    assert types_after(server, cursor) == ["command.succeeded", "command.sent"]
    assert server.admin.ask(f"GET /v1/webhooks/{hook}").json == webhook
    server.stop()

    assert migrate(url, file_of(server)).code == 1, "the file is in use"
    back = server.folder / "back"
    done = migrate(url, f"sqlite:{back / 'pushd.sqlite'}")
    assert done.code == 0, done.err
    (server.data_dir / "admin.token").rename(back / "admin.token")
    server.data_dir.rename(server.folder / "old")
    back.rename(server.data_dir)
    server.options = options
    server.start()
    assert server.command(queued)["state"] == "sent"
    assert server.devices.ask("POST /result?deviceId=7&uuid=u2", {"response": {}}).code == 200
    assert server.command(queued)["state"] == "succeeded"
    assert types_after(server, cursor) == ["command.succeeded", "command.sent", "command.succeeded"]
    assert server.admin.ask("GET /v1/fsck").json["items"] == []


def test_a_server_that_runs_is_left_alone(server: Server, url: str, tmp_path: Path) -> None:
    """Nothing is moved from or to a database that a server uses."""
    done = migrate(file_of(server), url)
    assert (done.code, done.out) == (1, "")
    assert "is held by another process: stop that first." in done.err
    node = Server(tmp_path / "node", (*OPEN, f"--store={url}"))
    node.folder.mkdir()
    node.start()
    try:
        server.stop()
        done = migrate(file_of(server), url)
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert "is in use by" in done.err
        assert node.admin.ask("GET /readyz").code == 200
    finally:
        node.kill()


def test_the_old_database_is_refused(server: Server, url: str) -> None:
    """A server does not start on it; with ``--restored`` what was open in it is unknown, as it may have run since."""
    server.admin.ask("POST /v1/devices", {"id": READER, "hold": 0})
    command = server.send(READER, OPEN_DOOR, ttl=3600)
    server.stop()
    assert migrate(file_of(server), url).code == 0
    line = start_error(server)
    assert "The fleet of this database was moved to postgresql:" in line
    checking = [str(TWISTD), "--nodaemon", "--pidfile=", "pushd", f"--data-dir={server.data_dir}", "--check"]
    check = subprocess.run(checking, env=environment(), capture_output=True, text=True)
    assert (check.returncode, "wrong  database: The fleet of this database was moved" in check.stdout) == (1, True)
    given, server.options = server.options, (*server.options, "--restored")
    server.start()
    server.options = given
    assert server.command(command)["state"] == "unknown"
    server.stop()
    server.start()


def begun(source: str, target: str, batches: int) -> "subprocess.Popen[str]":
    """A move, once it has written so many batches."""
    program = subprocess.Popen(
        [sys.executable, "-m", "pushd.migrate", source, target],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    for _ in range(batches):
        assert "progress" in json.loads(program.stdout.readline())
    return program


@pytest.mark.parametrize("batches", [1, 12, 40])
def test_a_move_that_is_killed_goes_on(tmp_path: Path, url: str, batches: int) -> None:
    """After ``kill -9`` at any point servers refuse the target, and the same call ends the move, both ways."""
    path = many_events(tmp_path / "pushd.sqlite", 8000)
    count = rows_of(path)
    for source, target in ((f"sqlite:{path}", url), (url, f"sqlite:{tmp_path / 'back' / 'pushd.sqlite'}")):
        with begun(source, target, batches) as program:
            program.kill()
        assert program.wait() == -9
        node = Server(tmp_path / "node", (*OPEN, f"--store={target.removeprefix('sqlite:')}"))
        node.folder.mkdir(exist_ok=True)
        assert "not all is there" in start_error(node)
        done = migrate(source, target)
        assert done.code == 0, done.err
    assert rows_of(tmp_path / "back" / "pushd.sqlite") == count
    assert inspect(str(path)) == inspect(str(tmp_path / "back" / "pushd.sqlite"))


def rows_of(path: Path) -> Sequence[Any]:
    """The events and commands of a file."""
    with closing(sqlite3.connect(path)) as connection:
        events = connection.execute("SELECT * FROM event ORDER BY seq").fetchall()
        return [events, connection.execute("SELECT id, state, payload FROM command ORDER BY id").fetchall()]


def test_a_start_abandons_the_move(tmp_path: Path, server: Server, url: str) -> None:
    """A server that is started on the source again changes it, so the next move begins anew."""
    server.stop()
    many_events(tmp_path / "many.sqlite", 3000)
    with (
        closing(sqlite3.connect(tmp_path / "many.sqlite")) as many,
        closing(sqlite3.connect(server.data_dir / "pushd.sqlite")) as database,
    ):
        database.executemany("INSERT INTO event (type, at, data) VALUES (?, ?, ?)", many.execute(_EVENTS))
        database.commit()
    with begun(file_of(server), url, 2) as program:
        program.kill()
    server.start()
    server.admin.ask("POST /v1/devices", {"id": READER})
    server.stop()
    assert migrate(file_of(server), url).code == 0
    with closing(psycopg.connect(url)) as connection:
        assert connection.execute("SELECT id FROM device").fetchall() == [(READER,)]
        assert connection.execute("SELECT count(*) >= 3000, count(*) = max(seq) FROM event").fetchone() == (True, True)


_EVENTS = "SELECT type, at, data FROM event WHERE type = 'device.online'"


@pytest.mark.parametrize(
    "places",
    [("sqlite:a", "sqlite:b"), ("postgresql://a", "postgres://b"), ("a.sqlite", "postgresql://a"), ("sqlite:", "x")],
)
def test_wrong_places(places: tuple[str, str]) -> None:
    """A move is between a file and a database on PostgreSQL, each of which is named by its scheme."""
    done = migrate(*places)
    assert (done.code, done.out) == (2, "")


def test_no_database(tmp_path: Path, url: str) -> None:
    """A source that is missing is one line, and so is a target that cannot be reached."""
    done = migrate(f"sqlite:{tmp_path / 'none.sqlite'}", url)
    assert (done.code, done.err) == (1, f"pushctl: There is no database {tmp_path / 'none.sqlite'}.\n")
    assert [*tmp_path.iterdir()] == []
    path = many_events(tmp_path / "pushd.sqlite", 1)
    done = migrate(f"sqlite:{path}", "postgresql://pushd:secret@127.0.0.1:1/none")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "secret" not in done.err
