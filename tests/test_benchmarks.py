"""Tests of the benchmarks with a small load: every part has figures, and they are reported. No figure is checked."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import ONLY_BY_NAME, PARTS, main, parse_options
from benchmarks.machine import ROOT
from benchmarks.parts.cluster import PROCESSES
from benchmarks.parts.cluster import cycle_metric as cluster_metric
from benchmarks.parts.cycle import SLOWER, cycle_metric
from benchmarks.parts.idle import KEEP_ALIVE, NEW_CONNECTIONS
from benchmarks.parts.memory import memory_metric
from benchmarks.parts.offline_detection import round_metric
from benchmarks.parts.reconnect import held_metric, operator_metric
from benchmarks.parts.wake import DURABLE_STATISTICS, wake_metric
from benchmarks.requests import SERVER_EYE
from benchmarks.results import Results, milliseconds, rate
from benchmarks.server_names import AIOHTTP, PUSHD, TRIVIAL, TWISTED, on_postgres
from benchmarks.sizes import FULL, SMALL
from benchmarks.table import rst_table, text_table
from benchmarks.targets import TARGETS
from tests.harness.environment import environment
from tests.programs import needs_program

_TIMEOUT = 100.0
"""Seconds, on a busy machine; on an idle one a run takes less than fifteen."""


@pytest.mark.slow(seconds=25)
def test_small_run(tmp_path: Path) -> None:
    """Every part has figures of pushd and of another server, no measurement fails, and the run leaves no files."""
    needs_program("cc")
    directory, file = tmp_path / "disk", tmp_path / "figures.json"
    directory.mkdir()
    options = ["--small", "--runs=1", "--no-install", f"--server={PUSHD}", f"--server={TWISTED}"]
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", *options, f"--dir={directory}", f"--json={file}"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    document = json.loads(file.read_text())
    assert document["failures"] == [], run.stderr
    assert list(directory.iterdir()) == []
    measured = {(figure["metric"].partition(",")[0], figure["server"]) for figure in document["figures"]}
    metrics = {
        "idle polls",
        "memory of a held poll",
        "wake-up",
        "durable put",
        "durable cycles",
        "50 devices reconnect at once",
        "a round of offline detection",
    }
    assert measured >= {(metric, PUSHD) for metric in metrics} | {("idle polls", TWISTED), ("wake-up", TWISTED)}
    assert f"{KEEP_ALIVE} " in run.stdout


@pytest.mark.slow
def test_sizing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A fleet that holds polls while commands run at a steady rate takes a share of a core, and some memory."""
    needs_program("cc")
    file = tmp_path / "figures.json"
    assert main(["sizing", "--small", "--runs=1", "--no-install", f"--dir={tmp_path}", f"--json={file}"]) == 0
    document = json.loads(file.read_text())
    assert document["failures"] == [], capsys.readouterr().err
    values = {figure["metric"].rpartition(": ")[2]: figure["figure"] for figure in document["figures"]}
    assert 0 < values["CPU, share of a core"] < 100
    assert values["memory of the process"] > 1
    assert values["cycles reached"] > 1


@pytest.mark.slow
def test_strips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Strips of presence are asked for, alone and while commands are sent, on SQLite and on PostgreSQL."""
    needs_program("cc")
    file = tmp_path / "figures.json"
    assert main(["strips", "--small", "--runs=1", "--no-install", f"--dir={tmp_path}", f"--json={file}"]) == 0
    document = json.loads(file.read_text())
    assert document["failures"] == [], capsys.readouterr().err
    measured = {figure["metric"] for figure in document["figures"]}
    for kind in ("SQLite", "PostgreSQL"):
        name = f"strips of 25 of 60 devices, {kind}"
        assert measured >= {f"{name}, CPU each", f"{name}: wake-up with them, p50"}


@pytest.mark.slow
def test_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One, two and three processes on PostgreSQL are measured beside one on SQLite, and what a group costs there."""
    needs_program("cc")
    tmp_path.chmod(0o755)  # PostgreSQL does not run as root
    file = tmp_path / "figures.json"
    # not below pytest's folders, which only their owner may enter: PostgreSQL does not run as root
    assert main(["cluster", "--small", "--runs=1", "--no-install", f"--json={file}"]) == 0
    document = json.loads(file.read_text())
    figures = {(figure["metric"], figure["server"]): figure["figure"] for figure in document["figures"]}
    for server in (PUSHD, *map(on_postgres, PROCESSES)):
        assert figures[cluster_metric(SMALL.clustered), server] > 1
    for size in (1, 10, 100):
        assert figures[f"a group of {size} operations, round trips", on_postgres(1)] == 2
    text = capsys.readouterr().out
    assert "computed for 8 cores" in text
    assert "computed for 32 cores" in text


@pytest.mark.parametrize("option", ["none-such", "--server=unknown", "--runs=0"])
def test_bad_option(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An invalid option is refused with a message that names it."""
    with pytest.raises(SystemExit):
        parse_options([option])
    assert option.rpartition("=")[2] in capsys.readouterr().err or "--runs" in option


def test_parts_have_names() -> None:
    """Each part can be selected by its name, and long ones only by it."""
    assert parse_options(list(PARTS)).parts == list(PARTS)
    assert set(ONLY_BY_NAME) < set(PARTS)


def test_no_compiler(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Without a C compiler, the program names the package to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--no-install", f"--dir={tmp_path}"]) == 1
    assert "Debian: gcc" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def _results(own: float, other: float) -> Results:
    results = Results()
    for value in (own, own * 100, own / 100):
        results.add(rate(KEEP_ALIVE), PUSHD, value)
    results.add(rate(KEEP_ALIVE), AIOHTTP, other)
    return results


def test_table() -> None:
    """The table shows the median of all runs, the ratio to another server, and whether the target is reached."""
    lines = text_table(_results(800, 1_000), {"machine": "a small one"}, {"nchan": "nginx"}).splitlines()
    line = next(line for line in lines if line.startswith(KEEP_ALIVE))
    assert "pushd" in line
    assert "800 /s" in line
    assert f">= 0.75 x {AIOHTTP}" in line
    assert line.endswith("yes")
    assert lines[0] == "machine: a small one"
    assert "missing: nchan; it needs nginx" in lines


def test_missed_target() -> None:
    """A missed target is marked, and so is one relative to a server without figures."""
    lines = text_table(_results(700, 1_000), {}, {}).splitlines()
    assert next(line for line in lines if line.startswith(KEEP_ALIVE)).endswith("NO")
    assert next(line for line in lines if "x stock Klein" in line).endswith("?")
    assert "docs/performance.rst" in lines[-1]
    assert "docs/performance.rst" not in text_table(_results(800, 1_000), {}, {})


def test_generator_is_the_limit() -> None:
    """A note says where the load generator reaches less than three times the figure of pushd."""
    results = _results(800, 1_000)
    results.add(rate(KEEP_ALIVE), TRIVIAL, 2_000)
    assert f"{KEEP_ALIVE}: the generator reaches only 2.5 times this, and may be the limit" in text_table(
        results, {}, {}
    )
    results.add(rate(KEEP_ALIVE), TRIVIAL, 4_000)
    assert "may be the limit" not in text_table(results, {}, {})


def test_worst_of_all_runs() -> None:
    """Of a worst-case metric, the worst run counts instead of the median."""
    results = Results()
    for value in (1.0, 9.0, 2.0):
        results.add(milliseconds("worst", worst=True), PUSHD, value)
    assert results.figure("worst", PUSHD) == 9.0


def test_documentation_table() -> None:
    """The table is also available as a list-table of reStructuredText."""
    text = rst_table(_results(800, 1_000), {}, {})
    assert text.startswith(".. list-table::")
    assert f"   * - {KEEP_ALIVE}\n     - pushd\n     - 800 /s\n" in text


def test_targets_are_measured() -> None:
    """Every target is about a metric that a whole run measures."""
    names = {KEEP_ALIVE, NEW_CONNECTIONS, *map(memory_metric, FULL.stages)}
    names |= {held_metric(FULL.reconnect), operator_metric(FULL.reconnect)}
    names |= {
        wake_metric(statistic, hold, puts, durable)
        for statistic in DURABLE_STATISTICS
        for hold in FULL.holds
        for puts, _ in FULL.rates
        for durable in (True, False)
    }
    names |= {cycle_metric(SERVER_EYE, devices, slower) for devices in FULL.cycles for slower in (0, SLOWER)}
    names |= {round_metric(devices, statistic) for devices in FULL.detected for statistic in ("mean", "worst")}
    assert set(TARGETS) <= names
