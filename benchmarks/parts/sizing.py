"""Sizing: how much of the machine a fleet of common size takes at a common rate of commands."""

import os

from benchmarks.generator import MeasurementFailed
from benchmarks.requests import CONTROL_ID
from benchmarks.results import Metric, milliseconds
from benchmarks.runner import Runner
from benchmarks.server_names import PUSHD
from benchmarks.servers import Server
from benchmarks.start_commands import ServerOptions

HOLD = 45
MIB = 1024 * 1024


def run(runner: Runner) -> None:
    """Measure pushd."""
    servers = runner.make_servers((PUSHD,), ServerOptions(hold=HOLD))
    runner.restart_and_measure(servers, lambda server: measure(runner, server))


def measure(runner: Runner, server: Server) -> None:
    """Hold and repeat polls of Server-Eye containers, and run cycles of Control iD devices at a steady rate."""
    size, seconds = runner.size, runner.size.steady
    load = f"{size.fleet:,} polls held for {HOLD} s each, {size.pace:,} cycles/s"
    holding = {**server.ports, **server.requests().settings(), "stages": size.fleet, "seconds": 2 * seconds + 60}
    with runner.generator.start("hold", holding) as process:
        assert process.stdout is not None, "it is a pipe"
        if not process.stdout.readline():
            raise MeasurementFailed("the polls could not be held")
        elapsed, cpu = os.times().elapsed, server.cpu_seconds()
        requests = server.requests(CONTROL_ID).settings("put", "ack", "result")
        settings = {**server.ports, **requests, "devices": size.pace, "rate": size.pace, "seconds": seconds}
        cycles = runner.generator.run("cycle", settings, timeout=2 * seconds + 60)["cycles"]
        elapsed, cpu = os.times().elapsed - elapsed, server.cpu_seconds() - cpu
        figures = (
            (Metric(name=f"{load}: CPU, share of a core", unit="%"), 100 * cpu / elapsed),
            (Metric(name=f"{load}: memory of the process", unit="MiB"), server.memory_bytes() / MIB),
            (Metric(name=f"{load}: cycles reached", unit="/s", more=True), cycles["rate"]),
            (milliseconds(f"{load}: a whole cycle, p50"), 1000 * cycles["p50"]),
            (milliseconds(f"{load}: a whole cycle, p99"), 1000 * cycles["p99"]),
        )
        for metric, value in figures:
            runner.results.add(metric, server.name, value)
