"""Tests of :mod:`pushd.data_dir`."""

import os
import re
from pathlib import Path
from stat import S_IMODE

import pytest

from pushd.data_dir import DataDir, psycopg_required
from pushd.model.errors import StoreRefused
from pushd.store.filters import History


def test_directory_is_created_for_its_owner_only(tmp_path: Path) -> None:
    """The first start creates the directory, and those above it, with access for its owner only."""
    data_dir = DataDir(tmp_path / "var" / "pushd")
    data_dir.hold()
    assert S_IMODE(data_dir.path.stat().st_mode) == 0o700
    assert data_dir.database == str(tmp_path / "var" / "pushd" / "pushd.sqlite")
    data_dir.release()


HELD = "is held by another process: stop that first, or use another"


def test_one_process_holds_the_directory(tmp_path: Path) -> None:
    """A second process is refused until the first has released the directory."""
    first, second = DataDir(tmp_path), DataDir(tmp_path)
    first.hold()
    with pytest.raises(StoreRefused, match=re.escape(f"{tmp_path} {HELD} --data-dir.")):
        second.hold()
    first.release()
    second.hold()
    second.release()


def test_no_option_is_named_where_there_is_none(tmp_path: Path) -> None:
    """Where ``--data-dir`` does not name the directory, the error says only to stop the other process."""
    first = DataDir(tmp_path)
    first.hold()
    with pytest.raises(StoreRefused, match=r"is held by another process: stop that first\.$"):
        DataDir(tmp_path, is_configured=False).hold()
    first.release()


@pytest.mark.parametrize("name", ["pushd.sqlite", "link.sqlite"])
def test_one_process_holds_the_store(tmp_path: Path, name: str) -> None:
    """A process with another data directory that names a held store is refused, also if it names it by a link."""
    first, second = DataDir(tmp_path / "a"), DataDir(tmp_path / "b", str(tmp_path / "a" / name))
    first.hold()
    (tmp_path / "a" / "link.sqlite").symlink_to("pushd.sqlite")
    with pytest.raises(StoreRefused, match=re.escape(f"The store {second.database} {HELD} --store.")):
        second.hold()
    other = DataDir(tmp_path / "b")
    other.hold()  # which the refused one has released
    other.release()
    first.release()
    second.hold()
    second.release()


def test_a_database_on_postgresql_is_shared(tmp_path: Path) -> None:
    """Several processes may hold it, each with a directory of its own; messages name it without its password."""
    nodes = [
        DataDir(tmp_path / name, "postgresql://user:secret@db.example:5433/pushd?sslmode=require") for name in "ab"
    ]
    for node in nodes:
        node.hold()
        node.write_token("token")
        node.check_database()
    assert nodes[0].shown == "postgresql://db.example:5433/pushd"
    with pytest.raises(StoreRefused, match=r"postgresql://db\.example:5433/pushd has devices; start without --new\."):
        nodes[0].check_contents(new=True, has_devices=True, knows_token=True)
    for node in nodes:
        node.release()


def test_directory_that_was_not_held_can_be_released(tmp_path: Path) -> None:
    """A server that failed to start can still be stopped."""
    DataDir(tmp_path).release()


def test_file_in_place_of_the_directory(tmp_path: Path) -> None:
    """A path that cannot be a directory is named."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreRefused, match=re.escape(f"{tmp_path / 'file'} cannot be used: File exists.")):
        DataDir(tmp_path / "file").hold()


def test_directory_that_cannot_be_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without locks is reported as such, not as another process."""

    def no_locks(_file: object, _how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(StoreRefused, match=r"cannot be locked: No locks available\."):
        DataDir(tmp_path).hold()


def test_token_is_read_as_it_was_written(tmp_path: Path) -> None:
    """The token file is for its owner only, and a later token replaces it."""
    data_dir = DataDir(tmp_path)
    assert data_dir.read_token() is None
    for token in ("first", "second"):
        path = data_dir.write_token(token)
        assert (path, data_dir.read_token()) == (tmp_path / "admin.token", token)
        assert S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["admin.token"]


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff"])
def test_file_without_a_token_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    """A file that holds no token is an error: a new token would revoke the one that the operators use."""
    (tmp_path / "admin.token").write_bytes(content)
    with pytest.raises(StoreRefused, match=r"admin\.token holds no token; delete the file"):
        DataDir(tmp_path).read_token()


def test_file_that_cannot_be_read_is_not_replaced(tmp_path: Path) -> None:
    """Nor is a token made in place of one that cannot be read."""
    (tmp_path / "admin.token").symlink_to("admin.token")  # as a missing permission, which root would not notice
    with pytest.raises(StoreRefused, match=r"admin\.token cannot be read: Too many levels of symbolic links\."):
        DataDir(tmp_path).read_token()


def test_locks_are_for_the_owner_only(tmp_path: Path) -> None:
    """Whatever the umask, and the permissions of existing files: else any user could hold the locks."""
    (tmp_path / "pushd.lock").touch(0o666)
    (tmp_path / "pushd.lock").chmod(0o666)
    data_dir, umask = DataDir(tmp_path), os.umask(0)
    try:
        data_dir.hold()
    finally:
        os.umask(umask)
    modes = {file.name: S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {"pushd.lock": 0o600, "pushd.sqlite.lock": 0o600}
    data_dir.release()


@pytest.mark.parametrize("content", [None, b""])
def test_database_is_missed_beside_a_token(tmp_path: Path, content: bytes | None) -> None:
    """A missing or empty database beside an admin token is not taken for a first start."""
    data_dir = DataDir(tmp_path)
    data_dir.check_database()
    data_dir.write_token("secret")
    if content is not None:
        (tmp_path / "pushd.sqlite").write_bytes(content)
    with pytest.raises(StoreRefused, match=r"Restore it, or start with --new to make a new one\."):
        data_dir.check_database()
    (tmp_path / "pushd.sqlite").write_bytes(b"SQLite")
    data_dir.check_database()
    DataDir(tmp_path, ":memory:").check_database()


def test_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    """The next start finds the newest event, though it is written in place; a torn file counts as none."""
    data_dir = DataDir(tmp_path)
    assert data_dir.read_history() == History()
    for number in (0, 17, 10**15):
        data_dir.write_history(History("0123456789ab", number))
        assert DataDir(tmp_path).read_history() == History("0123456789ab", number)
    assert [file.name for file in tmp_path.iterdir()] == ["history"]
    assert S_IMODE((tmp_path / "history").stat().st_mode) == 0o600
    data_dir.release()
    (tmp_path / "history").write_bytes(b"0123456789ab 00")
    assert data_dir.read_history() == History()


def test_token_that_cannot_be_written(tmp_path: Path) -> None:
    """If the token cannot be written, the server does not start."""
    (tmp_path / "admin.token").mkdir()
    with pytest.raises(StoreRefused, match=r"admin\.token cannot be written: Is a directory\."):
        DataDir(tmp_path).write_token("secret")


def test_psycopg_is_missing() -> None:
    """What needs PostgreSQL says how psycopg is installed, where it is not."""
    with pytest.raises(StoreRefused, match=r"pip install 'pushd\[postgres\]'"), psycopg_required():
        raise ModuleNotFoundError("No module named 'psycopg'")
