"""Outgoing: the answers of one turn of the reactor, sent together at its end.

Left to itself, Twisted has the reactor watch the socket of each answer until it may be written to, which costs two
system calls and a turn, where nearly always it may be at once. And to send each answer when it is there would wake
whoever is at the other end one by one; together they cost the least.
"""

from typing import Protocol

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger


class IOwing(Protocol):
    """A connection that has an answer to send."""

    def send(self) -> None:
        """Send it."""


@define(eq=False)
class WriteCoalescer:
    """Connections that have something to send when this turn is over."""

    clock: IReactorTime
    _owing: list[IOwing] = field(factory=list, init=False)
    _log = Logger()

    def add(self, connection: IOwing) -> None:
        """Have a connection send at the end of this turn."""
        if not self._owing:
            self.clock.callLater(0, self._send)
        self._owing.append(connection)

    def _send(self) -> None:
        owing, self._owing = self._owing, []
        for connection in owing:
            try:
                connection.send()
            except Exception:  # a fault of ours with one connection is none of the others'
                self._log.failure("An answer could not be sent")
