"""Tests of the cluster harness: a short run with few devices, but with real processes, a real database and proxy."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.environment import ROOT, environment
from tests.programs import needs_program

_TIMEOUT = 400.0
"""Seconds, on a busy machine; on an idle one a run takes a minute."""


def run_harness(directory: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run the harness in a directory."""
    needs_program("haproxy")
    command = [sys.executable, "-m", "tests.cluster", "--devices=24", *options]
    env = environment() | {"TMPDIR": str(directory)}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=_TIMEOUT, check=False)


@pytest.mark.slow(seconds=60)
@pytest.mark.timeout(_TIMEOUT + 20)
def test_promises_are_kept(tmp_path: Path) -> None:
    """Three nodes of which some die, stand still or are cut off from a database that dies itself keep every promise
    about commands, events and alerts.
    """
    run = run_harness(tmp_path, "--seconds=20")
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.endswith("every promise kept\n")


@pytest.mark.timeout(6 * _TIMEOUT)
@pytest.mark.parametrize(
    ("attempts", "plant", "fault", "promise"),
    [
        pytest.param(
            6,  # a device must still wait at the node when it wakes up
            "late-claim-sent",
            "STALLED_AFTER_CLAIM",
            "what was claimed is not sent after its lease",
            marks=pytest.mark.slow(seconds=40),
        ),
        pytest.param(
            2,
            "webhooks-delivered-unowned",
            "SESSIONS_ENDED",
            "what a receiver has accepted is sent again only after a fault, and once",
            marks=pytest.mark.slow(seconds=60),
        ),
    ],
)
def test_planted_bug_is_found(tmp_path: Path, attempts: int, plant: str, fault: str, promise: str) -> None:
    """A node is found out that wakes up and sends what it had claimed before, or that delivers webhooks of others."""
    for _ in range(attempts):
        run = run_harness(tmp_path, "--seconds=15", f"--fault={fault}", f"--plant={plant}")
        if f"BROKEN: {promise}" in run.stdout:
            break
    assert run.returncode == 1, run.stdout + run.stderr
    assert f"BROKEN: {promise}" in run.stdout
