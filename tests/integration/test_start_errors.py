"""Tests of a server that cannot start: it exits with 1 and prints one line that says why."""

import sqlite3
from contextlib import closing
from pathlib import Path
from socket import socket

import pytest

from pushd.model.timestamps import Now
from tests.integration.calls import HOST
from tests.integration.conftest import MakeServer
from tests.integration.server import Server
from tests.store.clock import new_store, when

pytestmark = pytest.mark.slow


def start_error(server: Server) -> str:
    """Start a server that cannot start; the line that it prints."""
    server.launch()
    assert server.wait_exit() == 1
    assert "Traceback" not in server.log.read_text()
    (line,) = server.stderr.read_text().splitlines()
    assert line.startswith("pushd: ")
    return line


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--nonsense", "--nonsense not recognized"),
        ("--devices=tcp:99999", "Couldn't listen: bind(): port must be 0-65535 (--devices tcp:99999)."),
    ],
)
def test_wrong_option(make_server: MakeServer, option: str, message: str) -> None:
    """An option that is unknown or has an invalid value is named."""
    assert message in start_error(make_server(option))


def test_unknown_option_in_the_file(make_server: MakeServer, tmp_path: Path) -> None:
    """So is an unknown option in the configuration file."""
    (tmp_path / "pushd.toml").write_text('admision = "open"\n')
    assert "pushd: pushd.toml: admision is not an option of this file; did you mean admission?" in start_error(
        make_server("--config=pushd.toml")
    )


def test_port_in_use(make_server: MakeServer) -> None:
    """A port that is in use is named, with its option."""
    with closing(socket()) as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        line = start_error(make_server(f"--admin=tcp:{port}:interface={HOST}"))
    address, option = f"{HOST}:{port}", f"--admin tcp:{port}:interface={HOST}"
    assert line == f"pushd: Couldn't listen on {address}: Address already in use ({option})."


HELD = "is held by another process: stop that first, or use another"


def test_second_process_on_a_data_directory(shared: Server, make_server: MakeServer) -> None:
    """A second server on a data directory does not start; the first is not disturbed."""
    line = start_error(make_server(f"--data-dir={shared.data_dir}"))
    assert line == f"pushd: The data directory {shared.data_dir} {HELD} --data-dir."
    assert shared.admin.ask("GET /readyz").code == 200


def test_second_process_on_a_store(shared: Server, make_server: MakeServer) -> None:
    """Nor does a second server on a store, though it has a data directory of its own."""
    line = start_error(make_server(f"--store={shared.data_dir}/pushd.sqlite"))
    assert line == f"pushd: The store {shared.data_dir}/pushd.sqlite {HELD} --store."
    assert shared.admin.ask("GET /readyz").code == 200


def test_data_directory_that_cannot_be_created(make_server: MakeServer, tmp_path: Path) -> None:
    """A data directory that cannot be created is named."""
    (tmp_path / "file").touch()
    line = start_error(make_server("--data-dir=file/data"))
    assert line == "pushd: The data directory file/data cannot be used: Not a directory."


def test_file_that_is_not_a_database(make_server: MakeServer, tmp_path: Path) -> None:
    """A file that is not a database is named, and not changed."""
    (tmp_path / "letter.txt").write_text("Dear Sir or Madam, " * 100)
    line = start_error(make_server("--store=letter.txt"))
    assert "letter.txt cannot be opened: file is not a database." in line
    assert (tmp_path / "letter.txt").read_text().startswith("Dear Sir")


def test_database_of_a_newer_version(make_server: MakeServer, tmp_path: Path) -> None:
    """A server does not change a database of a newer version."""
    store = new_store(str(tmp_path / "newer.sqlite"))
    when(store, Now(0, 0)).open()
    store.close()
    with closing(sqlite3.connect(tmp_path / "newer.sqlite")) as database, database:
        database.execute("UPDATE schema_version SET version = 99")
    assert "newer.sqlite was written by a newer pushd (schema 99" in start_error(make_server("--store=newer.sqlite"))
