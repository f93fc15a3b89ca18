"""Work that nobody waits for, and that may take its time."""

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

_log = Logger()


def in_background(work: Coroutine[Any, Any, None]) -> Deferred[None]:
    """Begin ``work`` at once; cancelling the result gives it up, and an exception that it lets out is a bug, and
    logged.
    """
    return Deferred.fromCoroutine(work).addErrback(
        lambda failure: _log.failure("A simulated device has a bug", failure)
    )


async def pause(clock: IReactorTime, seconds: float) -> None:
    """Wait for so long; for 0 seconds, not even a turn of the reactor."""
    if seconds:
        await deferLater(clock, seconds)
