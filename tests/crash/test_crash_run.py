"""Tests of the crash harness with a few kills: the server keeps its promises, and a planted bug is found."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.crash.__main__ import parse_options
from tests.crash.disturbances import OTHER_PROGRAM
from tests.crash.planted_bugs import BUGS
from tests.crash.run import stale_memory
from tests.harness.environment import ROOT, environment
from tests.programs import needs_program

_TIMEOUT = 200.0
"""Seconds, on a busy machine; on an idle one a run takes less than twenty, or a minute if the server gets stuck."""

ON_FAULTY_DISK = ("--power-cuts", "--disk-failures", "--suspensions")


def run_harness(directory: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run the harness in a directory."""
    command = [sys.executable, "-m", "tests.crash", "--seconds=10", "--kills=3", "--devices=10", *options]
    env = environment() | {"TMPDIR": str(directory)}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=_TIMEOUT, check=False)


@pytest.mark.slow(seconds=20)
@pytest.mark.timeout(_TIMEOUT + 10)
def test_promises_are_kept(tmp_path: Path) -> None:
    """A server with ten devices that is killed three times keeps every promise, and the run leaves no files."""
    run = run_harness(tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.endswith("every promise kept\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow(seconds=25)
@pytest.mark.timeout(_TIMEOUT + 10)
def test_promises_are_kept_on_a_faulty_disk(tmp_path: Path) -> None:
    """So does one that is suspended, whose disk fails for a while, and loses what was not synced at a kill."""
    needs_program("cc")
    run = run_harness(tmp_path, *ON_FAULTY_DISK)
    assert run.returncode == 0, run.stdout + run.stderr
    assert counted(run.stdout, "server    crashes of the database") > 0
    assert counted(run.stdout, "disturbed the disk was full") > 0
    assert counted(run.stdout, "disturbed the server was suspended") > 0


@pytest.mark.slow(seconds=35)
@pytest.mark.timeout(_TIMEOUT + 10)
def test_promises_are_kept_on_postgresql() -> None:
    """So does one on PostgreSQL that is suspended, while sessions end in groups and at COMMIT, and PostgreSQL dies."""
    directory = Path(tempfile.gettempdir())  # PostgreSQL may not enter pytest's
    run = run_harness(directory, "--store=postgresql", *ON_FAULTY_DISK)
    assert run.returncode == 0, run.stdout + run.stderr
    for label in (
        "disturbed the answer of COMMIT was lost, and the network with it",
        "disturbed the server was suspended",
        "server    crashes of the database",
    ):
        assert counted(run.stdout, label) > 0, run.stdout
    first, _, _ = run.stdout.partition("\n")
    assert not Path(first.rpartition(" ")[2]).exists()


def counted(report: str, label: str) -> int:
    """A number in the table of a report."""
    return sum(int(line.split()[-1]) for line in report.splitlines() if line.strip().startswith(label))


ATTEMPTS = 3
"""Runs in one of which a bug must be found: on a busy machine few of the situations that show it may occur."""


@pytest.mark.timeout(ATTEMPTS * _TIMEOUT)
@pytest.mark.parametrize(
    ("plant", "options", "promise"),
    [
        pytest.param(*bug, marks=pytest.mark.slow(seconds=seconds))
        for seconds, *bug in [
            (30, "result-before-commit", "--kills=5 --seconds=20", "a reported result decides the state"),
            (45, "merge-before-commit", "--disk-failures", "the server does not fail by itself"),
            (30, "late-claim-sent", "--suspensions", "what was claimed is not sent after its lease"),
            (30, "doubt-denied", "--disk-failures", "a refused request changes nothing"),
            (20, "stale-version-saved", "", "a change by another program is kept"),
            (10, "synchronous-off", "--power-cuts", "the server does not fail by itself"),
        ]
    ],
)
def test_planted_bug_of_the_store_is_found(tmp_path: Path, plant: str, options: str, promise: str) -> None:
    """So is a server that does not keep apart what is committed and what is not."""
    if any(option in ON_FAULTY_DISK for option in options.split()):
        needs_program("cc")
    for _ in range(ATTEMPTS):
        run = run_harness(tmp_path, f"--plant={plant}", *options.split())
        if f"BROKEN: {promise}" in run.stdout:  # another promise may be broken before this one
            break
    assert run.returncode == 1, run.stdout + run.stderr
    assert f"BROKEN: {promise}" in run.stdout, run.stdout


@pytest.mark.slow(seconds=20)
def test_planted_bug_is_found(tmp_path: Path) -> None:
    """A server that sends an at_most_once command again is found out, and all files of the run are kept."""
    run = run_harness(tmp_path, "--plant=lapse-requeues")
    assert run.returncode == 1, run.stdout + run.stderr
    assert "BROKEN: at_most_once commands run at most once" in run.stdout
    assert '"reason": "lapsed"' in run.stdout
    (directory,) = tmp_path.iterdir()
    assert {file.name for file in directory.iterdir()} == {"data", "devices.jsonl", "operator.jsonl", "server.log"}


@pytest.mark.parametrize("option", ["--plant=none-such", "--seconds=soon", "--kills=0", "--devices=1"])
def test_bad_option(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An invalid option is refused with a message that names it."""
    with pytest.raises(SystemExit):
        parse_options([option])
    assert option.partition("=")[0] in capsys.readouterr().err


def test_seed() -> None:
    """Without a seed, each run has another."""
    assert parse_options([]).seed != parse_options([]).seed
    assert parse_options(["--seed=7"]).seed == 7


def test_bugs_have_names() -> None:
    """Bugs that answer before the commit, repeat a command and send too late can be planted."""
    assert set(BUGS) >= {"send-before-commit", "result-before-commit", "lapse-requeues", "late-send"}


def test_memory_that_no_other_program_made_stale() -> None:
    """A server whose memory of commands is not what the database has is found out, unless another program did it."""
    stale = "error: Unable to save commands: they were changed by another program.\n"
    start = "twistd starting up.\n"
    assert list(stale_memory(start + f"{OTHER_PROGRAM}\n" + stale + start)) == []
    assert list(stale_memory(start + f"{OTHER_PROGRAM}\n" + start + stale)) == [stale.strip()]
