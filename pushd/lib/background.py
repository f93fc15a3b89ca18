"""Coroutines that run as Deferreds: behind an interface, or with nothing that awaits them."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

P = ParamSpec("P")
T = TypeVar("T")

_log = Logger()


def returns_deferred(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Deferred[T]]:
    """Decorate a coroutine function so that a call starts the coroutine, and returns a Deferred."""

    @wraps(work)
    def start(*args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        return Deferred.fromCoroutine(work(*args, **kwargs))

    return start


def in_background(work: Coroutine[Any, Any, None]) -> Deferred[None]:
    """Start a coroutine; cancelling the result stops it, and an exception that it raises is logged."""
    name = getattr(work, "__qualname__", repr(work))
    return Deferred.fromCoroutine(work).addErrback(_log_failure, name)


def logs_error(log: Logger, text: str, **fields: object) -> Callable[[Failure], None]:
    """An errback that logs an error in one line; ``text`` has it as ``{error}``, and may have these fields."""
    return lambda failure: log.error(text, error=failure.getErrorMessage(), **fields)


async def pause(clock: IReactorTime, seconds: float) -> None:
    """Wait for ``seconds``; for 0, return without giving way to anything else."""
    if seconds:
        await deferLater(clock, seconds)


def _log_failure(failure: Failure, name: str) -> None:
    if not failure.check(CancelledError):
        _log.failure("Unhandled exception in background task {task}", failure, task=name)
