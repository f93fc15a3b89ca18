"""
Work that nobody waits for.
"""

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

_log = Logger()


def in_background(work: Coroutine[Any, Any, None]) -> Deferred[None]:
    """
    Begin ``work`` at once; cancelling the result gives it up, and an exception that it lets out is a bug, and logged.
    """
    return Deferred.fromCoroutine(work).addErrback(
        lambda failure: _log.failure("A simulated device has a bug", failure)
    )
