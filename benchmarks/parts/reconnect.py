"""Mass reconnect: all devices connect at once, as after a restart; how long until all polls are held, and how long an
operator waits meanwhile.
"""

from benchmarks.generator import MeasurementFailed
from benchmarks.results import Metric, milliseconds
from benchmarks.runner import Runner
from benchmarks.server_names import IN_MEMORY, PUSHD, TRIVIAL
from benchmarks.servers import Server
from benchmarks.start_commands import ServerOptions

HOLD = 55

TIMEOUT = 12
"""Seconds within which all polls must be held; a server whose backlog overflows takes minutes."""


def held_metric(count: int) -> str:
    """The name of the metric: seconds until all polls are held."""
    return f"{count:,} devices reconnect at once, until all polls are held"


def operator_metric(count: int) -> str:
    """The name of the metric: the longest time that an operator waits for an answer."""
    return f"{count:,} devices reconnect at once, an operator's request"


def run(runner: Runner) -> None:
    """Measure all servers."""
    servers = runner.make_servers((PUSHD, *IN_MEMORY, TRIVIAL), ServerOptions(hold=HOLD))
    runner.restart_and_measure(servers, lambda server: measure(runner, server))


def measure(runner: Runner, server: Server) -> None:
    """Measure one reconnect."""
    count = runner.size.reconnect
    requests = server.requests().settings("operator_request")
    figures = runner.generator.run("reconnect", {**server.ports, **requests, "devices": count, "timeout": TIMEOUT})
    if not figures["held"]:
        raise MeasurementFailed(f"not all polls were held after {TIMEOUT} s")
    runner.results.add(Metric(name=held_metric(count), unit="s"), server.name, figures["held"])
    operator = milliseconds(operator_metric(count), worst=True)
    runner.results.add(operator, server.name, figures["operator_latency"]["worst"] * 1000)
