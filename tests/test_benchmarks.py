"""The instrument, small: it measures, and tells what it measured. What the figures are is no test's business."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import ONLY_BY_NAME, PARTS, main, read_options
from benchmarks.book import Book, milliseconds, rate
from benchmarks.machine import HOME
from benchmarks.sizes import FULL
from benchmarks.speech import SERVER_EYE
from benchmarks.table import plain, rst
from benchmarks.targets import TARGETS
from benchmarks.who import AIOHTTP, FLOOR, TWISTED, US
from benchmarks.work_crowd import held as crowd_held
from benchmarks.work_crowd import waits as crowd_waits
from benchmarks.work_cycle import SLOWER
from benchmarks.work_cycle import named as cycle
from benchmarks.work_idle import FRESH, KEPT
from benchmarks.work_memory import held as memory
from benchmarks.work_wake import DURABLE_WHATS
from benchmarks.work_wake import named as wake
from benchmarks.work_watchdog import named as watchdog
from tests.harness.environment import environment
from tests.programs import needs_program

_PATIENCE = 100.0
"""Seconds, on a machine that has much else to do; else it takes less than fifteen."""


@pytest.mark.slow(seconds=25)
def test_instrument(tmp_path: Path) -> None:
    """Every work comes to a figure of this server and of a peer beside it, nobody breaks, and nothing is left of the
    run.
    """
    needs_program("cc")
    place, told = tmp_path / "disk", tmp_path / "figures.json"
    place.mkdir()
    words = [
        "--small",
        "--runs=1",
        "--no-install",
        f"--who={US}",
        f"--who={TWISTED}",
        f"--dir={place}",
        f"--json={told}",
    ]
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", *words],
        cwd=HOME,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    figures = json.loads(told.read_text())
    assert figures["broken"] == [], run.stderr
    assert list(place.iterdir()) == []
    measured = {(one["work"].partition(",")[0], one["who"]) for one in figures["figures"]}
    ours = {"idle poll", "memory of a held poll", "wake", "durable put", "durable cycle", "50 polls at once"}
    assert measured >= {(work, US) for work in ours} | {("idle poll", TWISTED), ("wake", TWISTED)}
    assert f"{KEPT} " in run.stdout


@pytest.mark.slow
def test_a_steady_pace_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A fleet that holds its polls while some of it are sent commands takes a part of a core, and some memory."""
    needs_program("cc")
    told = tmp_path / "figures.json"
    assert main(["sizing", "--small", "--runs=1", "--no-install", f"--dir={tmp_path}", f"--json={told}"]) == 0
    figures = json.loads(told.read_text())
    assert figures["broken"] == [], capsys.readouterr().err
    values = {one["work"].rpartition(": ")[2]: one["figure"] for one in figures["figures"]}
    assert 0 < values["of a core"] < 100
    assert values["memory of the process"] > 1
    assert values["reached"] > 1


@pytest.mark.parametrize("word", ["none-such", "--who=nobody", "--runs=0"])
def test_bad_option(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be asked for is refused at once, in words."""
    with pytest.raises(SystemExit):
        read_options([word])
    assert word.rpartition("=")[2] in capsys.readouterr().err or "--runs" in word


def test_parts_have_names() -> None:
    """Each part can be had by its name, and what takes long is only had so."""
    assert read_options(list(PARTS)).parts == list(PARTS)
    assert set(ONLY_BY_NAME) < set(PARTS)


def test_no_compiler(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Where there is no C compiler, the instrument says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--no-install", f"--dir={tmp_path}"]) == 1
    assert "Debian: gcc" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def _book(ours: float, theirs: float) -> Book:
    book = Book()
    for value in (ours, ours * 100, ours / 100):
        book.write(rate(KEPT), US, value)
    book.write(rate(KEPT), AIOHTTP, theirs)
    return book


def test_table() -> None:
    """The table shows the median of the runs beside a peer's, their ratio, and whether the target is reached."""
    shown = plain(_book(800, 1_000), {"machine": "a small one"}, {"nchan": "nginx"}).splitlines()
    line = next(line for line in shown if line.startswith(KEPT))
    assert "pushd" in line
    assert "800 /s" in line
    assert f">= 0.75 x {AIOHTTP}" in line
    assert line.endswith("yes")
    assert shown[0] == "machine: a small one"
    assert "missing: nchan; it takes nginx" in shown


def test_target_missed() -> None:
    """A target that is missed says so, and one whose peer is missing says that nobody knows."""
    lines = plain(_book(700, 1_000), {}, {}).splitlines()
    assert next(line for line in lines if line.startswith(KEPT)).endswith("NO")
    assert next(line for line in lines if "x stock Klein" in line).endswith("?")
    assert "docs/performance.rst" in lines[-1]
    assert "docs/performance.rst" not in plain(_book(800, 1_000), {}, {})


def test_generator_is_the_limit() -> None:
    """Where the load generator reaches less than three times our figure, the table warns."""
    book = _book(800, 1_000)
    book.write(rate(KEPT), FLOOR, 2_000)
    assert f"{KEPT}: the generator reaches only 2.5 times this, and may be the limit" in plain(book, {}, {})
    book.write(rate(KEPT), FLOOR, 4_000)
    assert "may be the limit" not in plain(book, {}, {})


def test_worst_of_all_runs() -> None:
    """Of how long something takes at worst, the worst run counts, not the median."""
    book = Book()
    for value in (1.0, 9.0, 2.0):
        book.write(milliseconds("worst", extreme=True), US, value)
    assert book.figure("worst", US) == 9.0


def test_documentation_table() -> None:
    """For the documentation, the same lines come as a list-table."""
    text = rst(_book(800, 1_000), {}, {})
    assert text.startswith(".. list-table::")
    assert f"   * - {KEPT}\n     - pushd\n     - 800 /s\n" in text


def test_targets_are_of_works() -> None:
    """Every target is about something that a whole run measures."""
    names = {KEPT, FRESH, *map(memory, FULL.stages), crowd_held(FULL.crowd), crowd_waits(FULL.crowd)}
    names |= {
        wake(what, hold, puts, durable)
        for what in DURABLE_WHATS
        for hold in FULL.holds
        for puts, _ in FULL.rates
        for durable in (True, False)
    }
    names |= {cycle(SERVER_EYE, devices, slower) for devices in FULL.cycles for slower in (0, SLOWER)}
    names |= {watchdog(devices, which) for devices in FULL.watched for which in ("mean", "worst")}
    assert set(TARGETS) <= names
