"""All that relies on how Twisted works inside, each with why it is done, and on what it relies.

Nothing here is promised by Twisted's documentation. It holds for Twisted 25.5 to 26.10, and
``tests/lib/test_twisted_patches.py`` fails when a version of Twisted no longer does what one of these relies on.
"""

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.endpoints import SSL4ServerEndpoint
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.internet.ssl import CertificateOptions
from twisted.internet.tcp import Server
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper, HAProxyWrappingFactory
from twisted.python.failure import Failure
from twisted.scripts._twistd_unix import UnixApplicationRunner
from twisted.web import http
from twisted.web.http import HTTPChannel, _MalformedChunkedDataError
from zope.interface import implementer

_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nCache-Control: no-store\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

_LENGTH_DIGITS = 18
"""The digits of a Content-Length that are parsed at most."""

_SINGLE_HEADERS = frozenset((b"Host", b"Transfer-Encoding"))
"""Headers that a request may have once."""

parse_lines = LineReceiver.dataReceived
"""Parse what a channel has received, without HTTPChannel's own ``dataReceived``: that resets a timer for each piece of
data. It relies on that method doing nothing else.
"""

unparsed: Callable[[HTTPChannel], bytes] = attrgetter("_buffer")
"""The bytes that a channel has received but not parsed: with any, more responses of this turn may follow on the same
connection, and an idle timeout is for the rest of a request. It relies on the name of the attribute.
"""

is_parsing: Callable[[HTTPChannel], bool] = attrgetter("_busyReceiving")
"""Whether a channel is parsing what it has received: what is unparsed then, is parsed next. It relies on the name of
the attribute.
"""

request_line: Callable[[HTTPChannel], tuple[bytes, bytes]] = attrgetter("_command", "_path")
"""The method and target of the request that a channel is reading: a request learns them only when its body is there,
and needs them before, to choose how large it may be. It relies on the names, and on both being set when
:meth:`ChannelRequest.gotLength` is called.
"""


class RequestHeaders(dict[bytes, list[bytes]]):
    """What HTTPChannel calls on the headers of a request, and no more; names are spelled as
    :class:`twisted.web.http_headers.Headers` spells them.
    """

    __slots__ = ()

    def addRawHeader(self, name: bytes, value: bytes) -> None:
        """Add a header that the channel has read."""
        self.setdefault(name, []).append(value)

    getRawHeaders = dict.get  # noqa: N815 - Twisted's name
    """The values of a header in the order of their arrival, None if there is none."""


class ChannelRequest:
    """What HTTPChannel calls on a request, and no more; Twisted's own request makes objects for headers, addresses and
    notifications before any of them is used.

    It relies on HTTPChannel calling these methods alone, on ``requestHeaders`` being given names in the spelling of
    :class:`twisted.web.http_headers.Headers`, and on ``requestDone`` being all that a response must call.
    """

    __slots__ = ()

    requestHeaders: RequestHeaders  # noqa: N815 - Twisted's name

    def parseCookies(self) -> None:
        """The headers are complete; cookies are not used."""

    def gotLength(self, length: int | None) -> None:
        """The headers are complete; ``length`` is that of the body, None if it is chunked."""
        raise NotImplementedError

    def handleContentChunk(self, data: bytes) -> None:
        """A piece of the body has arrived."""
        raise NotImplementedError

    def requestReceived(self, method: bytes, target: bytes, version: bytes) -> None:
        """The whole request has arrived."""
        raise NotImplementedError

    def connectionLost(self, reason: Any) -> None:
        """The client has disconnected before the response was complete."""
        raise NotImplementedError


class DirectChannel(HTTPChannel):
    """A channel that keeps a whole response until :meth:`send`, and then writes it straight to the socket: Twisted
    would have the reactor watch the socket until it may be written to, two system calls and a turn for each response.

    Responses stay in order: what is written while a response is kept is written after it, and nothing is written
    straight to a socket while its transport still buffers something.

    It relies on the ``socket`` of a transport, on its ``connectionLost``, which the reactor calls after the last byte,
    closing the socket, and on the names of the two attributes in which it buffers, of the methods of the channel that
    write, and of the attributes of the channel that it uses.
    """

    transport: Any
    is_direct: bool = False
    """Whether the transport is a socket."""
    unsent: bytes = b""
    """The response that the next :meth:`send` writes."""
    _closes: bool = False
    """Whether the connection is closed after it."""
    _may_be_paused: bool = False
    """Whether reading may have been paused since the last response."""

    def requestDone(self, request: Any) -> None:
        """The response is complete: read the next request. Twisted asks the reactor each time to read again."""
        self.requests.remove(request)
        if self._may_be_paused and not self._waitingForTransport:
            self._may_be_paused = False
            self._networkProducer.resumeProducing()
        if not self.persistent:
            self.loseConnection()
            return
        self._handlingRequest = False
        self.line_mode = 1
        if self._savedTimeOut:
            self.setTimeout(self._savedTimeOut)
        pipelined, self._dataBuffer = b"".join(self._dataBuffer), []
        if pipelined:
            self.dataReceived(pipelined)

    @property
    def is_at_start(self) -> bool:
        """Whether the next byte is the first of a request that may be answered."""
        return not (
            self.requests
            or self._buffer
            or self._busyReceiving
            or self._HTTPChannel__first_line != 1  # type: ignore[attr-defined]  # 2: behind an empty line
            or not self.persistent
            or self.transport.disconnecting
        )

    def begin_whole(self, request: Any) -> None:
        """A request has arrived whole: the state is that in which Twisted's parser calls ``requestReceived``."""
        self.requests.append(request)
        self._savedTimeOut = self.setTimeout(None)
        self._handlingRequest = True
        self.line_mode = 0  # as setRawMode does

    def pauseProducing(self) -> None:
        """The transport buffers too much: do not read more requests."""
        self._may_be_paused = True
        super().pauseProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is closed."""
        super().connectionLost(reason)
        self._transferDecoder = None  # of a body that is not whole: it refers to the channel, too

    def write(self, data: bytes) -> None:
        """Write through the transport."""
        if self.unsent:
            self._leave_to_transport()
        self.transport.write(data)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Write through the transport."""
        self.write(b"".join(iovec))

    def close_now(self) -> None:
        """Close the connection without sending what is unsent; its file descriptor is free when this returns, but not
        with TLS, which the reactor closes in its next turn.
        """
        if isinstance(self.transport, FileDescriptor):
            self.transport.connectionLost(Failure(ConnectionAborted()))
        else:
            self.transport.abortConnection()

    def loseConnection(self) -> None:
        """Close the connection, once all is sent."""
        if self.unsent:
            self._closes = True
        else:
            super().loseConnection()

    def send(self) -> None:
        """Write what is unsent; what the socket does not take is left to the reactor, and so is all that follows."""
        data, transport = self.unsent, self.transport
        if not data:
            return
        if transport.dataBuffer or transport._tempDataBuffer:
            self._leave_to_transport()
            return
        self.unsent = b""
        try:
            sent = transport.socket.send(data)
        except OSError:  # it takes nothing now, or is broken, which the transport will find out
            sent = 0
        if sent != len(data):
            self.is_direct = False
            self.unsent = data[sent:]
            self._leave_to_transport()
        elif self._closes:
            transport.connectionLost(connectionDone)

    def _leave_to_transport(self) -> None:
        data, self.unsent = self.unsent, b""
        self.transport.write(data)
        if self._closes:
            super().loseConnection()

    def _send100Continue(self) -> None:
        self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.write(_BAD_REQUEST)
        self.loseConnection()

    def rawDataReceived(self, data: bytes) -> None:
        """Part of a body, or of requests that must wait for the response to the one before.

        With more of these than a small limit, Twisted stops to read, and so would not see a client that disconnects.
        """
        if not self._handlingRequest:
            try:
                self._transferDecoder.dataReceived(data)  # type: ignore[union-attr]
            except _MalformedChunkedDataError:
                self._respondToBadRequestAndDisconnect()
            return
        self._dataBuffer.append(data)
        if not self._waitingForTransport and sum(map(len, self._dataBuffer)) > self._optimisticEagerReadSize:
            self.too_much_pipelined()

    def too_much_pipelined(self) -> None:
        """A client has sent more than a small limit without waiting for the response to its first request."""
        self._may_be_paused = True
        self._networkProducer.pauseProducing()

    def timeoutConnection(self) -> None:
        """Close a connection that was idle for too long, as Twisted does, without a log line for each."""
        self._abortingCall = self.callLater(self.abortTimeout, self.forceAbortClient)
        self.loseConnection()

    def forceAbortClient(self) -> None:
        """Close the connection; the reactor does it in its next turn, as it may be about to write to the socket."""
        self._abortingCall = None
        self.transport.abortConnection()

    def _maybeChooseTransferDecoder(self, header: bytes, data: bytes) -> bool:
        """Refuse what Twisted's parser takes, or fails at: a length with thousands of digits, and a second Host or
        Transfer-Encoding, which a proxy may understand in another way.

        It relies on being called for each header, before that is added to the request.
        """
        if header == b"Content-Length":
            if len(data) > _LENGTH_DIGITS:
                return bool(self._failChooseTransferDecoder())
        elif header in _SINGLE_HEADERS:
            if self.requests[-1].requestHeaders.getRawHeaders(header):
                return bool(self._failChooseTransferDecoder())
        else:
            return True
        return bool(super()._maybeChooseTransferDecoder(header, data))


def tls_certificate(endpoint: object) -> CertificateOptions | None:
    """The certificate of a TLS endpoint, or of one that is wrapped, as by ``haproxy:``; None without TLS.

    It relies on the names of two attributes.
    """
    inner = _unwrapped(endpoint)
    return inner._sslContextFactory if isinstance(inner, SSL4ServerEndpoint) else None


def use_certificate(endpoint: object, creator: Any) -> None:
    """Have a TLS endpoint use what ``creator``, an IOpenSSLServerConnectionCreator, makes for each connection."""
    _unwrapped(endpoint)._sslContextFactory = creator


def _unwrapped(endpoint: Any) -> Any:
    while hasattr(endpoint, "_wrappedEndpoint"):
        endpoint = endpoint._wrappedEndpoint
    return endpoint


@implementer(IHalfCloseableProtocol)
class HalfCloseableProxyProtocol(HAProxyProtocolWrapper):
    """Tells what it wraps that the client has closed its side; Twisted's closes the whole connection."""

    def readConnectionLost(self) -> None:
        """The client has closed its side."""
        self.wrappedProtocol.readConnectionLost()  # type: ignore[attr-defined]

    def writeConnectionLost(self) -> None:
        """Not called: the server's side is never closed alone."""


class HalfCloseableProxyFactory(HAProxyWrappingFactory):
    """Makes the protocols of a ``haproxy:`` endpoint."""

    protocol = HalfCloseableProxyProtocol  # type: ignore[assignment]  # Twisted declares no narrower one


def keep_half_closed(endpoint: Any) -> None:
    """Have a ``haproxy:`` endpoint treat a client that closes its side as an endpoint without it does.

    It relies on the name of an attribute, and on sockets asking their protocol for IHalfCloseableProtocol. TLS has no
    such state in Twisted: it closes the connection when the client sends ``close_notify``, or closes its side.
    """
    if getattr(endpoint, "_wrapperFactory", None) is HAProxyWrappingFactory:
        endpoint._wrapperFactory = HalfCloseableProxyFactory


def share_name(transport: Any) -> None:
    """Have the transport of a connection that was accepted keep one of its two names; both are only logged.

    It relies on the names of the two attributes.
    """
    if isinstance(transport, Server):
        transport.logstr = transport.repstr


def uses_proxy_protocol(transport: object) -> bool:
    """Whether a proxy says, by the PROXY protocol, for which client it connects.

    It relies on the name of the class, and on its ``getPeer`` being the client once data is delivered, or else what
    the wrapped transport's is.
    """
    return isinstance(transport, HAProxyProtocolWrapper)


def use_monotonic_clock(reactor: Any) -> None:
    """Have the reactor's timers follow the monotonic clock: Twisted's follow the wall clock, and would all fire, or
    none would, when the wall clock is set.

    It relies on the reactor reading time through its attribute ``seconds`` alone.
    """
    vars(reactor)["seconds"] = time.monotonic


_REQUEST_LINE = re.compile(rb"([A-Za-z0-9!#$%&'*+.^_`|~-]+) ([\x21-\xb0]+) (HTTP/1\.[01])")


class MalformedRequestLine(ValueError):
    """A request line that Twisted's parser refuses."""

    def __init__(self, line: bytes) -> None:
        self.line = line
        super().__init__("malformed request line")


def refused_request_line() -> bytes:
    """The request line because of which a channel responds to a bad request; empty if another part is bad.

    It relies on the channel responding while it handles the exception that :func:`parse_request_line` has raised.
    """
    error = sys.exc_info()[1]
    return error.line if isinstance(error, MalformedRequestLine) else b""


def parse_request_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    """The method, target and version of a request, as Twisted's function finds them, which looks at each byte.

    :raises MalformedRequestLine: if it is malformed.
    """
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise MalformedRequestLine(line)
    return match[1], match[2], match[3]


def parse_request_lines_at_once() -> None:
    """Have HTTPChannel call :func:`parse_request_line`; a poll with a long query takes a tenth less time.

    It relies on HTTPChannel looking the function up by its name.
    """
    vars(http)["_parseRequestLine"] = parse_request_line


EPOLL = "twisted.internet.epollreactor"
"""The module of the reactor that Twisted chooses on Linux."""


class _WithoutLogContext:
    """Calls what is ready, and logs what it raises, as :func:`twisted.python.log.callWithLogger` does."""

    _log = Logger()

    @classmethod
    def callWithLogger(cls, selectable: object, call: Callable[..., object], *args: Any) -> None:
        """Call, without a prefix for messages that are logged meanwhile."""
        try:
            call(*args)
        except Exception:
            cls._log.failure("Unexpected error of {selectable}", selectable=selectable)


def skip_log_context(reactor: Any) -> None:
    """Have an epoll reactor set no context for Twisted's legacy log before each event: that takes eight calls.

    It relies on the module of that reactor using ``log`` for nothing but ``callWithLogger``.
    """
    module = sys.modules[type(reactor).__module__]
    if module.__name__ == EPOLL:
        vars(module)["log"] = _WithoutLogContext


def signal_handlers(reactor: Any) -> dict[signal.Signals, Any]:
    """The handlers that a reactor installs for SIGTERM and SIGINT when it runs, to tell them from a debugger's.

    It relies on their names.
    """
    return {signal.SIGTERM: reactor.sigTerm, signal.SIGINT: reactor.sigInt}


class CannotStart(SystemExit, Exception):
    """Ends the program with exit code 1, without a traceback.

    It relies on twistd telling the parent of a daemon, and removing the pidfile, for each ``Exception`` that is raised
    while services start, and for no other: a ``SystemExit`` alone would leave both undone.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.code = 1


MAX_REASON = 4000
"""Bytes: a pipe takes them at once (``PIPE_BUF``), with twistd's prefix."""


def report_daemon_errors_whole() -> None:
    """Have twistd print why a daemon cannot start as the same line as without a daemon; Twisted's own message is cut
    after 100 bytes.

    It relies on two methods of twistd's runner: the daemon formats the error with ``_formatChildException``, and
    writes it to a pipe at once; the command, which waits for that, gets its exit code from ``_waitForStart``.
    """
    runner_class: Any = UnixApplicationRunner
    twisted_format = runner_class._formatChildException

    def format_error(runner: UnixApplicationRunner, error: Exception) -> bytes:
        if not isinstance(error, CannotStart):
            return bytes(twisted_format(runner, error))
        return b"1 " + f"pushd: {error}".encode("utf-8", "backslashreplace")[:MAX_REASON]

    def wait_for_start(_runner: UnixApplicationRunner, pipe: int) -> int:
        report = os.read(pipe, MAX_REASON + 2)
        if report == b"0":
            return 0
        if sys.__stderr__ is not None:
            sys.__stderr__.write(report[2:].decode("utf-8", "replace") + "\n")
        return 1

    runner_class._formatChildException = format_error
    runner_class._waitForStart = wait_for_start
