"""Let simulated devices go offline, kill the server, and check every alert; exits with 1 if a promise was broken."""

import argparse
import sys
from typing import Any

from tests.alerting.config import BRIEF, FULL, MIN_OFFLINE, AlertingConfig
from tests.alerting.planted_bugs import BUGS
from tests.alerting.promises import check_promises
from tests.alerting.report import report_lines
from tests.alerting.run import AlertingRun
from tests.harness.console import Report, at_least, config_fields, harness_parser, run_harness


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = harness_parser("alerting", __doc__, BUGS, devices=2000)
    parser.add_argument(
        "--offline", type=at_least(MIN_OFFLINE), default=300, help="how many devices go offline at random; default 300"
    )
    parser.add_argument("--site", type=int, default=40, help="how many share each network address; default 40")
    parser.add_argument("--flapping", type=int, default=10, help="how many flap; default 10")
    parser.add_argument("--signed-off", type=int, default=5, help="how many sign off; default 5")
    parser.add_argument("--muted", type=int, default=5, help="how many go offline while muted; default 5")
    parser.add_argument("--tolerance", type=float, default=2.5, help="seconds an event may be late; default 2.5")
    parser.add_argument("--brief", action="store_true", help="use shorter timeouts, for a few devices")
    return parser.parse_args(arguments)


def make_config(options: argparse.Namespace) -> AlertingConfig:
    """The configuration that the options describe, with a new directory."""
    return AlertingConfig(
        **config_fields("alerting", options),
        timing=BRIEF if options.brief else FULL,
        offline=options.offline,
        site=options.site,
        flapping=options.flapping,
        signed_off=options.signed_off,
        muted=options.muted,
        tolerance=options.tolerance,
    )


async def run(config: AlertingConfig, reactor: Any) -> Report:
    """Run, and check the promises."""
    run = AlertingRun(config, reactor)
    observations = await run.run()
    result = check_promises(config, observations)
    return report_lines(config, observations, result, run.seconds), bool(result.broken)


def main(arguments: list[str]) -> None:
    """Run the program."""
    options = parse_options(arguments)
    run_harness(make_config(options), options.keep_dir, run)


if __name__ == "__main__":
    main(sys.argv[1:])
