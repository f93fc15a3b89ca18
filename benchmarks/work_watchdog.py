"""The watchdog's round, at 10,000, 100,000 and 1,000,000 devices that all poll in time."""

import json
import subprocess
import sys

from benchmarks.bench import Bench
from benchmarks.book import milliseconds
from benchmarks.machine import HOME
from benchmarks.who import US

ROUNDS = 130
"""So many that each device whose timeout is two minutes came up."""

PATIENCE = 120.0
"""Seconds for one number of devices."""


def named(devices: int, which: str) -> str:
    """The name of a figure: of the ``mean`` round, or of the ``worst``."""
    return f"the watchdog's round, {devices:,} devices, {which}"


def work(bench: Bench) -> None:
    """Measure each number of devices, as often as everything else is."""
    for _ in range(bench.runs):
        for devices in bench.size.watched:
            bench.say(f"watchdog: {devices:,} devices")
            figures = _measure(bench, devices)
            for which in ("mean", "worst"):
                quantity = milliseconds(named(devices, which), extreme=which == "worst")
                bench.book.write(quantity, US, figures[which])


def _measure(bench: Bench, devices: int) -> dict[str, float]:
    """One process, on the server's core."""
    command = [sys.executable, "-m", "benchmarks.rounds", str(devices), str(ROUNDS)]
    ran = subprocess.run(
        command,
        cwd=HOME,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
        preexec_fn=bench.lineup.cores.for_server(),
    )
    figures: dict[str, float] = json.loads(ran.stdout)
    return figures
