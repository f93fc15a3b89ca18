"""How a harness runs as a program: its options, its report line by line, its exit status; of the log only errors."""

import argparse
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)

from tests.harness.config import HarnessConfig
from tests.harness.environment import free_ports

C = TypeVar("C", bound=HarnessConfig)

Report = tuple[Iterable[str], bool]
"""The lines of the report of a run, and whether a promise was broken."""


def print_line(line: str) -> None:
    """Print a line and flush it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def at_least(minimum: float, kind: Callable[[str], float] = int) -> Callable[[str], float]:
    """The type of a command-line option whose value is a number that is large enough."""

    def parse(text: str) -> float:
        number = kind(text)
        if number < minimum:
            raise argparse.ArgumentTypeError(f"must be at least {minimum:g}")
        return number

    parse.__name__ = kind.__name__  # argparse shows it if the value is no number
    return parse


def harness_parser(name: str, description: str | None, bugs: Iterable[str], devices: int) -> argparse.ArgumentParser:
    """A parser with the options that every harness has, to which others can be added; ``devices`` is a default."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.{name}", description=description)
    common = parser.add_argument_group("options of every harness")
    common.add_argument(
        "--devices",
        type=at_least(2),
        default=devices,
        help=f"number of devices, half of each dialect; default {devices}",
    )
    common.add_argument(
        "--seed", type=int, default=secrets.randbelow(10**6), help="seed of all random choices; default random"
    )
    common.add_argument("--plant", choices=sorted(bugs), help="plant this bug in the server; the run must find it")
    common.add_argument("--keep-dir", action="store_true", help="keep the journals and the database of a good run too")
    return parser


def config_fields(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """The fields of a :class:`HarnessConfig` from the options of every harness, a new directory and free ports."""
    devices_port, admin_port, smtp_port = free_ports(3)
    return {
        "directory": Path(tempfile.mkdtemp(prefix=f"pushd-{name}-")),
        "seed": options.seed,
        "devices": options.devices,
        "plant": options.plant,
        "devices_port": devices_port,
        "admin_port": admin_port,
        "smtp_port": smtp_port,
    }


def run_harness(config: C, keep: bool, run: Callable[[C, Any], Coroutine[Deferred[Any], Any, Report]]) -> None:
    """Run a harness with a configuration and the reactor, print its report, and exit, with 1 if a promise was broken.

    The directory is deleted unless a promise was broken or ``keep``. Errors are logged to standard error.
    """

    async def run_and_report(reactor: Any) -> None:
        lines, is_broken = await run(config, reactor)
        for line in lines:
            print_line(line)
        if not (keep or is_broken):
            shutil.rmtree(config.directory)
        raise SystemExit(1 if is_broken else 0)

    planted = f", planted bug {config.plant}" if config.plant else ""
    print_line(f"seed {config.seed}, directory {config.directory}{planted}")
    errors = LogLevelFilterPredicate(defaultLogLevel=LogLevel.error)
    observer = FilteringLogObserver(textFileLogObserver(sys.stderr), [errors])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    react(lambda reactor: Deferred.fromCoroutine(run_and_report(reactor)))
