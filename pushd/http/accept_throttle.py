"""The turnstile: of a crowd that connects at once, so many are listened to in each turn of the reactor.

When we were away, a whole fleet comes back within a moment. Whoever waits for longer than the system's queue of
connections has room is turned away, and tries again after a second or three; so all are let in at once. But to listen
to all of them at once would keep everybody else waiting, an operator say.
"""

from collections import deque
from typing import Protocol

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

SLICE = 250
"""Connections; they take some ten milliseconds."""


class IArrival(Protocol):
    """A connection that was just made."""

    def pauseProducing(self) -> None:
        """Do not listen to it."""

    def resumeProducing(self) -> None:
        """Listen to it, if it is still there."""


@define(eq=False)
class AcceptThrottle:
    """Connections that are not listened to yet, in the order in which they came."""

    clock: IReactorTime
    _passed: int = field(default=0, init=False)
    """How many were let through in this turn."""
    _waiting: deque[IArrival] = field(factory=deque, init=False)

    def enter(self, arrival: IArrival) -> None:
        """Listen to a connection, in this turn or a later one."""
        if not self._passed:
            self.clock.callLater(0, self._turn)
        self._passed += 1
        if self._passed > SLICE:
            arrival.pauseProducing()
            self._waiting.append(arrival)

    def _turn(self) -> None:
        self._passed = min(SLICE, len(self._waiting))
        for _ in range(self._passed):
            self._waiting.popleft().resumeProducing()
        if self._passed:
            self.clock.callLater(0, self._turn)
