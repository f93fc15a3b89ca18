"""Kill the server again and again under load, and check its promises; exits with 1 if one was broken."""

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.crash.config import CrashConfig
from tests.crash.planted_bugs import BUGS
from tests.crash.report import report_lines
from tests.crash.run import CrashRun
from tests.harness.command_promises import check_promises
from tests.harness.console import at_least, print_line, run_program
from tests.harness.environment import free_ports
from tests.harness.trace import build_traces


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--seconds", type=float, default=110, help="approximate duration of the run; default 110")
    parser.add_argument(
        "--kills", type=at_least(1), default=50, help="how often to kill the server at most; default 50"
    )
    parser.add_argument(
        "--devices", type=at_least(2), default=50, help="number of devices, half of each dialect; default 50"
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="seed of all random choices")
    parser.add_argument("--plant", choices=sorted(BUGS), help="plant this bug in the server; the run must find it")
    parser.add_argument("--keep-dir", action="store_true", help="keep the journals and the database of a good run too")
    return parser.parse_args(arguments)


def make_config(options: argparse.Namespace) -> CrashConfig:
    """The configuration that the options describe, with a new directory."""
    devices_port, admin_port = free_ports(2)
    return CrashConfig(
        directory=Path(tempfile.mkdtemp(prefix="pushd-crash-")),
        seed=options.seed,
        seconds=options.seconds,
        kills=options.kills,
        devices=options.devices,
        devices_port=devices_port,
        admin_port=admin_port,
        plant=options.plant,
    )


async def run_and_report(reactor: Any, config: CrashConfig, keep: bool) -> None:
    """Run, check the promises and print the report; delete the directory unless a promise was broken or ``keep``.

    :raises SystemExit: with 1 if a promise was broken, else with 0.
    """
    result = await CrashRun(config, reactor).run()
    traces = build_traces(result.observations)
    broken = check_promises(traces)
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
