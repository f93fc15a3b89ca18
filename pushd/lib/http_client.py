"""What clients of Twisted's HTTP Agent share: limits of responses, errors, and a reader of response bodies.

No server is trusted: it may send headers, or a body, without an end, and keep its connection open.
"""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web._newclient import STATUS, HTTP11ClientProtocol, HTTPClientParser, Request
from twisted.web.client import (
    HTTPConnectionPool,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IResponse

MAX_HEAD = 64 * 1024
"""Bytes of a response before its body at most, informational responses (1xx) included."""

MAX_INFORMATIONAL = 10
"""Informational responses (1xx) before a response at most."""

MAX_BODY = 128 * 1024 * 1024
"""Bytes of a body at most that :func:`read_body` returns: a command with a large payload and result has half of it."""


class ResponseTooLarge(Exception):
    """A response has more headers, informational responses before it, or a longer body than it may have."""


class ConnectionNotPermitted(Exception):
    """A program may not connect to an address; the message is one sentence for people."""


_HTTP_1_1 = (b"HTTP", 1, 1)

NEVER_SENT = (ConnectError, DNSLookupError)
"""Errors after which the server has not received any part of the request."""

CONNECTION_LOST = (
    ConnectionClosed,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseTooLarge,
)
"""Errors after which the server may have received the request."""

CANCELLED = (CancelledError, ConnectingCancelledError)
"""Errors of a request that was cancelled, if they are the :func:`cause_of` what Agent raised."""


class BoundedConnectionPool(HTTPConnectionPool):
    """Connections on which the head of a response is limited, and that a server cannot keep open.

    It relies on the pool's attribute ``_factory``.
    """

    def __init__(self, reactor: Any, persistent: bool = True) -> None:
        super().__init__(reactor, persistent)
        vars(self)["_factory"] = _ClientFactory


class _ClientFactory(Factory):
    """What :class:`BoundedConnectionPool` calls with a callback for idle connections, and a description."""

    noisy = False

    def __init__(self, on_idle: Any, description: str) -> None:
        self._on_idle = on_idle
        self._description = description

    def __repr__(self) -> str:
        return f"_ClientFactory({self._description})"

    def buildProtocol(self, addr: IAddress | None) -> HTTP11ClientProtocol:  # noqa: ARG002
        return _BoundedClientProtocol(self._on_idle)


class _BoundedClientProtocol(HTTP11ClientProtocol):
    """An HTTP client that fails a request if the head of its response is too large.

    It relies on the names ``_parser``, ``_transportProxy`` and ``_giveUp`` of its superclass.
    """

    def request(self, request: Request) -> "Deferred[IResponse]":
        response: Deferred[IResponse] = super().request(request)
        if self._parser is not None and self._transportProxy is not None:
            # not an object that wraps the parser: they would be a reference cycle, and with them all of the response
            self._parser.__class__ = _BoundedParser
            # a TLS connection that is only closed stays open until the server closes it, too
            vars(self._transportProxy)["loseConnection"] = self._abort
        return response

    def _giveUp(self, reason: Failure) -> None:
        if reason.check(ConnectionClosed):  # the response is complete, and the connection is not used again
            super()._giveUp(reason)
            below = getattr(self.transport, "transport", None)
            if below is not None:  # that of TLS
                below.loseConnection()
        else:
            self._abort()
            self._disconnectParser(reason)

    def _abort(self) -> None:
        transport: Any = self.transport
        transport.abortConnection()


class _BoundedParser(HTTPClientParser):
    """Counts the lines of the head of a response before it parses them.

    It relies on the name ``connHeaders`` of its superclass, from which the client takes whether to use a connection
    again.
    """

    _size = 0
    _informational = 0

    def lineReceived(self, line: bytes) -> None:
        """Parse a line.

        :raises ResponseTooLarge: if there were too many.
        """
        self._size += len(line) + 1
        if self._size > MAX_HEAD:
            raise ResponseTooLarge(f"the headers of the response are larger than {MAX_HEAD} bytes")
        super().lineReceived(line)
        if self.state == STATUS:  # it has dropped an informational response
            self._informational += 1
            if self._informational > MAX_INFORMATIONAL:
                raise ResponseTooLarge(f"more than {MAX_INFORMATIONAL} informational responses")

    def allHeadersReceived(self) -> None:
        """Note that the server closes the connection, even if it says so as HTTP/1.0 does: by saying nothing."""
        options = b",".join(self.connHeaders.getRawHeaders(b"connection", ())).lower()
        if b"close" in options or (self.response.version < _HTTP_1_1 and b"keep-alive" not in options):
            self.connHeaders.setRawHeaders(b"connection", [b"close"])
        super().allHeadersReceived()


def cause_of(error: BaseException) -> BaseException:
    """The first of the failures that Agent collects in one exception; any other exception itself."""
    reasons = getattr(error, "reasons", None)
    cause: BaseException = reasons[0].value if reasons else error
    return cause


def describe(error: BaseException) -> str:
    """The message of the :func:`cause_of` an error, or the name of its class if it has no message."""
    cause = cause_of(error)
    return str(cause) or type(cause).__name__


def unwrap_cancellation(failure: Failure) -> Failure:
    """An errback: raises ``CancelledError`` for a cancelled request, as :meth:`Deferred.addTimeout` expects it."""
    error = failure.value
    if error is not None and isinstance(cause_of(error), CANCELLED):
        raise CancelledError
    return failure


class BodyReader(Protocol):
    """Collects a response body: its first ``keep`` bytes, or all.

    After ``limit`` bytes the connection is closed. ``done`` fires then, or at the body's end, and fails if the
    connection is lost; cancelling it closes the connection. ``complete`` says whether there were no more bytes.
    """

    def __init__(self, keep: int | None = None, limit: int | None = None) -> None:
        self.done: Deferred[None] = Deferred(lambda _: self._close())
        self.complete = True
        self._keep = keep
        self._limit = limit
        self._chunks: list[bytes] = []
        self._kept = 0
        self._received = 0

    @property
    def body(self) -> bytes:
        """What has come so far."""
        return b"".join(self._chunks)

    def dataReceived(self, data: bytes) -> None:
        if self.done.called:
            return
        kept = data if self._keep is None else data[: self._keep - self._kept]
        if kept:
            self._chunks.append(kept)
            self._kept += len(kept)
        self._received += len(data)
        if self._limit is not None and self._received > self._limit:
            self.complete = False
            self._close()
            self.done.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.done.callback(None)
        else:
            self.done.errback(reason)

    def _close(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()


async def read_body(response: IResponse, limit: int = MAX_BODY) -> bytes:
    """The whole body of a response; cancelling closes the connection, unlike with :func:`treq.content`.

    :raises ResponseTooLarge: if it has more than ``limit`` bytes.
    """
    reader = BodyReader(limit=limit)
    response.deliverBody(reader)
    await reader.done
    if not reader.complete:
        raise ResponseTooLarge(f"the body of the response is larger than {limit} bytes")
    return reader.body


def close(response: IResponse) -> None:
    """Close the connection of a response without reading its body."""
    reader = BodyReader()
    response.deliverBody(reader)
    reader.done.addErrback(lambda _: None).cancel()
