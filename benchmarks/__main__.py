"""``python -m benchmarks [PART]...``: measure, and print the table."""

import argparse
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from math import inf
from pathlib import Path

from benchmarks import (
    install,
    work_crowd,
    work_cycle,
    work_growth,
    work_idle,
    work_memory,
    work_sizing,
    work_wake,
    work_watchdog,
)
from benchmarks.bench import Bench
from benchmarks.book import Book
from benchmarks.fill import fill
from benchmarks.generator import Generator, compile_generator, compile_other_fsync
from benchmarks.lineup import Lineup
from benchmarks.machine import CannotMeasure, Cores, describe, is_on_disk
from benchmarks.sizes import FULL, SMALL
from benchmarks.table import plain, rst
from benchmarks.versions import versions
from benchmarks.who import EVERYBODY

PARTS: Mapping[str, tuple[Callable[[Bench], None], float]] = {
    "idle": (work_idle.work, 45),
    "memory": (work_memory.work, 105),
    "wake": (work_wake.work, 135),
    "durable-wake": (work_wake.durable, 70),
    "cycle": (work_cycle.work, 100),
    "slow-cycle": (work_cycle.on_slower_disk, 80),
    "crowd": (work_crowd.work, 55),
    "watchdog": (work_watchdog.work, 15),
    "growth": (work_growth.work, inf),
    "sizing": (work_sizing.work, inf),
}
"""Each part by its name, and the seconds that it may take of the ten minutes of the whole table."""

ONLY_BY_NAME = ("growth", "sizing")


def read_options(words: list[str]) -> argparse.Namespace:
    """What was said on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all but growth and sizing")
    parser.add_argument("--runs", type=int, default=3, help="how often each figure is measured; 3")
    parser.add_argument("--small", action="store_true", help="so little of everything that the figures mean nothing")
    parser.add_argument("--who", action="append", default=[], help="measure only this one; may be repeated")
    parser.add_argument("--no-install", action="store_true", help="leave out who is not installed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there, of each run")
    parser.add_argument("--rst", action="store_true", help="print the table for the documentation")
    parser.add_argument("--dir", type=Path, help="on the disk that is measured; by default that of temporary files")
    options = parser.parse_args(words)
    for given, known in ((options.parts, PARTS), (options.who, EVERYBODY)):
        if unknown := sorted(set(given) - set(known)):
            parser.error(f"there is no {unknown[0]}; there are: {'; '.join(known)}")
    if options.runs < 1:
        parser.error("--runs: at least 1 is wanted")
    return options


def make_bench(options: argparse.Namespace, place: Path) -> Bench:
    """Compile, fill, and build what the works need.

    :raises CannotMeasure: if this machine lacks something.
    """
    cores, size = Cores(), SMALL if options.small else FULL
    generator = Generator(program=compile_generator(place), cores=cores)
    lineup = Lineup(
        place=place,
        cores=cores,
        other_fsync=compile_other_fsync(place),
        generator=generator.program,
        known=fill(place / "known", *size.known),
        only=options.who,
    )
    return Bench(generator, lineup, Book(), size, options.runs, _say)


def measure(options: argparse.Namespace, place: Path) -> None:
    """Do all parts that are wanted, and print what came of them."""
    if not is_on_disk(place):
        _say(f"{place} is not on a disk of this machine's own; figures of durable works mean little (--dir)")
    bench = make_bench(options, place)
    for part in options.parts or [name for name in PARTS if name not in ONLY_BY_NAME]:
        work, seconds = PARTS[part]
        bench.begin(part, inf if options.parts else seconds)  # who asks for a part by name has the time for all runs
        work(bench)
    machine, missing = {**describe(place), "versions": versions()}, bench.lineup.missing()
    if options.json:
        told = {"machine": machine, "missing": missing, **bench.book.as_json()}
        options.json.write_text(json.dumps(told, indent=2) + "\n", "utf-8")
    sys.stdout.write((rst if options.rst else plain)(bench.book, machine, missing) + "\n")


def main(words: list[str]) -> int:
    """The program; its exit code tells whether there was anything to measure with, and nothing about the figures."""
    options = read_options(words)
    place = Path(tempfile.mkdtemp(prefix="pushd-bench-", dir=options.dir))
    try:
        if not options.no_install:
            install.install(_say)
        measure(options, place)
    except CannotMeasure as error:
        _say(str(error))
        return 1
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return 0


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and no server is left behind
    sys.exit(main(sys.argv[1:]))
