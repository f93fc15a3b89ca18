"""The console of a proof: what it tells stands there line by line, and of the log only errors."""

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


def say(line: str) -> None:
    """Tell a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def perform(proof: Callable[[Any], Coroutine[Deferred[Any], Any, None]]) -> None:
    """Run a proof on the reactor that it is given, and end the program with it."""
    errors = LogLevelFilterPredicate(defaultLogLevel=LogLevel.error)
    observer = FilteringLogObserver(textFileLogObserver(sys.stderr), [errors])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    react(lambda reactor: Deferred.fromCoroutine(proof(reactor)))
