"""Tests of how ``make`` chooses a Python."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "tools" / "find_python.sh"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An empty folder that is the whole PATH."""
    return tmp_path


def _install(path: Path, name: str, change: str = "") -> None:
    """A Python that runs ``change`` before the code that it is given."""
    program = path / name
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import sys\n{change}\n$2"\n')
    program.chmod(0o755)


def _find(path: Path, *wanted: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PATH": str(path), "SYSTEM_PYTHON": str(path / "system-python3")}
    return subprocess.run(
        ["/bin/sh", str(SCRIPT), *wanted], env=environment, capture_output=True, text=True, check=False
    )


def test_python_of_the_system_is_preferred(path: Path) -> None:
    """Where the system has a Python that is new enough it is taken: it is mostly the fastest."""
    for name in ("system-python3", "python3"):
        _install(path, name)
    assert _find(path).stdout == f"{path}/system-python3\n"
    _install(path, "system-python3", OLD)
    assert _find(path).stdout == "python3\n"


OLD = "sys.version_info = (3, 8, 20)"
NO_VENV = "sys.modules['ensurepip'] = None"


def test_python3_is_the_default(path: Path) -> None:
    """Where python3 is new enough it is taken, whatever else there is."""
    for name in ("python3", "python3.13", "python3.11"):
        _install(path, name)
    assert _find(path).stdout == "python3\n"


@pytest.mark.parametrize("problem", [OLD, NO_VENV, "sys.exit(127)"])
def test_newer_python_is_found_beside_an_old_one(path: Path, problem: str) -> None:
    """Where python3 is too old, lacks venv or does not run, a newer one with its version in its name is taken."""
    _install(path, "python3", problem)
    _install(path, "python3.13", "sys.exit('a shim without its program')")
    _install(path, "python3.12")
    assert _find(path).stdout == "python3.12\n"


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (OLD, "make: python3 is Python 3.8; pushd needs Python 3.11 or later; choose another one by: "),
        (NO_VENV, "make: python3 has no venv module; on Debian and Ubuntu, install the package python3."),
        ("sys.exit(127)", "make: python3 cannot be run; choose another one by: "),
    ],
)
def test_reason_is_one_line(path: Path, problem: str, line: str) -> None:
    """Where no Python will do, one line says why and how to choose another."""
    _install(path, "python3", problem)
    found = _find(path)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.startswith(line)
    assert found.stderr.endswith("make PYTHON=/path/to/python3\n")
    assert found.stderr.count("\n") == 1


def test_chosen_python_is_not_replaced(path: Path) -> None:
    """The Python that was asked for is taken, or the reason is given why it cannot be."""
    _install(path, "python3")
    _install(path, "mine", OLD)
    assert _find(path, "mine").stderr.startswith("make: mine is Python 3.8;")
    assert _find(path, str(path / "python3")).stdout == f"{path / 'python3'}\n"
