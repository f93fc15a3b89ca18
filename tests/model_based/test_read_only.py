"""Tests of a server that may read what it keeps, and not write it."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.conftest import MakeServer
from tests.integration.server import Server

pytestmark = pytest.mark.slow

DEVICE = "controlid:1"
LOAD = {"endpoint": "load_objects"}

PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def obey() -> None:
    """In a new process: give up root's power to write what is read-only."""
    if os.geteuid() == 0:
        _LIBC.prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Meanwhile a file, or a directory, may not be written."""
    mode = path.stat().st_mode
    path.chmod(mode & 0o555)
    try:
        yield
    finally:
        path.chmod(mode)


@pytest.fixture(autouse=True)
def obedience(tmp_path: Path) -> None:
    """Nothing can be learnt where modes of files do not count."""
    probe = tmp_path / "probe"
    probe.touch()
    with read_only(probe):
        words = [sys.executable, "-c", "import sys; open(sys.argv[1], 'a')", str(probe)]
        wrote = subprocess.run(words, capture_output=True, preexec_fn=obey, check=False).returncode == 0
    if wrote:
        pytest.skip("whoever runs these tests may write everything, and may not give that up")


@pytest.fixture
def stopped(make_server: MakeServer) -> Server:
    """A server that has stopped, and keeps one command."""
    server = make_server(before=obey).start()
    assert server.admin.ask("POST /v1/devices", {"id": DEVICE}).code == 201
    server.send(DEVICE, LOAD)
    assert server.stop() == 0
    return server


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("pushd.sqlite", "pushd: {data}/pushd.sqlite cannot be opened: it is not writable."),
        ("", "pushd: {data}/pushd.sqlite cannot be opened: "),
        ("pushd.lock", "pushd: The data directory {data} cannot be used: Permission denied."),
    ],
    ids=["database", "directory", "lock"],
)
def test_a_server_that_may_not_write_does_not_start(stopped: Server, place: str, words: str) -> None:
    """It says what it may not write, in one line, and ends with exit code 1; once it may, all is as it was."""
    with read_only(stopped.data_dir / place):
        stopped.launch()
        assert stopped.ended() == 1
    (line,) = stopped.complaints.read_text().splitlines()
    assert line.startswith(words.format(data=stopped.data_dir))
    stopped.start()
    assert [item["state"] for item in stopped.admin.ask("GET /v1/commands").json["items"]] == ["queued"]
