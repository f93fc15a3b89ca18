"""Tests of ``pushd-server --check``."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from socket import create_server

import pytest
from twisted.internet import reactor

from pushd.check import check
from pushd.config import read_config
from pushd.core.credentials import digest
from pushd.data_dir import DataDir
from pushd.model.timestamps import Now
from pushd.model.token import Role, Token
from pushd.store.filters import History, StartOptions
from pushd.store.sqlite.migrations import newest_version
from pushd.tap import Options, makeService
from tests.store.clock import new_store, when

TOKEN = Token(id="t", name="admin", role=Role.ADMIN, created_at=0)

ENDPOINTS = {"devices": ["tcp:0:interface=127.0.0.1"], "admin": ["tcp:0:interface=127.0.0.1"]}

Check = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def run_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    """Checks options, and returns the exit code and the lines; nothing may have changed."""

    def run_check(**options: object) -> tuple[int, list[str]]:
        before = _files(tmp_path)
        given: dict[str, object] = {"data-dir": str(tmp_path / "data"), **ENDPOINTS}
        given |= {name.replace("_", "-"): value for name, value in options.items()}
        code = check(read_config(given, {}), reactor)
        assert _files(tmp_path) == before
        return code, capsys.readouterr().out.splitlines()

    return run_check


def _files(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory that a server has used and left."""
    data_dir = DataDir(tmp_path / "data")
    data_dir.hold()
    data_dir.write_token("secret")
    store = new_store(data_dir.database)
    snapshot = when(store, Now(0, 0)).open(
        StartOptions(token=TOKEN, token_digest=digest("secret"), epoch="0123456789ab")
    )
    store.close()
    data_dir.write_history(History("0123456789ab", snapshot.last_event))
    data_dir.release()
    return data_dir.path


def _wrong(lines: list[str]) -> str:
    [line] = [line for line in lines if line.startswith("wrong")]
    return line


def test_first_start(run_check: Check, tmp_path: Path) -> None:
    """Before the first start all that is missing can be made."""
    code, lines = run_check()
    assert code == 0
    assert f"ok     data directory: {tmp_path / 'data'} does not exist; a start makes it" in lines
    assert f"ok     database: {tmp_path / 'data' / 'pushd.sqlite'} does not exist; a start makes it" in lines
    assert "ok     devices endpoint: tcp:0:interface=127.0.0.1 can be opened" in lines
    assert "ok     mails: no recipients" in lines
    assert lines[0].startswith("ok     options: ")


def test_options_of_a_file(run_check: Check, tmp_path: Path) -> None:
    """The path of the file is shown once, whatever it has."""
    file = tmp_path / "pushd.toml"
    file.write_text('keep = 9\nadmission = "open"\n')
    _, lines = run_check(config=str(file), batch="1")
    assert lines[0].startswith(f"ok     options: keep, admission in {file}; --")
    assert lines[0].count(str(file)) == 1
    assert "--batch" in lines[0]


def test_used_directory(run_check: Check, data: Path) -> None:
    """The schema of a database is shown, and nothing is wrong with a token that it knows."""
    code, lines = run_check()
    assert code == 0
    assert f"ok     database: {data / 'pushd.sqlite'} has schema {newest_version()}" in lines


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE schema_version SET version = 99999", "was written by a newer pushd (schema 99999"),
        ("DELETE FROM token_secret", "does not know the token"),
        ("DROP TABLE schema_version", "but not one of pushd"),
    ],
)
def test_database_that_cannot_be_used(run_check: Check, data: Path, statement: str, said: str) -> None:
    """A database that a start would refuse is wrong."""
    with closing(sqlite3.connect(data / "pushd.sqlite")) as connection, connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(statement)
    code, lines = run_check()
    assert code == 1
    assert said in _wrong(lines)


def test_older_database(run_check: Check, data: Path) -> None:
    """A database of an earlier version will be upgraded."""
    with closing(sqlite3.connect(data / "pushd.sqlite")) as connection, connection:
        connection.execute("UPDATE schema_version SET version = 5")
    code, lines = run_check()
    assert code == 0
    assert any(f"has schema 5; a start brings it to {newest_version()}" in line for line in lines)


def test_restored_database(run_check: Check, data: Path) -> None:
    """A database that lacks later events is said to be a copy, before a start ends what is open in it."""
    with closing(sqlite3.connect(data / "pushd.sqlite")) as connection, connection:
        connection.execute("INSERT INTO event (type, at, data) VALUES ('device.online', 0, '{}')")
    (data / "history").write_text(f"0123456789ab {9:019d}\n")
    code, lines = run_check()
    assert code == 0
    assert any("it is a restored copy" in line for line in lines)
    assert not any("it is a restored copy" in line for line in run_check(requeue=True)[1])


def test_missing_database(run_check: Check, data: Path) -> None:
    """A database that is missing beside its token is wrong, unless a new one is asked for."""
    (data / "pushd.sqlite").unlink()
    code, lines = run_check()
    assert code == 1
    assert "is missing" in _wrong(lines)
    assert run_check(new=True)[0] == 0


def test_no_database(run_check: Check, data: Path) -> None:
    """A file that is no database is wrong."""
    (data / "pushd.sqlite").write_bytes(b"no database" * 1000)
    code, lines = run_check()
    assert code == 1
    assert "cannot be read: file is not a database" in _wrong(lines)


def test_running_server(run_check: Check, data: Path) -> None:
    """Beside a running server, whose ports are taken, its next configuration can be checked."""
    running = DataDir(data)
    running.hold()
    with create_server(("127.0.0.1", 0)) as taken:
        code, lines = run_check(admin=[f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"])
    assert code == 0
    assert f"ok     data directory: {data} is in use by a running server" in lines
    assert any("not opened, as the running server may have it" in line for line in lines)
    running.release()


def test_taken_port(run_check: Check) -> None:
    """A port that another program has is wrong."""
    with create_server(("127.0.0.1", 0)) as taken:
        code, lines = run_check(admin=[f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"])
    assert code == 1
    assert "Address already in use" in _wrong(lines)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"devices": ["smoke"]}, "smoke is not a valid endpoint"),
        ({"admin": ["ssl:0:privateKey=/nowhere/key.pem"]}, "/nowhere/key.pem"),
        (
            {"mail_to": ["a@b.c"], "mail_from": "d@e.f", "smtp_user": "us", "smtp_password_file": "/nowhere/password"},
            "--smtp-password-file: /nowhere/password cannot be read",
        ),
        ({"data_dir": "/dev/null"}, "is not a directory"),
    ],
)
def test_wrong_options(run_check: Check, options: dict[str, object], said: str) -> None:
    """Each option whose file or endpoint cannot be used is wrong."""
    code, lines = run_check(**options)
    assert code == 1
    assert any(line.startswith("wrong") and said in line for line in lines)


def test_mails(run_check: Check, tmp_path: Path) -> None:
    """The mail server and the recipients are shown, the password is not."""
    password = tmp_path / "password"
    password.write_text("hush\n")
    password.chmod(0o600)
    code, lines = run_check(
        mail_to=["a@b.c"], mail_from="d@e.f", smtp="g.org:587", smtp_user="us", smtp_password_file=str(password)
    )
    assert code == 0
    assert "ok     mails: to a@b.c, by g.org:587 (starttls) as us; no mail was sent" in lines
    assert "hush" not in "".join(lines)


@pytest.fixture
def options(tmp_path: Path) -> Options:
    """A command line with ``--check``."""
    options = Options()
    words = [f"--{name}={value}" for name, [value] in ENDPOINTS.items()]
    options.parseOptions(["--check", f"--data-dir={tmp_path / 'data'}", *words])
    return options


def test_option(options: Options, capsys: pytest.CaptureFixture[str]) -> None:
    """With the option, the program prints what it finds and ends."""
    with pytest.raises(SystemExit) as ended:
        makeService(options)
    assert ended.value.code == 0
    assert "ok     database: " in capsys.readouterr().out
