"""The example project on the page about testing works as a project of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import EXAMPLES, ROOT
from tests.integration.server import environment

pytestmark = pytest.mark.slow(seconds=10)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project."""
    return Path(shutil.copytree(EXAMPLES / "project", tmp_path / "project"))


def test_its_tests_pass(project: Path) -> None:
    """``pytest`` in its directory starts a server and devices, and all tests pass."""
    program = [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider"]
    done = subprocess.run(program, cwd=project, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout


def test_its_types(project: Path) -> None:
    """``mypy --strict`` accepts it."""
    program = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-incremental"]
    done = subprocess.run(
        [*program, *project.glob("*.py")],
        cwd=ROOT,
        env=environment() | {"MYPYPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_plugin_is_not_on_by_itself(project: Path) -> None:
    """Without ``-p pushd.testing`` there are no fixtures of ours."""
    (project / "pyproject.toml").unlink()
    program = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    done = subprocess.run(program, cwd=project, env=environment(), capture_output=True, text=True, check=False)
    assert "fixture 'pushd_server' not found" in done.stdout
