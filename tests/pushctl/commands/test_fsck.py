"""Tests of ``pushctl fsck``."""

import json
import subprocess
from pathlib import Path

import pytest

from pushd.pushctl.connection import Json
from tests.pushctl.fake_server import Answer, FakeServer, Pushctl

VIOLATION = {"what": "its attempts are not in order", "device": "controlid:1", "command": "c", "detail": None}


def test_inconsistencies_are_listed(server: FakeServer, pushctl: Pushctl) -> None:
    """Each inconsistency is shown, and the exit code is 1."""
    server.on("GET /v1/fsck", Answer(body={"items": [VIOLATION]}))
    result = pushctl("fsck")
    assert result.exit_code == 1
    assert "its attempts are not in order" in result.stdout
    assert json.loads(pushctl("fsck", "--json").stdout) == {"ok": False, "items": [VIOLATION]}


def test_consistent_database(server: FakeServer, pushctl: Pushctl) -> None:
    """Without inconsistencies one line says so, and the exit code is 0."""
    server.on("GET /v1/fsck", Answer(body={"items": []}))
    result = pushctl("fsck")
    assert (result.exit_code, result.stdout) == (0, "No inconsistencies.\n")
    assert json.loads(pushctl("fsck", "--json").stdout) == {"ok": True, "items": []}


@pytest.mark.parametrize(
    ("code", "printed", "found"),
    [(0, "No inconsistencies.\n", []), (1, f"{json.dumps(VIOLATION)}\n" * 2, [VIOLATION] * 2)],
)
def test_check_without_a_server(
    pushctl: Pushctl, monkeypatch: pytest.MonkeyPatch, code: int, printed: str, found: list[Json]
) -> None:
    """With --offline, what ``python -m pushd.fsck`` prints is shown as what a server finds."""
    done = subprocess.CompletedProcess([], code, printed, "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    result = pushctl("fsck", "--offline", "--json")
    assert result.exit_code == code
    assert json.loads(result.stdout) == {"ok": not found, "items": found}


def test_check_that_is_killed(pushctl: Pushctl, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --offline, a check that does not end, as without memory, is not taken for one that found nothing."""
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], -9, "", ""))
    result = pushctl("fsck", "--offline")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "pushctl: the check was ended by signal 9\n")


@pytest.mark.parametrize("content", [None, "no database"])
def test_unreadable_database_is_one_line(pushctl: Pushctl, tmp_path: Path, content: str | None) -> None:
    """With --offline, a database that is missing or is none is reported in one line, and no server is asked."""
    if content is not None:
        (tmp_path / "pushd.sqlite").write_text(content)
    result = pushctl("--data-dir", str(tmp_path), "fsck", "--offline")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert pushctl.server.received == []
