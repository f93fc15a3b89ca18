"""Offline detection: the duration of a round with up to a million devices that all poll in time."""

import json
import subprocess
import sys

from benchmarks.machine import ROOT
from benchmarks.results import milliseconds
from benchmarks.runner import Runner
from benchmarks.server_names import PUSHD

ROUNDS = 130
"""Enough rounds that each device with a heartbeat timeout of two minutes is checked."""

TIMEOUT = 120.0
"""Seconds for one number of devices."""


def round_metric(devices: int, statistic: str) -> str:
    """The name of the metric; the statistic is ``mean`` or ``worst``."""
    return f"a round of offline detection, {devices:,} devices, {statistic}"


def run(runner: Runner) -> None:
    """Measure each number of devices, for as many runs as asked."""
    for _ in range(runner.runs):
        for devices in runner.size.detected:
            runner.log(f"offline-detection: {devices:,} devices")
            figures = _measure(runner, devices)
            for statistic in ("mean", "worst"):
                metric = milliseconds(round_metric(devices, statistic), worst=statistic == "worst")
                runner.results.add(metric, PUSHD, figures[statistic])


def _measure(runner: Runner, devices: int) -> dict[str, float]:
    """Measure in a process of its own, on the server's core."""
    command = [sys.executable, "-m", "benchmarks.offline_detection", str(devices), str(ROUNDS)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=True,
        preexec_fn=runner.factory.cores.for_server(),
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures
