"""Tests of files with secrets."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pushd.pushctl import private_files
from pushd.pushctl.errors import Misconfigured


@pytest.mark.parametrize("write", [private_files.create, private_files.replace])
def test_only_the_owner_can_read(write: Callable[[Path, str], None], tmp_path: Path) -> None:
    """Whatever the umask is, no other user can read the file."""
    path = tmp_path / "secrets"
    umask = os.umask(0)
    try:
        write(path, "secret\n")
    finally:
        os.umask(umask)
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("secret\n", 0o600)


def test_new_file_replaces_none(tmp_path: Path) -> None:
    """A file that exists, perhaps readable by others, gets no secrets."""
    path = tmp_path / "secrets"
    path.write_text("mine")
    with pytest.raises(Misconfigured, match="exists"):
        private_files.create(path, "secret")
    assert path.read_text() == "mine"


def test_replaced_file_is_private_too(tmp_path: Path) -> None:
    """A file that other users could read cannot be read by them once it is replaced."""
    path = tmp_path / "secrets"
    path.write_text("old")
    path.chmod(0o644)
    private_files.replace(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", [private_files.create, private_files.replace])
def test_failure_is_explained(write: Callable[[Path, str], None], tmp_path: Path) -> None:
    """A place that cannot be written to is named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match=r"cannot write .*file/secrets"):
        write(tmp_path / "file" / "secrets", "secret")
