"""Wake-up latency: from sending a put until the poll of its device is answered, while many other polls are held."""

from collections.abc import Sequence

from benchmarks.results import milliseconds, rate
from benchmarks.runner import Runner
from benchmarks.server_names import DURABLE, IN_MEMORY, PUSHD, TRIVIAL
from benchmarks.servers import Server
from benchmarks.start_commands import NO_FSYNC, ServerOptions

HOLD = 55

MIN_RATE_SHARE = 0.95
"""The share of the intended rate that counts as that rate; below it, the table has the rate that was reached."""

STATISTICS = ("p50", "p99", "worst")
DURABLE_STATISTICS = ("p50", "p99", "p999", "worst")


def wake_metric(statistic: str, hold: int, puts: float, durable: bool) -> str:
    """The name of a metric, such as p99 with 5,000 held polls and 200 puts per second."""
    return f"{'durable put' if durable else 'wake-up'}, {hold:,} held, {puts:,.0f} puts/s, {statistic}"


def run(runner: Runner) -> None:
    """Measure servers that keep commands in memory, and pushd without fsync."""
    _run(runner, (PUSHD, *IN_MEMORY, TRIVIAL), ServerOptions(hold=HOLD, fsync_ms=NO_FSYNC), False)


def run_durable(runner: Runner) -> None:
    """Measure servers that write each put to the disk."""
    _run(runner, (PUSHD, *DURABLE), ServerOptions(hold=HOLD), True)


def _run(runner: Runner, names: Sequence[str], options: ServerOptions, durable: bool) -> None:
    runner.recreate_and_measure(names, options, lambda server: measure(runner, server, durable))


def measure(runner: Runner, server: Server, durable: bool, suffix: str = "") -> None:
    """Measure all numbers of held polls and all rates once."""
    rates = runner.size.durable_rates if durable else runner.size.rates
    plan = [(hold, puts, seconds) for hold in runner.size.holds for puts, seconds in rates]
    phases = ",".join(f"{hold}:{puts:g}:{seconds:g}" for hold, puts, seconds in plan)
    settings = {**server.ports, **server.requests().settings("put"), "phases": phases, "settle": runner.size.settle}
    figures = runner.generator.run("wake", settings, timeout=90)
    for hold, puts, _ in plan:
        phase = figures[f"{hold}@{puts:g}"]
        for statistic in DURABLE_STATISTICS if durable else STATISTICS:
            metric = milliseconds(wake_metric(statistic, hold, puts, durable) + suffix, statistic == "worst")
            runner.results.add(metric, server.name, phase[statistic] * 1000)
        if phase["rate"] < puts * MIN_RATE_SHARE:
            metric = rate(wake_metric("reached", hold, puts, durable) + suffix)
            runner.results.add(metric, server.name, phase["rate"])
