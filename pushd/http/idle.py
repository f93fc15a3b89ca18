"""Idle connections: those that have waited for too long for a request, or for the rest of one, are closed.

Twisted keeps a timer for each connection, which is made and cancelled twice for each request. Here one timer is enough
for all, for they all have the same patience: who came first is over first.
"""

from typing import Protocol

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime


class IConnection(Protocol):
    """What may be closed."""

    def timeoutConnection(self) -> None:
        """Close it, for it was idle for too long."""


@define(eq=False)
class Idle:
    """Connections by when they last did something, the oldest first; ``patience`` is seconds."""

    clock: IReactorTime
    patience: float
    _since: dict[IConnection, float] = field(factory=dict, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)

    def enter(self, connection: IConnection) -> None:
        """It is idle from now on."""
        self._since.pop(connection, None)
        self._since[connection] = self.clock.seconds()
        if self._timer is None:
            self._timer = self.clock.callLater(self.patience, self._look)

    def leave(self, connection: IConnection) -> None:
        """It is not idle."""
        self._since.pop(connection, None)

    def forget(self, connection: IConnection) -> None:
        """It is no longer there."""
        self._since.pop(connection, None)
        if self._timer is not None and not self._since:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        over = self.clock.seconds() - self.patience
        for connection, since in list(self._since.items()):
            if since > over:
                self._timer = self.clock.callLater(since - over, self._look)
                break
            del self._since[connection]
            connection.timeoutConnection()
