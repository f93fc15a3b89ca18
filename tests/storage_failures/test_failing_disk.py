"""Tests of a disk that cannot sync, with the library that makes syncs of a real file fail."""

import subprocess
import sys
from pathlib import Path

import pytest

from pushd.simulator.faults import seeded_random
from pushd.store.filters import CommandFilter
from tests.crash.faulty_disk import SOURCE, FaultyDisk
from tests.harness.c_compiler import compile_library
from tests.harness.environment import ROOT, environment
from tests.programs import needs_program
from tests.results import result_of
from tests.store.clock import new_store

WRITER = """
import os, signal, sys
from pathlib import Path
from pushd.model.errors import PushdError
from tests.results import result_of
from tests.store.clock import new_store
from tests.store.samples import LIMIT, device, draft

failing = Path(os.environ["CRASH_DISK"], "failing")
store = new_store(sys.argv[1])
store.open()
result_of(store.add_device(device(), False))

def put(trace):
    try:
        result_of(store.put(draft(trace=trace), False, LIMIT))
        print("stored")
    except PushdError as error:
        print(error.kind)

put("before")
failing.touch()
put("in doubt")
put("refused")
failing.unlink()
put("after")
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow(seconds=2)
def test_a_disk_that_cannot_sync_for_a_while(tmp_path: Path) -> None:
    """Only the commit that could not be synced is in doubt. What comes while the disk fails is refused; once it can be
    written again, what was in doubt is not stored, and no start finds it, also after a kill.
    """
    needs_program("cc")
    database, notes = tmp_path / "pushd.sqlite", tmp_path / "notes"
    notes.mkdir()
    disk = FaultyDisk(database, notes, compile_library(SOURCE, notes), seeded_random(1, "disk"))
    env = {**environment(), **disk.variables()}
    command = [sys.executable, "-c", WRITER, str(database)]
    written = subprocess.run(command, cwd=ROOT, env=env, text=True, capture_output=True, timeout=60, check=False)
    assert written.stdout.split() == ["stored", "outcome-in-doubt", "unavailable", "stored"], written.stderr
    store = new_store(str(database))
    store.open()
    found = result_of(store.commands(CommandFilter(), None, 10))
    assert [each.trace for each in found] == ["after", "before"]
    result_of(store.close())
