"""Waits that end when they are of no use to anyone: for an event, for time to pass, or for a lock.

A client that disconnects ends the wait of its request. Work that its request has begun is not a wait, and is finished.
"""

from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime

T = TypeVar("T")


class Wait:
    """Marks what is cancelled when the client disconnects."""

    __slots__ = ()

    def cancel(self) -> None:
        """End the wait."""
        raise NotImplementedError


class PendingAnswer(Wait):
    """A wait that has a request answered when it ends, such as a held poll."""

    __slots__ = ()

    def respond_to(self, request: Any) -> None:
        """Answer this request, at once if there is nothing to wait for."""
        raise NotImplementedError


class DeferredWait(Deferred[T], Wait):
    """A wait that is a Deferred."""


def delay(clock: IReactorTime, seconds: float) -> DeferredWait[None]:
    """Wait for ``seconds``."""
    timer = clock.callLater(seconds, lambda: waiting.callback(None))
    waiting: DeferredWait[None] = DeferredWait(lambda _: timer.cancel())
    return waiting


def acquire(lock: DeferredLock) -> DeferredWait[None]:
    """Wait for a lock, which its holder must release."""
    waiting: DeferredWait[None] = DeferredWait(lambda _: acquiring.cancel())
    acquiring = lock.acquire()
    acquiring.addCallbacks(lambda _: waiting.callback(None), waiting.errback)
    return waiting
