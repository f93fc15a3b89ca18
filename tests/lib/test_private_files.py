"""Tests of files that only their owner may read."""

import os
from pathlib import Path

import pytest

from pushd.lib import private_files


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    """If a file cannot be replaced, its new text is not left beside it."""
    (tmp_path / "file").mkdir()
    with pytest.raises(IsADirectoryError):
        private_files.replace(tmp_path / "file", "secret")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_remains_of_a_killed_process(tmp_path: Path) -> None:
    """What a process left that was killed while it wrote, and had the same number, is replaced."""
    remains = tmp_path / f"file.{os.getpid()}.new"
    remains.write_text("half")
    remains.chmod(0o644)
    private_files.replace(tmp_path / "file", "whole")
    assert [(path.name, path.read_text(), path.stat().st_mode & 0o777) for path in tmp_path.iterdir()] == [
        ("file", "whole", 0o600)
    ]
