"""Tests of :mod:`pushd.wiring`: reading the SMTP password."""

from pathlib import Path

import pytest
from twisted.logger import capturedLogs, formatEvent

from pushd.config import ConfigError
from pushd.wiring import read_password


def test_password_is_read_from_its_file(tmp_path: Path) -> None:
    """The password is the line of the file, spaces included; the log warns if other users can read the file."""
    file = tmp_path / "password"
    file.write_text(" sécret \n", "utf-8")
    file.chmod(0o640)
    with capturedLogs() as logged:
        assert read_password(file, "--smtp-password-file") == " sécret "
        assert [event["log_level"].name for event in logged] == ["warn"]
        assert "chmod 600" in formatEvent(logged[0])
        file.chmod(0o600)
        assert read_password(file, "--smtp-password-file") == " sécret "
    assert len(logged) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot be read: No such file"), (b"\n", "must not be empty"), (b"\xff", "must be a text file")],
)
def test_password_that_cannot_be_read(tmp_path: Path, content: bytes | None, words: str) -> None:
    """A file that does not hold a password is named."""
    file = tmp_path / "password"
    if content is not None:
        file.touch(0o600)
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=f"^--smtp-password-file: {file} {words}"):
        read_password(file, "--smtp-password-file")
