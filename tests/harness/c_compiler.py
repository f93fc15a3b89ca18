"""Compiles the C sources of tests and benchmarks when they are needed."""

import subprocess
from pathlib import Path
from shutil import which

_TIMEOUT = 60
_OPTIONS = ("-O2", "-Wall", "-Wextra", "-Wno-parentheses")


class CannotCompile(Exception):
    """There is no compiler, or it refused a source; the message says which."""


def compile_c(output: Path, *arguments: str) -> Path:
    """Compile to this file, which is returned.

    :raises CannotCompile: if that is not possible.
    """
    compiler = which("cc") or which("gcc")
    if compiler is None:
        raise CannotCompile("There is no C compiler (Debian: gcc).")
    command = [compiler, *_OPTIONS, "-o", str(output), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    if run.returncode:
        raise CannotCompile(f"{output.name} cannot be compiled.\n{run.stderr}")
    return output


def compile_library(source: Path, directory: Path) -> Path:
    """Compile a library that can be preloaded into a program; the library.

    :raises CannotCompile: if that is not possible.
    """
    return compile_c(directory / f"{source.stem}.so", "-shared", "-fPIC", str(source), "-ldl", "-lpthread")
