"""Child processes: their start, their log, their end."""

import os
import subprocess
import sys
from pathlib import Path

STOP_TIMEOUT = 10.0
"""Seconds that a process may take to end before it is killed."""


class StartFailed(Exception):
    """A process did not start; the message has the end of its log."""


def start(module: str, log: Path, *options: str, answers: bool = False) -> "subprocess.Popen[str]":
    """Start a module beside this one as a program; it takes no option of pushd from the environment.

    It ends when its standard input does. ``answers``: its standard output is a pipe, too, and not the log.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PUSHD_")}
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - a program of ours
            [sys.executable, "-m", f"pushd.testing.{module}", *options],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if answers else output,
            stderr=output,
            text=True,
        )


def stop(process: "subprocess.Popen[str]") -> None:
    """End a process, and wait for its end."""
    process.terminate()
    try:
        process.communicate(timeout=STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def failure(what: str, log: Path) -> StartFailed:
    """The error of a process that did not start."""
    lines = log.read_text("utf-8", "replace").splitlines()[-20:] if log.exists() else []
    return StartFailed("\n".join([what, *lines]))
