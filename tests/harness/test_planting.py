"""Tests of the planted bugs of all harnesses."""

import subprocess
import sys

import pytest

from tests.harness.environment import ROOT, environment

_PLANT_ALL = "from tests.{} import planted_bugs; [plant() for plant in planted_bugs.BUGS.values()]"


@pytest.mark.parametrize("harness", ["alerting", "cluster", "crash", "soak"])
def test_bugs_can_be_planted(harness: str) -> None:
    """The server still has the places that each planted bug changes."""
    command = [sys.executable, "-c", _PLANT_ALL.format(harness)]
    planted = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    assert (planted.returncode, planted.stderr) == (0, "")
