"""Serve friendly and hostile clients for some minutes, and check that nothing accumulates or is lost; exits with 1 if
a promise was broken.
"""

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.harness.console import at_least, print_line, run_program
from tests.harness.environment import free_ports
from tests.harness.trace import build_traces
from tests.soak.config import MIN_MINUTES, SoakConfig
from tests.soak.planted_bugs import BUGS
from tests.soak.promises import check_promises
from tests.soak.report import report_lines
from tests.soak.run import SoakRun


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument(
        "--minutes", type=at_least(MIN_MINUTES, float), default=20, help="duration of the load; default 20"
    )
    parser.add_argument(
        "--devices", type=at_least(2), default=50, help="number of devices, half of each dialect; default 50"
    )
    parser.add_argument(
        "--stop-seconds", type=float, default=5, help="seconds that the server may take to stop; default 5"
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="seed of all random choices")
    parser.add_argument("--plant", choices=sorted(BUGS), help="plant this bug in the server; the run must find it")
    parser.add_argument("--keep-dir", action="store_true", help="keep the journals and the database of a good run too")
    return parser.parse_args(arguments)


def make_config(options: argparse.Namespace) -> SoakConfig:
    """The configuration that the options describe, with a new directory."""
    devices_port, admin_port, smtp_port = free_ports(3)
    return SoakConfig(
        directory=Path(tempfile.mkdtemp(prefix="pushd-soak-")),
        seed=options.seed,
        minutes=options.minutes,
        devices=options.devices,
        stop_seconds=options.stop_seconds,
        devices_port=devices_port,
        admin_port=admin_port,
        smtp_port=smtp_port,
        plant=options.plant,
    )


async def run_and_report(reactor: Any, config: SoakConfig, keep: bool) -> None:
    """Run, check the promises and print the report; delete the directory unless a promise was broken or ``keep``.

    :raises SystemExit: with 1 if a promise was broken, else with 0.
    """
    result = await SoakRun(config, reactor).run()
    traces = build_traces(result.observations.commands)
    broken = check_promises(config, result.observations, traces)
    for line in report_lines(config, result, traces, broken):
        print_line(line)
    if not (keep or broken):
        shutil.rmtree(config.directory)
    raise SystemExit(1 if broken else 0)


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
