"""Tests of the demo as a process, with the real server and simulated devices."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def test_demo_goes_well_twice(tmp_path: Path) -> None:
    """The demo ends with exit code 0, and so does a second one in the same directory, which has forgotten nothing."""
    words = "--once --controlid 1 --servereye 0 --devices-port 0 --admin-port 0".split()
    command = [sys.executable, "-m", "pushd.demo", *words, "--data-dir", str(tmp_path / "demo")]
    for _ in range(2):
        demo = subprocess.run(
            command, env=_environment(), cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert demo.returncode == 0, demo.stdout + demo.stderr
        assert "8 commands: 7 succeeded, 1 failed; 8 as expected, 0 not" in demo.stdout
