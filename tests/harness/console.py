"""How a harness runs as a program: it prints its report line by line, and of the log only errors."""

import argparse
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)


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

    return parse


def run_program(main: Callable[[Any], Coroutine[Deferred[Any], Any, None]]) -> None:
    """Run a coroutine function with the reactor as its argument, then exit; errors are logged to standard error."""
    errors = LogLevelFilterPredicate(defaultLogLevel=LogLevel.error)
    observer = FilteringLogObserver(textFileLogObserver(sys.stderr), [errors])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
