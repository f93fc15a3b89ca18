"""Programs that tests call and Python does not bring; ``tools/debian-packages.txt`` has Debian's packages of them."""

import os
import subprocess
from pathlib import Path
from shutil import which

import pytest

INSTALL_SECONDS = 180


def needs_program(*names: str) -> None:
    """Skip the test if one of these programs is not installed; fail it instead where ``CI`` is set."""
    missing = [name for name in names if which(name) is None]
    if not missing:
        return
    reason = f"not installed: {', '.join(missing)} (see tools/debian-packages.txt)"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def npm_install(folder: Path, *packages: str) -> None:
    """Install packages of npm in a folder, or those that its ``package.json`` names; skip the test if there are none
    to be had, but fail where ``CI`` is set.
    """
    needs_program("node", "npm")
    words = ["npm", "install", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error", *packages]
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        problem = "" if done.returncode == 0 else done.stderr
    except subprocess.TimeoutExpired:
        problem = "npm install did not end in time"
    if problem:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(problem)
