"""Tests of an editable installation."""

import os
import subprocess
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from tests.integration.server import TWISTD

pytestmark = pytest.mark.slow


def _is_installed() -> bool:
    try:
        distribution("pushd")
    except PackageNotFoundError:
        return False
    return True


@pytest.mark.skipif(not _is_installed(), reason="pushd is not installed")
def test_twistd_finds_an_editable_install(tmp_path: Path) -> None:
    """Twistd finds the plugins of the server and the simulator from any directory."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    shown = subprocess.run([TWISTD, "--help"], cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    plugins = {line.split()[0] for line in shown.stdout.splitlines() if line.startswith("    ") and line.split()}
    assert {"pushd", "pushd-simulate"} <= plugins
