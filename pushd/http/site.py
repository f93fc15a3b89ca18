"""The site: the factory of HTTP connections, and the channel that each connection is."""

import re
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocolNegotiationFactory, IReactorTime
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.python.failure import Failure
from twisted.web.http import datetimeToString
from zope.interface import implementer

from pushd.http.bodies import Body, Budget
from pushd.http.connections import AcceptThrottle, IdleTimeout, WriteCoalescer
from pushd.http.request import Request
from pushd.lib.tls import HTTP_1_1
from pushd.lib.twisted_patches import DirectChannel, parse_lines, unparsed

_SEPARATORS = re.compile(rb"[ ,]+")

_COMMON_HEADERS = b"Server: pushd\r\nDate: %b\r\nCache-Control: no-store\r\n"
"""Headers of every response. No cache may keep one: a cached poll would run a command twice."""

IDLE_SECONDS = 60
"""How long a connection may wait for a request, or for the rest of one."""


class IPort(Protocol):
    """What responds to the requests of a port."""

    def serve(self, request: Request) -> None:
        """Respond to a request, now or later."""

    def body_limit(self, method: bytes, target: bytes) -> int:
        """How many bytes of a request's body to keep."""


class Channel(DirectChannel):
    """A connection: Twisted's parser, with its limits, and one request at a time."""

    requestFactory = Request  # type: ignore[assignment]  # noqa: N815 - Twisted's name
    site: "HTTPFactory"
    peer: str | None = None
    """The IP address of the client, or of a proxy; None on a Unix socket."""

    def connectionMade(self) -> None:
        """A client has connected."""
        super().connectionMade()
        if isinstance(self.transport, FileDescriptor):  # a TLS transport is not: it encrypts first
            self.is_direct = True
            self.site.accept_throttle.add(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """Parse what has arrived."""
        parse_lines(self, data)
        is_partial = self.requests or unparsed(self)
        if is_partial and self.timeOut is not None:
            self.site.idle_timeout.start(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is closed."""
        self.unsent = b""
        super().connectionLost(reason)
        self.site.idle_timeout.forget(self)

    def write_response(self, data: bytes) -> None:
        """Write a whole response; at the end of this turn, unless more may follow on the same connection."""
        if self.is_direct and not self.unsent and not unparsed(self):
            self.unsent = data
            self.site.write_coalescer.add(self)
        else:
            self.write(data)

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        """Whether the connection stays open after the response."""
        if version != b"HTTP/1.1":
            return False
        values = request.requestHeaders.getRawHeaders(b"Connection")
        return values is None or b"close" not in _SEPARATORS.split(b",".join(values).lower())

    def setTimeout(self, period: float | None) -> float | None:
        """Start the idle timeout; with None, stop it."""
        before, self.timeOut = self.timeOut, period  # type: ignore[assignment]  # it is any number of seconds
        if period is None:
            self.site.idle_timeout.stop(self)
        else:
            self.site.idle_timeout.start(self)
        return before

    def callLater(self, delay: float, call: Callable[..., object], *args: Any) -> IDelayedCall:
        """Use the clock of the site."""
        return self.site.clock.callLater(delay, call, *args)


@implementer(IProtocolNegotiationFactory)
class HTTPFactory(ServerFactory):
    """A site with one budget for all bodies.

    It speaks HTTP/1.1 only, and writes no access log: the events tell what happened, and paths may contain secrets.
    """

    protocol = Channel
    closing = False
    """Whether each connection is closed after its next response: a client would send its next poll at once."""

    def __init__(self, port: IPort, budget: Budget, clock: IReactorTime) -> None:
        self.clock = clock
        self.idle_timeout = IdleTimeout(clock, IDLE_SECONDS)
        self.write_coalescer = WriteCoalescer(clock)
        self.accept_throttle = AcceptThrottle(clock)
        self.serve = port.serve
        self._body_limit = port.body_limit
        self._budget = budget
        self._second = -1
        self._common_headers = b""

    def buildProtocol(self, address: IAddress | None) -> Channel:
        """The channel of a new connection."""
        channel = Channel()
        channel.site = channel.factory = self
        channel.timeOut = IDLE_SECONDS
        channel.peer = getattr(address, "host", None)
        return channel

    def acceptableProtocols(self) -> list[bytes]:
        """What TLS endpoints offer to clients by ALPN."""
        return [HTTP_1_1]

    def body(self, method: bytes, target: bytes) -> Body:
        """An empty body for a request whose headers have arrived."""
        return Body(self._body_limit(method, target), self._budget)

    def common_headers(self) -> bytes:
        """The headers of every response; they are made once a second."""
        second = int(self.clock.seconds())
        if second != self._second:
            self._second, self._common_headers = second, _COMMON_HEADERS % datetimeToString()
        return self._common_headers
