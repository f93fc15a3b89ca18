"""The site: the factory of HTTP connections, and the channel that each connection is."""

import re
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHalfCloseableProtocol,
    IProtocolNegotiationFactory,
    IReactorTime,
)
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.python.failure import Failure
from twisted.web.http import datetimeToString
from zope.interface import implementer

from pushd.http.bodies import GRACE_SECONDS, BodyGrant, Budgets
from pushd.http.client_address import TrustedProxies, client_address
from pushd.http.connections import AcceptThrottle, ConnectionLimit, ConnectionTimeout, OpenConnections, WriteCoalescer
from pushd.http.request import Request
from pushd.http.whole_requests import read_whole
from pushd.lib.tls import HTTP_1_1, begins_tls, uses_tls
from pushd.lib.twisted_patches import (
    DirectChannel,
    is_parsing,
    parse_lines,
    refused_request_line,
    share_name,
    unparsed,
    uses_proxy_protocol,
)

_SEPARATORS = re.compile(rb"[ ,]+")

_COMMON_HEADERS = b"Server: pushd\r\nDate: %b\r\n"
"""Headers of every response."""

_REQUEST_BEGINS = re.compile(rb"\r|[A-Z]+(?:$| )")
"""Matches the beginning of a request line as clients send it, however little of it has arrived."""

IDLE_SECONDS = 80
"""How long a connection may wait for a request: longer than load balancers keep one, often 60 s, so that none sends a
request over a connection that is being closed."""

HEAD_SECONDS = 20
"""How long the head of a request may take, from its first byte."""


class IPort(Protocol):
    """What responds to the requests of a port."""

    def serve(self, request: Request) -> None:
        """Respond to a request, now or later."""

    def grant_body(self, request: Request) -> BodyGrant | None:
        """How much to keep of the body of a request, of which the head has arrived; None: nothing."""

    def not_http(self, address: str | None, data: bytes) -> None:
        """A client at this address has sent what is no HTTP request; ``data`` is its beginning, if that is known."""


@implementer(IHalfCloseableProtocol)
class Channel(DirectChannel):
    """A connection: Twisted's parser, with its limits, and one request at a time."""

    requestFactory = Request  # type: ignore[assignment]  # noqa: N815 - Twisted's name
    site: "HTTPFactory"
    peer: str | None = None
    """The IP address of the client, or of a proxy; None on a Unix socket."""
    is_proxied: bool = False
    """Whether a proxy connects that says for which client: a trusted one, or one with the PROXY protocol."""
    is_not_http: bool = False
    """Whether something has arrived that is no HTTP request, and the port knows of it."""
    is_half_closed: bool = False
    """Whether the client sends nothing any more; it may have disconnected."""
    _timeout: ConnectionTimeout["Channel"]
    """The timeout that was started last."""
    _body_check: IDelayedCall | None = None
    """The next check of a body that takes longer than the grace period."""

    def connectionMade(self) -> None:
        """A client has connected."""
        if not self.site.connections.opened():
            self.close_now()
            return
        super().connectionMade()
        if isinstance(self.transport, FileDescriptor):  # a TLS transport is not: it encrypts first
            self.is_direct = True
            share_name(self.transport)
            self.site.accept_throttle.add(self.transport)
        self.is_proxied = uses_proxy_protocol(self.transport) or self.has_trusted_peer

    @property
    def has_trusted_peer(self) -> bool:
        """Whether a trusted proxy connects."""
        trusted = self.site.trusted_proxies
        return trusted is not None and self.peer in trusted

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection uses TLS."""
        return uses_tls(self.transport)

    def address_of(self, request: Request) -> str | None:
        """The address of a client behind a proxy, as the proxy says."""
        return self._address_behind(request.requestHeaders.get(b"X-Forwarded-For", ()))

    def _address_behind(self, forwarded: Iterable[bytes]) -> str | None:
        peer = self.peer
        if uses_proxy_protocol(self.transport):  # its address is known once a request has arrived
            given = self.transport.getPeer()
            peer = None if given == self.transport.transport.getPeer() else _host(given)
        return client_address(peer, forwarded, self.site.trusted_proxies)

    def dataReceived(self, data: bytes) -> None:
        """Read what has arrived: a plain request at once, anything else by Twisted's parser."""
        if self.is_at_start and (whole := read_whole(data)) is not None:
            request = Request(self, whole)
            if b"Connection" in request.requestHeaders:
                self.persistent = self.checkPersistence(request, b"HTTP/1.1")
            self.begin_whole(request)
            self.site.serve(request)
            return
        parse_lines(self, data)
        # a response, which was given at once, may have handed over what was pipelined behind its request
        if is_parsing(self):
            return
        if self.timeOut is not None and (self.requests or unparsed(self)):
            self.expect_rest()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is closed."""
        self.unsent = b""
        super().connectionLost(reason)
        for timeout in self.site.timeouts:
            timeout.forget(self)
        self.site.connections.closed()

    def readConnectionLost(self) -> None:
        """The client has closed its side, or the whole connection, which looks the same: requests that have
        arrived whole are answered, but what only waits ends at once.
        """
        self.is_half_closed = True
        if self.timeOut is not None:
            self.loseConnection()
        elif self.requests:
            self.requests[0].end_wait()

    def writeConnectionLost(self) -> None:
        """Not called: the server's side is never closed alone."""

    def expect_rest(self) -> None:
        """A request has arrived in part: limit the time for the rest, and what is kept of its body."""
        if self.line_mode:
            timeout = self.site.head_timeout
            data = unparsed(self)
            if timeout is not self._timeout and not self.requests and not _REQUEST_BEGINS.match(data):
                self._on_not_http(data)
                if begins_tls(data):  # its client waits for a handshake, which no request can follow
                    self.forceAbortClient()
                    return
        else:
            timeout = self.site.body_timeout
            self.requests[-1].decide_body()
        if timeout is not self._timeout:
            self._timeout.started.pop(self, None)
            self._timeout = timeout
            timeout.start(self)

    def _respondToBadRequestAndDisconnect(self) -> None:
        self._on_not_http(refused_request_line())
        super()._respondToBadRequestAndDisconnect()

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line is too long; the connection is closed."""
        self._on_not_http(line)
        super().lineLengthExceeded(line)

    def _on_not_http(self, data: bytes) -> None:
        if not self.is_not_http:
            self.is_not_http = True
            self.site.not_http(self._address_behind(()) if self.is_proxied else self.peer, data)

    def too_much_pipelined(self) -> None:
        """Close the connection if its request is held, so that the client's end is always seen."""
        if self.requests[0].is_waiting:
            self.forceAbortClient()
        else:
            super().too_much_pipelined()

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
        """Start the idle timeout; with None, stop the timeout that runs."""
        before, self.timeOut = self.timeOut, period  # type: ignore[assignment]  # it is any number of seconds
        if period is None:
            self._timeout.started.pop(self, None)
            if self._body_check is not None:
                self._body_check.cancel()
                self._body_check = None
        else:
            self._timeout = self.site.idle_timeout
            self._timeout.start(self)
        return before

    def check_body(self, since: float) -> None:
        """Close the connection if its body, of which the head arrived at ``since``, arrives too slowly."""
        self._body_check = None
        left = self.requests[-1].body.due(since) - self.site.clock.seconds()
        if left > 0:
            self._body_check = self.site.clock.callLater(left, self.check_body, since)
        else:
            self.timeoutConnection()

    def callLater(self, delay: float, call: Callable[..., object], *args: Any) -> IDelayedCall:
        """Use the clock of the site."""
        return self.site.clock.callLater(delay, call, *args)


@implementer(IProtocolNegotiationFactory)
class HTTPFactory(ServerFactory):
    """A site; several share the budgets of bodies.

    It speaks HTTP/1.1 only, and writes no access log: the events tell what happened, and paths may contain secrets.
    """

    protocol = Channel
    closing = False
    """Whether each connection is closed after its next response: a client would send its next poll at once."""

    def __init__(
        self,
        port: IPort,
        budgets: Budgets,
        clock: IReactorTime,
        all_ports: OpenConnections | None = None,
        trusted_proxies: TrustedProxies | None = None,
    ) -> None:
        self.clock = clock
        self.idle_timeout = ConnectionTimeout(clock, IDLE_SECONDS, _close)
        self.head_timeout = ConnectionTimeout(clock, HEAD_SECONDS, _close)
        self.body_timeout = ConnectionTimeout(clock, GRACE_SECONDS, Channel.check_body)
        self.timeouts = (self.idle_timeout, self.head_timeout, self.body_timeout)
        self.connections = ConnectionLimit(
            (self.idle_timeout, self.head_timeout), Channel.close_now, all_ports or OpenConnections(), clock
        )
        self.write_coalescer = WriteCoalescer(clock)
        self.accept_throttle = AcceptThrottle(clock)
        self.serve = port.serve
        self.grant_body = port.grant_body
        self.not_http = port.not_http
        self.budgets = budgets
        self.trusted_proxies = trusted_proxies
        self.common_headers = b""
        """The headers of every response."""
        self.common_headers_until = 0.0
        """When they are to be renewed, in the clock's seconds."""

    def buildProtocol(self, address: IAddress | None) -> Channel:
        """The channel of a new connection."""
        channel = Channel()
        channel.site = channel.factory = self
        channel.timeOut = IDLE_SECONDS
        channel._timeout = self.idle_timeout
        channel.peer = _host(address)
        return channel

    def acceptableProtocols(self) -> list[bytes]:
        """What TLS endpoints offer to clients by ALPN."""
        return [HTTP_1_1]

    def renew_common_headers(self) -> None:
        """Make the headers of every response, which change once a second."""
        self.common_headers = _COMMON_HEADERS % datetimeToString()
        self.common_headers_until = int(self.clock.seconds()) + 1


def _close(channel: Channel, _since: float) -> None:
    channel.timeoutConnection()


def _host(address: object) -> str | None:
    """The IP address of a connection's end; an IPv4 address is itself, also on a socket of IPv6."""
    host: str | None = getattr(address, "host", None)
    return host.removeprefix("::ffff:") if host is not None and "." in host else host
