"""Tests of a server whose files are read-only."""

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


def drop_privileges() -> None:
    """In a new process: drop root's capability to write read-only files."""
    if os.geteuid() == 0:
        _LIBC.prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """A file or directory is read-only in this context."""
    mode = path.stat().st_mode
    path.chmod(mode & 0o555)
    try:
        yield
    finally:
        path.chmod(mode)


@pytest.fixture(autouse=True)
def permissions_count(tmp_path: Path) -> None:
    """Skip where file permissions do not bind the user who runs the tests."""
    probe = tmp_path / "probe"
    probe.touch()
    with read_only(probe):
        words = [sys.executable, "-c", "import sys; open(sys.argv[1], 'a')", str(probe)]
        wrote = subprocess.run(words, capture_output=True, preexec_fn=drop_privileges, check=False).returncode == 0
    if wrote:
        pytest.skip("this user may write everything, and cannot drop that capability")


@pytest.fixture
def stopped(make_server: MakeServer) -> Server:
    """A stopped server, with one command in its database."""
    server = make_server(preexec=drop_privileges).start()
    assert server.admin.ask("POST /v1/devices", {"id": DEVICE}).code == 201
    server.send(DEVICE, LOAD)
    assert server.stop() == 0
    return server


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("pushd.sqlite", "pushd: {data}/pushd.sqlite cannot be opened: it is not writable."),
        ("", "pushd: {data}/pushd.sqlite cannot be opened: "),
        ("pushd.lock", "pushd: The data directory {data} cannot be used: Permission denied."),
    ],
    ids=["database", "directory", "lock"],
)
def test_a_server_with_read_only_files_does_not_start(stopped: Server, place: str, message: str) -> None:
    """It ends with exit code 1 and one line that names the file; once that is writable, it starts with its data."""
    with read_only(stopped.data_dir / place):
        stopped.launch()
        assert stopped.wait_exit() == 1
    (line,) = stopped.stderr.read_text().splitlines()
    assert line.startswith(message.format(data=stopped.data_dir))
    stopped.start()
    assert [item["state"] for item in stopped.admin.ask("GET /v1/commands").json["items"]] == ["queued"]
