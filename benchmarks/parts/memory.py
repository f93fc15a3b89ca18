"""Memory: how much the process of the server grows with each held poll."""

import json
import time

from benchmarks.generator import MeasurementFailed
from benchmarks.machine import max_polls
from benchmarks.results import Metric
from benchmarks.runner import Runner
from benchmarks.server_names import IN_MEMORY, PUSHD
from benchmarks.servers import Server
from benchmarks.start_commands import ServerOptions

HOLD = 55
KIB = 1024


def memory_metric(count: int) -> str:
    """The name of the metric."""
    return f"memory of a held poll, {count:,} held"


def run(runner: Runner) -> None:
    """Measure all servers."""
    servers = runner.make_servers((PUSHD, *IN_MEMORY), ServerOptions(hold=HOLD))
    runner.restart_and_measure(servers, lambda server: measure(runner, server))


def measure(runner: Runner, server: Server, suffix: str = "") -> None:
    """Hold polls in stages, and measure the memory at each."""
    stages = [count for count in runner.size.stages if count <= max_polls()]
    settings = {**server.ports, **server.requests().settings(), "stages": ",".join(map(str, stages)), "settle": 0}
    time.sleep(runner.size.settle)
    before = server.memory_bytes()
    with runner.generator.start("hold", settings) as process:
        assert process.stdin is not None, "it is a pipe"
        assert process.stdout is not None, "it is a pipe"
        for count in stages:
            line = process.stdout.readline()
            if not line or json.loads(line)["errors"]:
                errors = process.communicate()[1].strip()
                raise MeasurementFailed(f"{count} polls could not be held: {line.strip()} {errors}")
            time.sleep(runner.size.settle)
            each = (server.memory_bytes() - before) / count
            runner.results.add(Metric(name=memory_metric(count) + suffix, unit="KiB"), server.name, each / KIB)
            process.stdin.write("\n")
            process.stdin.flush()
