"""Kill the server again and again under load, and check its promises; exits with 1 if one was broken."""

import argparse
import sys
from typing import Any

from tests.crash.config import CrashConfig
from tests.crash.planted_bugs import BUGS
from tests.crash.report import report_lines
from tests.crash.run import CrashRun
from tests.harness.command_promises import check_promises
from tests.harness.console import Report, at_least, config_fields, harness_parser, run_harness
from tests.harness.environment import free_ports
from tests.harness.trace import build_traces


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = harness_parser("crash", __doc__, BUGS, devices=50)
    parser.add_argument("--seconds", type=float, default=110, help="approximate duration of the run; default 110")
    parser.add_argument(
        "--kills", type=at_least(1), default=50, help="how often to kill the server at most; default 50"
    )
    parser.add_argument(
        "--store", choices=("sqlite", "postgresql"), default="sqlite", help="where the server stores; default sqlite"
    )
    on_sqlite = "needs a C compiler on SQLite"
    parser.add_argument(
        "--power-cuts",
        action="store_true",
        help=f"make every other kill a power cut, or kill PostgreSQL with the server and alone; {on_sqlite}",
    )
    parser.add_argument(
        "--disk-failures",
        action="store_true",
        help="let commits fail between the kills: the disk is full or does not sync, sessions with PostgreSQL end in"
        f" the middle of a group or at COMMIT; {on_sqlite}",
    )
    parser.add_argument(
        "--suspensions",
        action="store_true",
        help=f"suspend the server between a claim and its answer, for longer than the lease; {on_sqlite}",
    )
    return parser.parse_args(arguments)


def make_config(options: argparse.Namespace) -> CrashConfig:
    """The configuration that the options describe, with a new directory."""
    postgres_port, proxy_port = free_ports(2) if options.store == "postgresql" else (None, 0)
    return CrashConfig(
        **config_fields("crash", options),
        postgres_port=postgres_port,
        proxy_port=proxy_port,
        seconds=options.seconds,
        kills=options.kills,
        power_cuts=options.power_cuts,
        disk_failures=options.disk_failures,
        suspensions=options.suspensions,
    )


async def run(config: CrashConfig, reactor: Any) -> Report:
    """Run, and check the promises."""
    result = await CrashRun(config, reactor).run()
    traces = build_traces(result.observations)
    broken = check_promises(traces)
    return report_lines(config, result, traces, broken), bool(broken)


def main(arguments: list[str]) -> None:
    """Run the program."""
    options = parse_options(arguments)
    run_harness(make_config(options), options.keep_dir, run)


if __name__ == "__main__":
    main(sys.argv[1:])
