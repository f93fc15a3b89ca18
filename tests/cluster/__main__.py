"""``python -m tests.cluster``: disturb several nodes that share a PostgreSQL database, and check every promise."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.cluster import alert_promises
from tests.cluster.alert_promises import check_alert_promises, count_outages, count_repeats
from tests.cluster.config import ClusterConfig
from tests.cluster.disturbances import Disturbance
from tests.cluster.planted_bugs import BUGS
from tests.cluster.run import ClusterObservations, ClusterRun
from tests.harness import command_promises
from tests.harness.command_promises import BrokenPromise
from tests.harness.command_report import command_counts, example
from tests.harness.console import Report, at_least, config_fields, harness_parser, run_harness
from tests.harness.environment import free_ports
from tests.harness.postgres_process import PostgresProcess
from tests.harness.report import RunResult, conclusion, examples, table, verdicts
from tests.harness.trace import Traces, build_traces
from tests.notifications.mail_server import MailServer

EXAMPLES = 2
"""How many cases of each broken promise are shown."""

RECOVERED = "after each fault the nodes that are left serve all devices"

PROMISES = (*command_promises.PROMISES, *alert_promises.PROMISES, RECOVERED)


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = harness_parser("cluster", __doc__, BUGS, devices=3000)
    parser.add_argument("--seconds", type=float, default=120, help="for how long nodes are disturbed; default 120")
    parser.add_argument("--kills", type=int, default=0, help="go on until so many nodes were killed; default 0")
    parser.add_argument("--nodes", type=at_least(2), default=3, help="number of server processes, 2 to 9; default 3")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        choices=[kind.name for kind in Disturbance],
        help="cause this kind of disturbance, and no other that is not named too; default: all",
    )
    return parser.parse_args(arguments)


def make_config(options: argparse.Namespace) -> ClusterConfig:
    """The configuration that the options describe, with a new directory."""
    postgres_port, *ports = free_ports(3 * options.nodes + 1)
    return ClusterConfig(
        **config_fields("cluster", options),
        seconds=options.seconds,
        kills=options.kills,
        faults=tuple(options.fault),
        postgres_port=postgres_port,
        ports=tuple(zip(ports[::3], ports[1::3], ports[2::3], strict=True)),
    )


async def run(config: ClusterConfig, database: PostgresProcess, mail_server: MailServer, reactor: Any) -> Report:
    """Run, and check the promises."""
    cluster = ClusterRun(config, database, mail_server, reactor)
    result = await cluster.run()
    observed = result.observations
    traces = build_traces(observed.commands)
    broken = [
        *command_promises.check_promises(traces),
        *check_alert_promises(observed.alerts),
        *(BrokenPromise(promise=RECOVERED, how=how) for how in observed.unrecovered),
    ]
    lines = report_lines(config, result, traces, broken)
    return [*lines, *cluster.recovery.lines(), summary(config, result, traces, broken)], bool(broken)


def report_lines(
    config: ClusterConfig, result: RunResult[ClusterObservations], traces: Traces, broken: list[BrokenPromise]
) -> Iterator[str]:
    """The lines of the report before the recoveries."""
    alerts = result.observations.alerts
    deliveries = [delivery for each in alerts.subscriptions for delivery in each.deliveries]
    counts = {
        **result.counts,
        **dict(command_counts(traces)),
        "outage": count_outages(alerts),
        "alert": Counter(alert["kind"] for alert in alerts.alerts),
        "webhook": {
            **Counter(str(delivery.outcome) for delivery in deliveries),
            "accepted again": sum(count_repeats(each.deliveries) for each in alerts.subscriptions),
        },
        "mail": {"accepted": len(alerts.mails)},
    }
    yield from table(counts, 58)
    yield from verdicts(PROMISES, (each.promise for each in broken), traces.observations.has_final_state)
    for each in examples(PROMISES, broken, EXAMPLES):
        yield from example(each)


def summary(
    config: ClusterConfig, result: RunResult[ClusterObservations], traces: Traces, broken: list[BrokenPromise]
) -> str:
    """The last line of the report."""
    disturbed = result.counts["disturbed"]
    accepted = sum(bool(trace.accepted) for trace in traces.commands)
    return (
        f"cluster: {len(config.nodes)} nodes, {disturbed[Disturbance.KILLED]} kills of nodes among"
        f" {sum(disturbed.values())} disturbances, {config.devices} devices, {accepted} commands accepted,"
        f" {result.seconds:.0f} s, seed {config.seed}: {conclusion(config, broken)}"
    )


def main(arguments: list[str]) -> None:
    """Run the program."""
    options = parse_options(arguments)
    config = make_config(options)
    database = PostgresProcess(config.directory / "postgres", config.postgres_port)
    mail_server = MailServer(port=config.smtp_port)
    with mail_server.running():
        try:
            database.start()
            run_harness(config, options.keep_dir, lambda _, reactor: run(config, database, mail_server, reactor))
        finally:
            database.kill()


if __name__ == "__main__":
    main(sys.argv[1:])
