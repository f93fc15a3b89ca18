"""Coroutines that nothing awaits."""

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

_log = Logger()


def in_background(work: Coroutine[Any, Any, None]) -> Deferred[None]:
    """Start a coroutine; cancelling the result stops it, and an exception that it raises is logged."""
    name = getattr(work, "__qualname__", repr(work))
    return Deferred.fromCoroutine(work).addErrback(_log_failure, name)


async def pause(clock: IReactorTime, seconds: float) -> None:
    """Wait for ``seconds``; for 0, return without giving way to anything else."""
    if seconds:
        await deferLater(clock, seconds)


def _log_failure(failure: Failure, name: str) -> None:
    if not failure.check(CancelledError):
        _log.failure("Unhandled exception in background task {task}", failure, task=name)
