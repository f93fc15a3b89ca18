"""Serve friendly and hostile clients for some minutes, and check that nothing accumulates or is lost; exits with 1 if
a promise was broken.
"""

import argparse
import sys
from typing import Any

from tests.harness.console import Report, at_least, config_fields, harness_parser, run_harness
from tests.harness.trace import build_traces
from tests.soak.config import MIN_MINUTES, SoakConfig
from tests.soak.planted_bugs import BUGS
from tests.soak.promises import check_promises
from tests.soak.report import report_lines
from tests.soak.run import SoakRun


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = harness_parser("soak", __doc__, BUGS, devices=50)
    parser.add_argument(
        "--minutes", type=at_least(MIN_MINUTES, float), default=20, help="duration of the load; default 20"
    )
    parser.add_argument(
        "--stop-seconds", type=float, default=5, help="seconds that the server may take to stop; default 5"
    )
    return parser.parse_args(arguments)


def make_config(options: argparse.Namespace) -> SoakConfig:
    """The configuration that the options describe, with a new directory."""
    return SoakConfig(**config_fields("soak", options), minutes=options.minutes, stop_seconds=options.stop_seconds)


async def run(config: SoakConfig, reactor: Any) -> Report:
    """Run, and check the promises."""
    result = await SoakRun(config, reactor).run()
    traces = build_traces(result.observations.commands)
    broken = check_promises(config, result.observations, traces)
    return report_lines(config, result, traces, broken), bool(broken)


def main(arguments: list[str]) -> None:
    """Run the program."""
    options = parse_options(arguments)
    run_harness(make_config(options), options.keep_dir, run)


if __name__ == "__main__":
    main(sys.argv[1:])
