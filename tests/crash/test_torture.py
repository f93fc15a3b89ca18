"""The crash harness, for a few kills: the server keeps its promises, and one with a planted bug is found out."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.__main__ import read_options
from tests.crash.planted import BUGS
from tests.crash.setting import HOME, environment

_PATIENCE = 100.0
"""Seconds, on a machine that has much else to do; else it takes less than twenty."""


def torture(place: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run it."""
    command = [sys.executable, "-m", "tests.crash", "--seconds=10", "--kills=3", "--devices=10", *words]
    told = environment() | {"TMPDIR": str(place)}
    return subprocess.run(command, cwd=HOME, env=told, capture_output=True, text=True, timeout=_PATIENCE, check=False)


@pytest.mark.slow(seconds=20)
def test_promises_are_kept(tmp_path: Path) -> None:
    """A server that is killed three times under ten devices keeps every promise, and nothing is left of the run."""
    run = torture(tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.endswith("every promise kept\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow(seconds=20)
def test_planted_bug_is_found(tmp_path: Path) -> None:
    """A server that sends a command again though its sender did not allow it is convicted, and the evidence is
    kept.
    """
    run = torture(tmp_path, "--plant=lapse-requeues")
    assert run.returncode == 1, run.stdout + run.stderr
    assert "BROKEN: at_most_once runs once at most" in run.stdout
    assert '"reason": "lapsed"' in run.stdout
    (place,) = tmp_path.iterdir()
    assert {file.name for file in place.iterdir()} == {"data", "devices.jsonl", "operator.jsonl", "server.log"}


@pytest.mark.parametrize("word", ["--plant=none-such", "--seconds=soon", "--kills=0", "--devices=1"])
def test_bad_option(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be asked for is refused at once, in words."""
    with pytest.raises(SystemExit):
        read_options([word])
    assert word.partition("=")[0] in capsys.readouterr().err


def test_seed() -> None:
    """Without a seed, each run has another."""
    assert read_options([]).seed != read_options([]).seed
    assert read_options(["--seed=7"]).seed == 7


def test_bugs_have_names() -> None:
    """The bugs that answer too early, repeat what must not be and send too late can all be planted."""
    assert set(BUGS) >= {"send-before-commit", "result-before-commit", "lapse-requeues", "late-send"}
