"""The durable cycle: put, commit, wake up, deliver, acknowledge, result, commit; as many cycles as possible."""

from collections.abc import Sequence

from benchmarks.requests import CONTROL_ID, SERVER_EYE
from benchmarks.results import cpu_time, milliseconds, rate
from benchmarks.runner import Runner
from benchmarks.server_names import AIOHTTP, DURABLE, KLEIN_SQLITE, PUSHD, TRIVIAL
from benchmarks.servers import Server
from benchmarks.start_commands import ServerOptions

HOLD = 55

SLOWER = 3.0
"""Milliseconds that an fsync takes longer on the disk of a common cloud machine."""


def cycle_metric(dialect: str, devices: int, slower: float = 0) -> str:
    """The name of the metric."""
    return f"durable cycles, {dialect}, {devices:,} devices" + (f", fsync + {slower:g} ms" if slower else "")


def run(runner: Runner) -> None:
    """Measure all durable servers, and two that keep nothing, to show what the requests alone cost."""
    _run(runner, (PUSHD, *DURABLE, AIOHTTP, TRIVIAL), 0)


def run_slower_disk(runner: Runner) -> None:
    """Measure all durable servers on a slower disk."""
    _run(runner, (PUSHD, *DURABLE), SLOWER)


def _run(runner: Runner, names: Sequence[str], slower: float) -> None:
    with runner.running_servers(names, ServerOptions(hold=HOLD, fsync_ms=slower)) as servers:
        runner.measure_in_turn(servers, lambda server: measure(runner, server, slower))


def measure(runner: Runner, server: Server, slower: float = 0, suffix: str = "") -> None:
    """Measure each dialect with each number of devices once."""
    counts = runner.size.cycles
    if slower and server.kind == KLEIN_SQLITE:
        counts = counts[:-1]  # with a commit for each step, one cycle of each of so many devices takes 15 seconds
    for dialect in (SERVER_EYE, CONTROL_ID) if server.kind == PUSHD else (SERVER_EYE,):
        requests = server.requests(dialect).settings("put", "ack", "result")
        for devices in counts:
            settings = {**server.ports, **requests, "devices": devices, "seconds": runner.size.cycle}
            cpu = server.cpu_seconds()
            figures = runner.generator.run("cycle", settings)
            cycles, cpu = figures["cycles"], server.cpu_seconds() - cpu
            name = cycle_metric(dialect, devices, slower) + suffix
            runner.results.add(rate(name), server.name, cycles["rate"])
            runner.results.add(milliseconds(f"{name}, p99"), server.name, cycles["p99"] * 1000)
            runner.results.add(cpu_time(name), server.name, cpu / figures["completed"] * 1e6)
