"""Tests of the soak test in a short form: the server keeps its promises, and planted bugs are found."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.environment import ROOT, environment
from tests.soak.__main__ import parse_options
from tests.soak.attacks import ATTACKS
from tests.soak.planted_bugs import BUGS

_TIMEOUT = 400.0
"""Seconds, on a busy machine; on an idle one a run takes less than eighty."""


def run_harness(directory: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run the harness in a directory."""
    command = [sys.executable, "-m", "tests.soak", "--seed=7", "--stop-seconds=15", *options]
    env = environment() | {"TMPDIR": str(directory)}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=_TIMEOUT, check=False)


@pytest.mark.slow(seconds=80)
@pytest.mark.timeout(_TIMEOUT + 10)
def test_promises_are_kept(tmp_path: Path) -> None:
    """A server keeps every promise amid all kinds of hostile clients, and the run leaves no files."""
    run = run_harness(tmp_path, "--minutes=0.8")
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.endswith("every promise kept\n")
    assert [attack.name for attack in ATTACKS if f"hostile   {attack.name} " not in run.stdout] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow(seconds=60)
@pytest.mark.timeout(_TIMEOUT + 10)
@pytest.mark.parametrize(
    ("bug", "minutes", "promise"),
    [
        ("memory-leak", 0.5, "memory does not grow after the warm-up"),
        ("descriptor-leak", 0.25, "descriptors return to their number before the load"),
    ],
)
def test_planted_bug_is_found(bug: str, minutes: float, promise: str, tmp_path: Path) -> None:
    """A server that keeps a part of each request is found out, and all files of the run are kept."""
    run = run_harness(tmp_path, f"--minutes={minutes}", f"--plant={bug}")
    assert run.returncode == 1, run.stdout + run.stderr
    assert f"BROKEN: {promise}" in run.stdout
    (directory,) = tmp_path.iterdir()
    names = {"data", "devices.jsonl", "operator.jsonl", "samples.jsonl", "server.log"}
    assert {file.name for file in directory.iterdir()} == names


@pytest.mark.parametrize("option", ["--plant=none-such", "--minutes=0", "--devices=1"])
def test_bad_option(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An invalid option is refused with a message that names it."""
    with pytest.raises(SystemExit):
        parse_options([option])
    assert option.partition("=")[0] in capsys.readouterr().err


def test_bugs_have_names() -> None:
    """Leaks, a log that grows, connections that stay open and lost deliveries can be planted."""
    assert set(BUGS) >= {"memory-leak", "descriptor-leak", "log-per-request", "connections-kept"}
