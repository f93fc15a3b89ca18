"""The vigil, for a few devices: exactly what fell silent is told, and a server with a planted bug is found out."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.setting import HOME, environment

FEW = ("--brief", "--devices=156", "--lost=40", "--site=12", "--flapping=3", "--signed-off=2", "--muted=2")

SLACK = "--slack=6"
"""On a machine that has much else to do."""

_PATIENCE = 170.0
"""Seconds, on such a machine; else it takes fifty."""


def vigil(place: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run it."""
    command = [sys.executable, "-m", "tests.alerting", *FEW, "--seed=7", SLACK, *words]
    told = environment() | {"TMPDIR": str(place)}
    return subprocess.run(command, cwd=HOME, env=told, capture_output=True, text=True, timeout=_PATIENCE, check=False)


@pytest.mark.slow(seconds=45)
@pytest.mark.timeout(_PATIENCE + 10)
def test_silence_is_noticed(tmp_path: Path) -> None:
    """Through a kill of the server, exactly the alerts that the design asks for arrive, and nothing is left of the
    run.
    """
    run = vigil(tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.endswith("every promise kept\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow(seconds=45)
def test_planted_bug_is_found(tmp_path: Path) -> None:
    """A server that blames the devices for its own absence is convicted, and the evidence is kept."""
    run = vigil(tmp_path, "--plant=restart-blames")
    assert run.returncode == 1, run.stdout + run.stderr
    assert "BROKEN: our own absence is nobody's silence" in run.stdout
    (place,) = tmp_path.iterdir()
    assert {file.name for file in place.iterdir()} == {"data", "devices.jsonl", "devices.log", "server.log"}
