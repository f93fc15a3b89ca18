"""Tests of :mod:`pushd.data_dir`."""

import re
from pathlib import Path
from stat import S_IMODE

import pytest

from pushd.data_dir import DataDir
from pushd.model.errors import StoreRefused


def test_directory_is_created_for_its_owner_only(tmp_path: Path) -> None:
    """The first start creates the directory, and those above it, with access for its owner only."""
    data_dir = DataDir(tmp_path / "var" / "pushd")
    data_dir.hold()
    assert S_IMODE(data_dir.path.stat().st_mode) == 0o700
    assert data_dir.database == str(tmp_path / "var" / "pushd" / "pushd.sqlite")
    data_dir.release()


def test_one_process_holds_the_directory(tmp_path: Path) -> None:
    """A second process is refused until the first has released the directory."""
    first, second = DataDir(tmp_path), DataDir(tmp_path)
    first.hold()
    with pytest.raises(StoreRefused, match=re.escape(f"{tmp_path} is held by another process.")):
        second.hold()
    first.release()
    second.hold()
    second.release()


@pytest.mark.parametrize("name", ["pushd.sqlite", "link.sqlite"])
def test_one_process_holds_the_store(tmp_path: Path, name: str) -> None:
    """A process with another data directory that names a held store is refused, also if it names it by a link."""
    first, second = DataDir(tmp_path / "a"), DataDir(tmp_path / "b", str(tmp_path / "a" / name))
    first.hold()
    (tmp_path / "a" / "link.sqlite").symlink_to("pushd.sqlite")
    with pytest.raises(StoreRefused, match=re.escape(f"The store {second.database} is held by another process.")):
        second.hold()
    other = DataDir(tmp_path / "b")
    other.hold()  # which the refused one has released
    other.release()
    first.release()
    second.hold()
    second.release()


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
def test_file_without_a_token_counts_as_missing(tmp_path: Path, content: bytes) -> None:
    """A file that holds no token counts as a missing file."""
    (tmp_path / "admin.token").write_bytes(content)
    assert DataDir(tmp_path).read_token() is None


def test_token_that_cannot_be_written(tmp_path: Path) -> None:
    """If the token cannot be written, the server does not start."""
    (tmp_path / "admin.token").mkdir()
    with pytest.raises(StoreRefused, match=r"admin\.token cannot be written: Is a directory\."):
        DataDir(tmp_path).write_token("secret")
