"""Tests of what a user's program gets with the client."""

import subprocess
import sys

import pytest

from tests.docs.pages import EXAMPLES, ROOT

NO_TWISTED = """
import sys, pushd.client
print(sorted({name.partition(".")[0] for name in sys.modules} & {"twisted", "klein", "treq", "zope", "sqlite3"}))
"""


def test_no_twisted() -> None:
    """Importing the client imports neither Twisted nor anything of the server that needs it."""
    done = subprocess.run([sys.executable, "-c", NO_TWISTED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.slow(seconds=20)
def test_types_of_a_users_program() -> None:
    """``mypy --strict`` accepts the examples, and finds a misspelled field in one."""
    programs = sorted(EXAMPLES.glob("client/*.py"))
    assert programs
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-incremental"]
    done = subprocess.run([*mypy, *programs], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    wrong = programs[0].read_text("utf-8") + "\nwrong: int = client.info().versoin\n"
    done = subprocess.run([*mypy, "-c", wrong], cwd=ROOT, capture_output=True, text=True, check=False)
    assert 'has no attribute "versoin"' in done.stdout
