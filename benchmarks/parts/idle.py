"""Idle polls that are answered at once: how many per second, on persistent connections and on one connection each."""

from benchmarks.requests import close_after
from benchmarks.results import cpu_time, rate
from benchmarks.runner import Runner
from benchmarks.server_names import IN_MEMORY, PUSHD, TRIVIAL
from benchmarks.servers import Server
from benchmarks.start_commands import ServerOptions

KEEP_ALIVE = "idle polls, keep-alive"
NEW_CONNECTIONS = "idle polls, a new connection each"


def run(runner: Runner) -> None:
    """Measure all servers."""
    with runner.running_servers((PUSHD, *IN_MEMORY, TRIVIAL), ServerOptions(hold=0)) as servers:
        runner.measure_in_turn(servers, lambda server: measure(runner, server))


def measure(runner: Runner, server: Server, suffix: str = "") -> None:
    """Measure both kinds of connections once; ``suffix`` is appended to the names of the metrics."""
    requests = server.requests()
    settings = {**server.ports, **requests.settings(), "seconds": runner.size.idle}
    cpu = server.cpu_seconds()
    persistent = runner.generator.run("idle", settings)
    cpu = server.cpu_seconds() - cpu
    polls = persistent["polls"]
    runner.results.add(rate(KEEP_ALIVE + suffix), server.name, polls["rate"])
    runner.results.add(cpu_time(KEEP_ALIVE + suffix), server.name, cpu / persistent["answers"] * 1e6)
    new = runner.generator.run("idle", {**settings, "poll": close_after(requests.poll), "new_connections": 1})
    runner.results.add(rate(NEW_CONNECTIONS + suffix), server.name, new["polls"]["rate"])
