"""Large responses: written piece by piece, as fast as the client reads, as to copy or encrypt one takes long."""

from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IPushProducer
from zope.interface import implementer

if TYPE_CHECKING:
    from pushd.http.request import Request

PIECE = 256 * 1024
"""Bytes that are written at a time."""

STALL_SECONDS = 80
"""How long a client may take to read a piece."""


@implementer(IPushProducer)
@define(eq=False)
class BodyWriter:
    """Writes the body of a response whose head was written; it is the ``pending`` work on it until then."""

    request: "Request"
    body: bytes
    is_waiting = False
    _channel: Any = field(init=False)
    _written: int = field(default=0, init=False)
    _is_paused: bool = field(default=False, init=False)
    _timeout: IDelayedCall = field(init=False)

    def start(self) -> None:
        """Begin to write."""
        self._channel = self.request.channel
        self._timeout = self._channel.callLater(STALL_SECONDS, self._channel.forceAbortClient)
        self._channel.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        """The transport's buffer is empty."""
        self._is_paused = False
        self._timeout.reset(STALL_SECONDS)
        while not self._is_paused and self._written < len(self.body):
            piece = self.body[self._written : self._written + PIECE]
            self._written += len(piece)
            self._channel.write(piece)
        if self._written == len(self.body):
            self.cancel()
            self.request.complete()

    def pauseProducing(self) -> None:
        """The transport's buffer is full."""
        self._is_paused = True

    def stopProducing(self) -> None:
        """The connection is lost, which also calls :meth:`cancel`."""
        self._is_paused = True

    def cancel(self) -> None:
        """Write no more."""
        self._is_paused = True
        if self._timeout.active():
            self._timeout.cancel()
        self._channel.unregisterProducer()
        self.request.pending = None
