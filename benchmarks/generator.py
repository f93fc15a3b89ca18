"""The load generator: compiled from ``generator/*.c`` when it is needed, and run for one measurement at a time."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import frozen

from benchmarks.machine import CannotMeasure, Cores
from tests.harness.c_compiler import CannotCompile, compile_c, compile_library

SOURCES = Path(__file__).with_name("generator")
SLOW_FSYNC = Path(__file__).with_name("slow_fsync.c")

TIMEOUT = 60.0
"""Seconds within which a measurement must end, unless the caller gives another time."""

MAX_ERROR_SHARE = 0.01
"""The share of answers that may be errors in a valid measurement."""


@contextmanager
def _compiling() -> Iterator[None]:
    try:
        yield
    except CannotCompile as error:
        raise CannotMeasure(f"{error} The load generator is compiled when it is needed.") from error


def compile_generator(directory: Path) -> Path:
    """Compile the generator into this directory; the program.

    :raises CannotMeasure: if it cannot be compiled.
    """
    sources = [str(path) for path in sorted(SOURCES.glob("*.c"))]
    with _compiling():
        return compile_c(directory / "generator", "-std=gnu11", "-D_GNU_SOURCE", *sources)


def compile_slow_fsync(directory: Path) -> Path:
    """Compile the library that changes how long fsync takes into this directory; the library.

    :raises CannotMeasure: if it cannot be compiled.
    """
    with _compiling():
        return compile_library(SLOW_FSYNC, directory)


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
