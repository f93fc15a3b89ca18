"""Tests of servers whose state is on PostgreSQL."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.server import OPEN, Server, environment
from tests.integration.test_start_errors import start_error
from tests.postgres import PostgresServer

pytestmark = pytest.mark.slow

READER = "controlid:7"

MakeNode = Callable[[str], Server]


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def make_node(url: str, tmp_path: Path) -> Iterator[MakeNode]:
    """Makes a server with a data directory of its own, on the same database; it is not started."""
    servers: list[Server] = []

    def make(name: str) -> Server:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        servers.append(Server(folder, (*OPEN, f"--store={url}")))
        return servers[-1]

    yield make
    for server in servers:
        if server.starts:
            server.kill()


def test_a_command_is_delivered(make_node: MakeNode, url: str) -> None:
    """It is put, sent, and settled; after ``kill -9`` and a start all of it is there, and consistent."""
    server = make_node("a").start()
    server.admin.ask("POST /v1/devices", {"id": READER, "hold": 0})
    command = server.send(READER, {"endpoint": "load_objects", "body": {"object": "users"}})
    queued = server.send(READER, {"endpoint": "load_objects", "body": {"object": "cards"}}, ttl=3600)
    assert server.devices.ask("GET /push?deviceId=7&uuid=u1").json["endpoint"] == "load_objects"
    assert server.devices.ask("POST /result?deviceId=7&uuid=u1", {"response": {"users": []}}).code == 200
    server.kill()
    server.start()
    assert server.command(command)["state"] == "succeeded"
    assert server.devices.ask("GET /push?deviceId=7&uuid=u2").json["body"] == {"object": "cards"}
    assert server.command(queued)["state"] == "sent"
    assert server.admin.ask("GET /v1/fsck").json["items"] == []
    checked = subprocess.run([sys.executable, "-m", "pushd.fsck", url], env=environment(), capture_output=True)
    assert (checked.returncode, checked.stdout) == (0, b"No inconsistencies.\n")


def test_the_first_node_makes_the_admin_token(make_node: MakeNode) -> None:
    """A second one on the same database makes none, and takes that of the first."""
    first, second = make_node("a").start(), make_node("b")
    second.launch()
    second.folder.joinpath("data").mkdir(exist_ok=True)
    second.kill()
    (second.data_dir / "admin.token").write_text(first.token)
    second.start()
    assert second.admin.ask("GET /v1/info").code == 200
    tokens = first.admin.ask("GET /v1/tokens").json["items"]
    assert [token["name"] for token in tokens] == ["admin"]


def test_another_database_is_refused(make_node: MakeNode, postgres_server: PostgresServer) -> None:
    """An empty database beside the admin token of another one is not taken for it, unless that is said."""
    server = make_node("a").start()
    server.stop()
    with postgres_server.database() as other:
        server.options = (*OPEN, f"--store={other}")
        assert "is empty, but this data directory was used with one" in start_error(server)
        server.options = (*server.options, "--new")
        server.start()
        server.stop()


def test_a_database_that_cannot_be_reached_ends_the_start(make_node: MakeNode) -> None:
    """The line says why."""
    server = make_node("a")
    server.options = (*OPEN, "--store=postgresql://pushd:secret@127.0.0.1:1/none")
    line = start_error(server)
    assert line.startswith("pushd: The database cannot be opened: The database cannot be reached:")
    assert "secret" not in line
