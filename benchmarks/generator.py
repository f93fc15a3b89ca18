"""The load generator: compiled from ``generator/*.c`` when it is needed, and run for one work at a time."""

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
OTHER_FSYNC = Path(__file__).with_name("other_fsync.c")

PATIENCE = 60.0
"""Seconds in which a work of the generator ends, if it is not told to take longer."""

MOST_ERRORS = 0.01
"""Part of the answers that may be errors in a figure that counts."""

_WARNINGS = ("-Wall", "-Wextra", "-Wno-parentheses")


def compiler() -> str | None:
    """The C compiler of this machine, if there is one."""
    return which("cc") or which("gcc")


def _compile(*words: str) -> None:
    found = compiler()
    if found is None:
        raise CannotMeasure("There is no C compiler (Debian: gcc); the load generator is compiled when it is needed.")
    run = subprocess.run([found, "-O2", *_WARNINGS, *words], capture_output=True, text=True, timeout=60, check=False)
    if run.returncode:
        raise CannotMeasure(f"The load generator cannot be compiled.\n{run.stderr}")


def compile_generator(place: Path) -> Path:
    """Compile the generator into this directory.

    :raises CannotMeasure: if it cannot be.
    """
    program = place / "generator"
    sources = [str(path) for path in sorted(SOURCES.glob("*.c"))]
    _compile("-std=gnu11", "-D_GNU_SOURCE", "-o", str(program), *sources)
    return program


def compile_other_fsync(place: Path) -> Path:
    """Compile what makes fsync slower, or nothing into this directory.

    :raises CannotMeasure: if it cannot be.
    """
    library = place / "other_fsync.so"
    _compile("-shared", "-fPIC", "-o", str(library), str(OTHER_FSYNC), "-ldl")
    return library


class Broken(Exception):
    """A work came to no figure; the message says why."""


@frozen(kw_only=True)
class Generator:
    """Puts load on a server, on a core of its own."""

    program: Path
    cores: Cores

    def run(self, work: str, settings: Mapping[str, object], patience: float = PATIENCE) -> dict[str, Any]:
        """Do a work; what it measured.

        :raises Broken: if it fails, or takes longer than ``patience`` seconds.
        """
        with self.start(work, settings) as process:
            try:
                told, complaints = process.communicate(timeout=patience)
            except subprocess.TimeoutExpired:
                raise Broken(f"no end within {patience:g} s") from None
        if process.returncode:
            raise Broken(complaints.strip() or f"the generator ended with {process.returncode}")
        return read_figures(told)

    @contextmanager
    def start(self, work: str, settings: Mapping[str, object]) -> "Iterator[subprocess.Popen[str]]":
        """A work under way, which is ended when the block is left."""
        words = [str(self.program), work, *(f"{name}={value}" for name, value in settings.items())]
        process = subprocess.Popen(
            words,
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


def read_figures(line: str) -> dict[str, Any]:
    """A line of the generator.

    :raises Broken: if most of what it asked was not answered well.
    """
    try:
        figures: dict[str, Any] = json.loads(line)
    except ValueError:
        raise Broken(f"the generator said {line!r}") from None
    counts = [one["count"] for one in figures.values() if isinstance(one, dict)]
    if 0 in counts:
        raise Broken(f"nothing was answered; {figures['last_error']}")
    answered = sum(counts)
    if figures["errors"] > max(5, answered * MOST_ERRORS):
        raise Broken(f"{figures['errors']:.0f} errors, {answered} answers; {figures['last_error']}")
    return figures
