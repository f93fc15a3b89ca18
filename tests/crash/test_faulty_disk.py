"""Tests of the disk with faults, with small programs that write."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pushd.simulator.faults import seeded_random
from tests.crash.disturbances import is_stopped
from tests.crash.faulty_disk import SOURCE, FaultyDisk, undone
from tests.harness.c_compiler import compile_library
from tests.harness.environment import ROOT, environment
from tests.programs import needs_program

PROGRAM = """
import os, sys
database = os.open(f"{sys.argv[1]}/db", os.O_RDWR)
old, new, db = (f"{sys.argv[1]}/{name}" for name in ("old", "new", "db"))
write = lambda path: open(path, "wb").write(b"after")
"""
SYNC_DIRECTORY = "; os.fsync(os.open(sys.argv[1], os.O_RDONLY))"

pytestmark = pytest.mark.slow(seconds=1)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that has the faults."""
    needs_program("cc")
    return compile_library(SOURCE, tmp_path_factory.mktemp("library"))


@pytest.fixture
def disk(tmp_path: Path, library: Path) -> FaultyDisk:
    """A disk with a database ``db``, and a file beside it."""
    (tmp_path / "data").mkdir()
    for name in ("db", "old"):
        (tmp_path / "data" / name).write_bytes(b"before")
    (tmp_path / "notes").mkdir()
    return FaultyDisk(tmp_path / "data" / "db", tmp_path / "notes", library, seeded_random(1, "disk"))


def start(disk: FaultyDisk, program: str, **options: Any) -> "subprocess.Popen[str]":
    """Start a program with the disk."""
    command = [sys.executable, "-c", PROGRAM + program, str(disk.database.parent)]
    env = {**environment(), **disk.variables()}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(command, cwd=ROOT, env=env, text=True, **pipes)


def run(disk: FaultyDisk, program: str) -> tuple[str, str]:
    """Run a program with the disk; what it printed, and its errors."""
    with start(disk, program) as process:
        return process.communicate(timeout=60)


def contents(disk: FaultyDisk) -> dict[str, bytes]:
    """The files of the disk."""
    return {path.name: path.read_bytes() for path in disk.database.parent.iterdir()}


@pytest.mark.parametrize(
    ("program", "written", "kept"),
    [
        ("os.write(database, b'a')", b"aefore", b"before"),
        ("os.pwrite(database, b'afterwards', 0)", b"afterwards", b"before"),
        ("os.pwrite(database, b'x', 8)", b"before\0\0x", b"before"),
        ("os.ftruncate(database, 2)", b"be", b"before"),
        ("os.ftruncate(database, 2); os.pwrite(database, b'x', 4)", b"be\0\0x", b"before"),
        ("os.write(database, b'a'); os.fsync(database)", b"aefore", b"aefore"),
        ("os.write(database, b'a'); os.fdatasync(database); os.write(database, b'b')", b"abfore", b"aefore"),
    ],
)
def test_unsynced_writes(disk: FaultyDisk, program: str, written: bytes, kept: bytes) -> None:
    """After a power cut a file has what was written to it before it was synced, and nothing else."""
    assert run(disk, program) == ("", "")
    assert contents(disk)["db"] == written
    disk.cut_power()
    assert contents(disk)["db"] == kept
    disk.cut_power()
    assert (contents(disk)["db"], disk.power_cuts) == (kept, 2)


@pytest.mark.parametrize(
    "program",
    [
        "write(new)",
        "os.unlink(old)",
        "os.rename(old, new)",
        "os.rename(db, old)",
        "os.unlink(old); write(old); os.rename(old, new)",
    ],
)
def test_unsynced_names(disk: FaultyDisk, program: str) -> None:
    """A power cut undoes what was done to a directory that was not synced afterwards."""
    before = contents(disk)
    assert run(disk, program) == ("", "")
    after = contents(disk)
    assert after != before
    disk.cut_power()
    assert contents(disk) == before
    assert run(disk, program + SYNC_DIRECTORY) == ("", "")
    disk.cut_power()
    assert set(contents(disk)) == set(after)


def test_admin_token(disk: FaultyDisk) -> None:
    """An admin token that was written survives a power cut."""
    write = "from pathlib import Path; from pushd.data_dir import DataDir; DataDir(Path(sys.argv[1])).write_token('s')"
    assert run(disk, write) == ("", "")
    disk.cut_power()
    assert contents(disk)["admin.token"] == b"s\n"


def test_some_pages_are_kept(disk: FaultyDisk) -> None:
    """The disk may have written some pages before they were synced."""
    found = set()
    for _ in range(10):
        run(disk, "os.ftruncate(database, 0); os.pwrite(database, b'a' * 40960, 0); os.fsync(database)")
        run(disk, "os.pwrite(database, b'b' * 40960, 0)")
        disk.cut_power()
        found.add(contents(disk)["db"].count(b"b") // 4096)
    assert found > {0}
    assert len(found) > 2


def test_full(disk: FaultyDisk) -> None:
    """While the disk is full, a write to the database fails; other files can be written."""
    write = "write(old); os.write(database, b'after')"
    with disk.full():
        assert "No space left on device" in run(disk, write)[1]
    assert contents(disk) == {"db": b"before", "old": b"after"}
    assert run(disk, write) == ("", "")


def test_failing(disk: FaultyDisk) -> None:
    """While the disk fails, a sync of the database raises an error; what was written can be read until a power cut."""
    with disk.failing():
        assert "Input/output error" in run(disk, "os.write(database, b'a'); os.fdatasync(database)")[1]
    assert contents(disk)["db"] == b"aefore"
    disk.cut_power()
    assert contents(disk)["db"] == b"before"


def test_suspend(disk: FaultyDisk) -> None:
    """A process stops itself after it has synced a certain text, once."""
    disk.suspend_after("text")
    write = "os.write(database, b'a text'); os.fsync(database); os.write(1, b'on')"
    with start(disk, write) as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        assert is_stopped(process.pid)
        process.send_signal(signal.SIGCONT)
        assert process.communicate(timeout=60) == ("on", "")
    assert run(disk, write) == ("on", "")


def test_locks(disk: FaultyDisk) -> None:
    """A write leaves the locks of the process on the file, without which SQLite deletes the log of another process."""
    lock = "import fcntl; fcntl.lockf(database, fcntl.LOCK_EX); os.write(database, b'a'); os.write(1, b'on'); input()"
    with start(disk, lock, stdin=subprocess.PIPE) as process, disk.database.open("rb+") as database:
        assert process.stdout is not None
        assert process.stdout.read(2) == "on"
        with pytest.raises(BlockingIOError):
            fcntl.lockf(database, fcntl.LOCK_EX | fcntl.LOCK_NB)
        process.communicate("\n", timeout=60)


def test_incomplete_record() -> None:
    """A note that the process was killed while writing is about a write that was not made."""
    assert undone(b"after", bytes(8) + (3).to_bytes(8, "little") + (5).to_bytes(8, "little") + b"be") == b"after"
