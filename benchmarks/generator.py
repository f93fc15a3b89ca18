"""The load generator: compiled from ``generator/*.c`` when it is needed, and run for one measurement at a time."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

from attrs import frozen

from benchmarks.machine import CannotMeasure, Cores

SOURCES = Path(__file__).with_name("generator")
SLOW_FSYNC = Path(__file__).with_name("slow_fsync.c")

TIMEOUT = 60.0
"""Seconds within which a measurement must end, unless the caller gives another time."""

MAX_ERROR_SHARE = 0.01
"""The share of answers that may be errors in a valid measurement."""

_WARNINGS = ("-Wall", "-Wextra", "-Wno-parentheses")


def _compile(*arguments: str) -> None:
    compiler = which("cc") or which("gcc")
    if compiler is None:
        raise CannotMeasure("There is no C compiler (Debian: gcc); the load generator is compiled when it is needed.")
    command = [compiler, "-O2", *_WARNINGS, *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if run.returncode:
        raise CannotMeasure(f"The load generator cannot be compiled.\n{run.stderr}")


def compile_generator(directory: Path) -> Path:
    """Compile the generator into this directory; the program.

    :raises CannotMeasure: if it cannot be compiled.
    """
    program = directory / "generator"
    sources = [str(path) for path in sorted(SOURCES.glob("*.c"))]
    _compile("-std=gnu11", "-D_GNU_SOURCE", "-o", str(program), *sources)
    return program


def compile_slow_fsync(directory: Path) -> Path:
    """Compile the library that changes how long fsync takes into this directory; the library.

    :raises CannotMeasure: if it cannot be compiled.
    """
    library = directory / "slow_fsync.so"
    _compile("-shared", "-fPIC", "-o", str(library), str(SLOW_FSYNC), "-ldl")
    return library


class MeasurementFailed(Exception):
    """A measurement has no figure; the message says why."""


@frozen(kw_only=True)
class Generator:
    """Puts load on a server, from a core of its own."""

    program: Path
    cores: Cores

    def run(self, benchmark: str, settings: Mapping[str, object], timeout: float = TIMEOUT) -> dict[str, Any]:
        """Run a benchmark to its end; its figures.

        :raises MeasurementFailed: if it fails, or takes longer than ``timeout`` seconds.
        """
        with self.start(benchmark, settings) as process:
            try:
                output, errors = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                raise MeasurementFailed(f"it did not end within {timeout:g} s") from None
        if process.returncode:
            raise MeasurementFailed(errors.strip() or f"the generator exited with {process.returncode}")
        return read_figures(output)

    @contextmanager
    def start(self, benchmark: str, settings: Mapping[str, object]) -> "Iterator[subprocess.Popen[str]]":
        """Start a benchmark, which is killed when the block ends."""
        command = [str(self.program), benchmark, *(f"{name}={value}" for name, value in settings.items())]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=self.cores.for_generator(),
        )
        with process:
            try:
                yield process
            finally:
                process.kill()


def read_figures(output: str) -> dict[str, Any]:
    """Parse the generator's output.

    :raises MeasurementFailed: if too many requests failed.
    """
    try:
        figures: dict[str, Any] = json.loads(output)
    except ValueError:
        raise MeasurementFailed(f"the generator printed {output!r}") from None
    counts = [samples["count"] for samples in figures.values() if isinstance(samples, dict)]
    if 0 in counts:
        raise MeasurementFailed(f"no request was answered; {figures['last_error']}")
    answered = sum(counts)
    if figures["errors"] > max(5, answered * MAX_ERROR_SHARE):
        raise MeasurementFailed(f"{figures['errors']:.0f} errors, {answered} answers; {figures['last_error']}")
    return figures
