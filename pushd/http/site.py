"""The site: Twisted's HTTP channel with our requests, and without what we do not use."""

import re
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, datetimeToString

from pushd.http.accept_throttle import AcceptThrottle
from pushd.http.bodies import Body, Budget
from pushd.http.idle import Idle
from pushd.http.outgoing import WriteCoalescer
from pushd.http.request import Request

_SEPARATORS = re.compile(rb"[ ,]+")

_MANNERS = b"Server: pushd\r\nDate: %b\r\nCache-Control: no-store\r\n"
"""Headers of every answer. No cache may keep one: a cached poll would run a command twice."""


IDLE_SECONDS = 60
"""How long a connection may be silent between requests, or within one."""


class IPort(Protocol):
    """What answers the requests of a port."""

    def serve(self, request: Request) -> None:
        """Answer a request, now or later."""

    def limit(self, method: bytes, uri: bytes) -> int:
        """How many bytes of a body to keep."""


class Channel(HTTPChannel):
    """A connection: Twisted's parser, with its limits, and one request at a time."""

    requestFactory = Request  # type: ignore[assignment]  # noqa: N815 - Twisted's name
    site: "HTTPFactory"
    transport: Any
    peer: str | None = None
    """The address of whoever connected."""
    _prompt: bool = False
    """Whether the socket may be written to directly, and has taken all at once so far."""
    _unsent: bytes = b""
    """The answer that goes out at the end of this turn."""
    _last: bool = False
    """Whether the connection ends with it."""

    def connectionMade(self) -> None:
        """Somebody has connected."""
        super().connectionMade()
        if isinstance(self.transport, FileDescriptor):  # TLS is none, and would be passed by
            self._prompt = True
            self.site.accept_throttle.enter(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """Something has arrived, and what it leads to comes after what was answered before."""
        if self._unsent:
            self.send()
        LineReceiver.dataReceived(self, data)  # past HTTPChannel, which would note its idleness before and after
        is_partial = self.requests or self._buffer
        if is_partial and self.timeOut is not None:
            self.site.idle.enter(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self._unsent = b""
        super().connectionLost(reason)
        self.site.idle.forget(self)

    def answer(self, data: bytes) -> None:
        """Write a whole answer, which goes out with those of others where nothing else of this connection is to
        follow.
        """
        if self._prompt and not self._buffer:
            self._unsent = data
            self.site.outgoing.add(self)
        else:
            self.transport.write(data)

    def loseConnection(self) -> None:
        """End the connection, once all is sent."""
        if self._unsent:
            self._last = True
        else:
            super().loseConnection()

    def send(self) -> None:
        """See :meth:`pushd.http.outgoing.IOwing.send`. What the socket does not take is left to the reactor, from then
        on.
        """
        data, self._unsent = self._unsent, b""
        if not data:
            return
        sent = self.transport.writeSomeData(data)
        if sent != len(data):
            self._prompt = False  # whoever reads so slowly, or is gone, needs to be watched
            self.transport.write(data[sent:] if isinstance(sent, int) else data)
            if self._last:
                super().loseConnection()
        elif self._last:
            self.transport.connectionLost(connectionDone)  # as the reactor would, had it sent this

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        """Whether the connection outlives the answer."""
        if version != b"HTTP/1.1":
            return False
        values = request.requestHeaders.getRawHeaders(b"Connection")
        return values is None or b"close" not in _SEPARATORS.split(b",".join(values).lower())

    def setTimeout(self, period: float | None) -> float | None:
        """Be idle, or with None not."""
        before, self.timeOut = self.timeOut, period  # type: ignore[assignment]  # it is any number of seconds
        if period is None:
            self.site.idle.leave(self)
        else:
            self.site.idle.enter(self)
        return before

    def callLater(self, delay: float, call: Callable[..., object], *args: Any) -> IDelayedCall:
        """Time runs on the site's clock."""
        return self.site.clock.callLater(delay, call, *args)


class HTTPFactory(ServerFactory):
    """A site with one budget for all bodies. It speaks HTTP/1.1 alone, and writes no access log: the feed tells what
    happened, and paths may hold secrets.
    """

    protocol = Channel
    closing = False
    """Whether connections end with the answer that they wait for: clients would ask again at once."""

    def __init__(self, port: IPort, budget: Budget, clock: IReactorTime) -> None:
        self.clock = clock
        self.idle = Idle(clock, IDLE_SECONDS)
        self.outgoing = WriteCoalescer(clock)
        self.accept_throttle = AcceptThrottle(clock)
        self.serve = port.serve
        self._limit = port.limit
        self._budget = budget
        self._second = -1
        self._manners = b""

    def buildProtocol(self, address: IAddress | None) -> Channel:
        """The channel of a new connection."""
        channel = Channel()
        channel.site = channel.factory = self
        channel.timeOut = IDLE_SECONDS
        channel.peer = getattr(address, "host", None)
        return channel

    def body(self, method: bytes, uri: bytes) -> Body:
        """An empty body for a request whose headers are here."""
        return Body(self._limit(method, uri), self._budget)

    def manners(self) -> bytes:
        """The headers of every answer, made once a second."""
        second = int(self.clock.seconds())
        if second != self._second:
            self._second, self._manners = second, _MANNERS % datetimeToString()
        return self._manners
