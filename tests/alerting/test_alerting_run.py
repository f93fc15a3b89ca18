"""Tests of the alerting harness with few devices: all alerts are as documented, and a planted bug is found."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.environment import ROOT, environment

OPTIONS = ("--brief", "--devices=156", "--offline=40", "--site=12", "--flapping=3", "--signed-off=2", "--muted=2")

TOLERANCE = "--tolerance=6"
"""For a busy machine."""

_TIMEOUT = 170.0
"""Seconds, on a busy machine; on an idle one a run takes fifty."""


def run_harness(directory: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run the harness in a directory."""
    command = [sys.executable, "-m", "tests.alerting", *OPTIONS, "--seed=7", TOLERANCE, *options]
    env = environment() | {"TMPDIR": str(directory)}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=_TIMEOUT, check=False)


@pytest.mark.slow(seconds=45)
@pytest.mark.timeout(_TIMEOUT + 10)
def test_promises_are_kept(tmp_path: Path) -> None:
    """A server that is killed meanwhile sends exactly the documented alerts, and the run leaves no files."""
    run = run_harness(tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.endswith("every promise kept\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow(seconds=45)
@pytest.mark.timeout(_TIMEOUT + 10)
def test_planted_bug_is_found(tmp_path: Path) -> None:
    """A server that counts its own downtime as offline time is found out, and all files of the run are kept."""
    run = run_harness(tmp_path, "--plant=restart-counts-downtime")
    assert run.returncode == 1, run.stdout + run.stderr
    assert "BROKEN: downtime of the server takes no device offline" in run.stdout
    (directory,) = tmp_path.iterdir()
    assert {file.name for file in directory.iterdir()} == {"data", "devices.jsonl", "devices.log", "server.log"}
