"""Measure pushd and other servers with the same load, and print a table of the results."""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from math import inf
from pathlib import Path

from benchmarks import install
from benchmarks.generator import Generator, compile_generator, compile_slow_fsync
from benchmarks.machine import CannotMeasure, Cores, describe, is_on_disk
from benchmarks.parts import (
    cluster,
    cycle,
    growth,
    idle,
    memory,
    offline_detection,
    reconnect,
    retention,
    sizing,
    strips,
    wake,
)
from benchmarks.results import Results
from benchmarks.runner import Runner
from benchmarks.sample_data import make_data_dir
from benchmarks.server_factory import ServerFactory
from benchmarks.server_names import ALL_SERVERS
from benchmarks.sizes import FULL, SMALL
from benchmarks.table import rst_table, text_table
from benchmarks.versions import versions

PARTS: Mapping[str, tuple[Callable[[Runner], None], float]] = {
    "idle": (idle.run, 45),
    "memory": (memory.run, 105),
    "wake": (wake.run, 135),
    "durable-wake": (wake.run_durable, 70),
    "cycle": (cycle.run, 100),
    "slow-cycle": (cycle.run_slower_disk, 80),
    "reconnect": (reconnect.run, 55),
    "offline-detection": (offline_detection.run, 15),
    "growth": (growth.run, inf),
    "sizing": (sizing.run, inf),
    "strips": (strips.run, inf),
    "cluster": (cluster.run, inf),
    "retention": (retention.run, inf),
}
"""Each part by its name, with the seconds that it may take of the ten minutes of a whole run."""

ONLY_BY_NAME = ("growth", "sizing", "strips", "cluster", "retention")
"""Parts that run only if they are named."""


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"one of {', '.join(PARTS)}; default: all but {', '.join(ONLY_BY_NAME)}",
    )
    parser.add_argument("--runs", type=int, default=3, help="how often each figure is measured; default 3")
    parser.add_argument("--small", action="store_true", help="use a load so small that the figures mean nothing")
    parser.add_argument("--server", action="append", default=[], help="measure only this server; may be repeated")
    parser.add_argument(
        "--before", type=Path, metavar="DIR", help="also measure the checkout of pushd in DIR, which has a .venv"
    )
    parser.add_argument("--no-install", action="store_true", help="leave out servers that are not installed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of all runs to this file")
    parser.add_argument("--rst", action="store_true", help="print the table in reStructuredText")
    parser.add_argument(
        "--dir", type=Path, help="a directory on the disk to measure; default: that of temporary files"
    )
    options = parser.parse_args(arguments)
    for given, allowed in ((options.parts, PARTS), (options.server, ALL_SERVERS)):
        if unknown := sorted(set(given) - set(allowed)):
            parser.error(f"unknown: {unknown[0]}; must be one of: {'; '.join(allowed)}")
    if options.before is not None and not (options.before / ".venv" / "bin" / "twistd").is_file():
        parser.error(f"--before: {options.before} has no .venv; make one there by: make .venv/.for-check")
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    return options


def make_runner(options: argparse.Namespace, directory: Path) -> Runner:
    """Compile the generator, and make what the parts share.

    :raises CannotMeasure: if this machine lacks a requirement.
    """
    cores, size = Cores(), SMALL if options.small else FULL
    generator = Generator(program=compile_generator(directory), cores=cores)
    before = None if options.before is None else options.before.resolve()
    factory = ServerFactory(
        directory=directory,
        cores=cores,
        slow_fsync=compile_slow_fsync(directory),
        generator=generator.program,
        prepared=make_data_dir(directory / "prepared", *size.registered),
        before=before,
        prepared_before=None if before is None else _prepare_before(before, directory / "before", size.registered),
        only=options.server,
    )
    return Runner(generator, factory, Results(), size, options.runs, _log)


def _prepare_before(checkout: Path, data: Path, registered: tuple[int, int]) -> Path:
    """Have another checkout make its own data directory."""
    code = f"from benchmarks.sample_data import *; make_data_dir(Path({str(data)!r}), *{registered})"
    subprocess.run([checkout / ".venv" / "bin" / "python", "-c", code], cwd=checkout, check=True)
    return data


def measure(options: argparse.Namespace, directory: Path) -> None:
    """Run the selected parts, and print the table."""
    if not is_on_disk(directory):
        _log(f"{directory} is not on a local disk, so figures of durable commands mean little; see --dir")
    runner = make_runner(options, directory)
    for part in options.parts or [name for name in PARTS if name not in ONLY_BY_NAME]:
        run, seconds = PARTS[part]
        runner.begin(part, inf if options.parts else seconds)
        run(runner)
    machine, missing = {**describe(directory), "versions": versions()}, runner.factory.missing()
    if options.json:
        document = {"machine": machine, "missing": missing, **runner.results.as_json()}
        options.json.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    table = rst_table if options.rst else text_table
    sys.stdout.write(table(runner.results, machine, missing) + "\n")


def main(arguments: list[str]) -> int:
    """Run the program; the exit code says whether this machine can measure, not whether targets are reached."""
    options = parse_options(arguments)
    directory = Path(tempfile.mkdtemp(prefix="pushd-bench-", dir=options.dir))
    try:
        if not options.no_install:
            install.install(_log)
        measure(options, directory)
    except CannotMeasure as error:
        _log(str(error))
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


def _log(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that all servers are stopped
    sys.exit(main(sys.argv[1:]))
