"""Let simulated devices go offline, kill the server, and check every alert; exits with 1 if a promise was broken."""

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.alerting.config import BRIEF, FULL, MIN_OFFLINE, AlertingConfig
from tests.alerting.planted_bugs import BUGS
from tests.alerting.promises import check_promises
from tests.alerting.report import report_lines
from tests.alerting.run import AlertingRun
from tests.harness.console import at_least, print_line, run_program
from tests.harness.environment import free_ports


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.alerting", description=__doc__)
    parser.add_argument(
        "--devices", type=int, default=2000, help="number of devices, half of each dialect; default 2000"
    )
    parser.add_argument(
        "--offline", type=at_least(MIN_OFFLINE), default=300, help="how many go offline at random; default 300"
    )
    parser.add_argument("--site", type=int, default=40, help="how many share each network address; default 40")
    parser.add_argument("--flapping", type=int, default=10, help="how many flap; default 10")
    parser.add_argument("--signed-off", type=int, default=5, help="how many sign off; default 5")
    parser.add_argument("--muted", type=int, default=5, help="how many go offline while muted; default 5")
    parser.add_argument("--tolerance", type=float, default=2.5, help="seconds an event may be late; default 2.5")
    parser.add_argument("--brief", action="store_true", help="use shorter timeouts, for a few devices")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="seed of all random choices")
    parser.add_argument("--plant", choices=sorted(BUGS), help="plant this bug in the server; the run must find it")
    parser.add_argument("--keep-dir", action="store_true", help="keep the journal and the database of a good run too")
    return parser.parse_args(arguments)


def make_config(options: argparse.Namespace) -> AlertingConfig:
    """The configuration that the options describe, with a new directory."""
    devices_port, admin_port, smtp_port = free_ports(3)
    return AlertingConfig(
        directory=Path(tempfile.mkdtemp(prefix="pushd-alerting-")),
        seed=options.seed,
        timing=BRIEF if options.brief else FULL,
        devices=options.devices,
        offline=options.offline,
        site=options.site,
        flapping=options.flapping,
        signed_off=options.signed_off,
        muted=options.muted,
        tolerance=options.tolerance,
        devices_port=devices_port,
        admin_port=admin_port,
        smtp_port=smtp_port,
        plant=options.plant,
    )


async def run_and_report(reactor: Any, config: AlertingConfig, keep: bool) -> None:
    """Run, check the promises and print the report; delete the directory unless a promise was broken or ``keep``.

    :raises SystemExit: with 1 if a promise was broken, else with 0.
    """
    run = AlertingRun(config, reactor)
    observations = await run.run()
    result = check_promises(config, observations)
    for line in report_lines(config, observations, result, run.seconds):
        print_line(line)
    if not (keep or result.broken):
        shutil.rmtree(config.directory)
    raise SystemExit(1 if result.broken else 0)


def main(arguments: list[str]) -> None:
    """Run the program."""
    options = parse_options(arguments)
    config = make_config(options)
    print_line(
        f"seed {config.seed}, directory {config.directory}" + (f", planted bug {config.plant}" if config.plant else "")
    )
    run_program(lambda reactor: run_and_report(reactor, config, options.keep_dir))


if __name__ == "__main__":
    main(sys.argv[1:])
