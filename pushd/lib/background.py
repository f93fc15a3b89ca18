"""Work that nobody waits for."""

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

_log = Logger()


def in_background(work: Coroutine[Any, Any, None]) -> Deferred[None]:
    """Begin ``work`` at once; cancelling the result gives it up, and an exception that it lets out is a bug, and
    logged.
    """
    return Deferred.fromCoroutine(work).addErrback(_ended)


def _ended(failure: Failure) -> None:
    if not failure.check(CancelledError):
        _log.failure("A courier has a bug", failure)
