"""Requests and their responses, over Twisted's HTTP channel.

Left out of what Twisted's own request offers is what no route uses: cookies, forms, sessions, redirects, ETags.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from twisted.web.http import NO_BODY_CODES, parse_qs, toChunk
from twisted.web.iweb import INonQueuedRequestFactory
from zope.interface import provider

from pushd.core.clients import Client
from pushd.http.bodies import SMALL, Body
from pushd.http.body_writer import PIECE, BodyWriter
from pushd.http.whole_requests import WholeRequest
from pushd.lib.twisted_patches import ChannelRequest, RequestHeaders, request_line
from pushd.model.errors import TooManyPolls

if TYPE_CHECKING:
    from pushd.http.router import IApp

JSON = b"application/json"

NO_STORE = b"Cache-Control: no-store\r\n"
"""No cache may keep a response unless its route says otherwise: a cached poll would run a command twice."""

NO_BODY = Body(limit=0)
"""The body of a request that has none."""

_STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode("ascii")) for status in HTTPStatus
}


class ICancellable(Protocol):
    """A response that is being worked on."""

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for an event or for time to pass."""

    def cancel(self) -> None:
        """The client has disconnected: wait for nothing any more."""


@provider(INonQueuedRequestFactory)
class Request(ChannelRequest):
    """A request, whose body is bounded while it arrives, and its response, which is written whole or streamed."""

    __slots__ = (
        "_extra_headers",
        "_has_producer",
        "_streaming",
        "api_key",
        "app",
        "body",
        "cache_control",
        "channel",
        "client",
        "client_address",
        "code",
        "content_type",
        "is_http_1_1",
        "method",
        "owner",
        "path",
        "pending",
        "query",
        "requestHeaders",
    )

    client_address: str | None
    """The IP address of the client; None if it is not known, as on a Unix socket."""
    app: "IApp"
    """What responds; not set before the whole request has arrived."""
    client: Client
    """On the admin port: who sends the request; not set before that is known."""

    def __init__(self, channel: Any, whole: WholeRequest | None = None) -> None:
        self.channel = channel
        """None once the response is complete, or the client has disconnected."""
        self.body = NO_BODY
        if whole is None:  # it arrives piece by piece
            self.requestHeaders = RequestHeaders()
        else:
            self.is_http_1_1 = True
            self.method, self.path, self.query, self.requestHeaders, content = whole
            self.client_address = channel.address_of(self) if channel.is_proxied else channel.peer
            if content:
                self.body = Body(size=len(content), chunks=[content])
        self.code = 200
        self.content_type = JSON
        """Of the response, if it has a body."""
        self.cache_control = NO_STORE
        """The header of the response that says who may keep it."""
        self.owner: str | None = None
        """On the device port: the device whose secret path was used."""
        self.api_key: str | None = None
        """On the device port: the API key that the device sent."""
        self.pending: ICancellable | None = None
        """The work on the response, once its route waits for something."""
        self._extra_headers = b""
        self._streaming = False
        self._has_producer = False

    # Called by the channel.

    def gotLength(self, length: int | None) -> None:
        """The headers are complete."""
        channel = self.channel
        self.method, target = request_line(channel)
        if not target.startswith(b"/"):
            target = _origin_form(target)
        self.path, _, self.query = target.partition(b"?")
        self.client_address = channel.address_of(self) if channel.is_proxied else channel.peer
        if length != 0:
            self.body = Body()

    def handleContentChunk(self, data: bytes) -> None:
        """A piece of the body has arrived."""
        if self.body.size + len(data) > SMALL:
            self.decide_body()
        self.body.feed(data)

    def decide_body(self) -> None:
        """The body does not arrive at once with its head: decide, once, how much of it to keep."""
        if not self.body.is_decided:
            site = self.channel.site
            self.body.decide(None if self.has_encoded_body else site.grant_body(self), site.budgets)

    def requestReceived(self, _method: bytes, _target: bytes, version: bytes) -> None:
        """The whole request has arrived."""
        self.is_http_1_1 = version == b"HTTP/1.1"
        self.channel.site.serve(self)

    def connectionLost(self, _reason: Any) -> None:
        """The client has disconnected before the response was complete."""
        self.channel = None
        self.body.release()
        if self.pending is not None:
            self.pending.cancel()

    @property
    def is_waiting(self) -> bool:
        """Whether the response waits for an event or for time to pass, as a held poll does, and not for work."""
        return self.pending is not None and self.pending.is_waiting

    def end_wait(self) -> None:
        """The client sends nothing any more, and may have disconnected: end a wait at once, with nothing.

        A response that has no such end is not sent; the connection is closed.
        """
        if self.pending is not None and self.pending.is_waiting:
            self.pending.cancel()
            if self.channel is not None and (self.pending is None or self.pending.is_waiting):
                self.channel.timeoutConnection()

    # What waits.

    def wait_for(self, pending: ICancellable) -> None:
        """The response is being worked on."""
        self.pending = pending
        if self.channel is None:
            pending.cancel()
        elif self.channel.is_half_closed:
            self.end_wait()

    def respond_with(self, write: Callable[..., bytes], *args: object) -> None:
        """The wait is over: respond with what ``write`` returns, unless the client has disconnected."""
        self.pending = None
        try:
            body = write(*args)
        except Exception:
            self.respond_to_failure(Failure())
        else:
            if self.channel is not None:
                self.respond(body)

    def respond_to_failure(self, failure: Failure) -> None:
        """Respond as the app does to a failure, unless the wait has ended with the client."""
        if isinstance(failure.value, CancelledError) and (self.channel is None or self.channel.is_half_closed):
            return
        if isinstance(failure.value, TooManyPolls) and self.channel is not None:
            self.close_after_response()  # others may need its file descriptor
        body = self.app.router.render_failure(self.app, self, failure)
        if self.channel is not None:
            self.respond(body)

    # Read by apps.

    @property
    def args(self) -> Mapping[bytes, Sequence[bytes]]:
        """The parameters of the query."""
        return parse_qs(self.query, True) if self.query else _NO_ARGS

    def getHeader(self, name: bytes) -> bytes | None:
        """The value of a header, the last one if there are several."""
        values = self.requestHeaders.getRawHeaders(name.title())
        return values[-1] if values else None

    @property
    def is_secure(self) -> bool:
        """Whether the client uses TLS, with the server or with a trusted proxy that says so."""
        if self.channel.is_encrypted:
            return True
        forwarded = self.getHeader(b"X-Forwarded-Proto") or b""
        return self.channel.has_trusted_peer and forwarded.rpartition(b",")[2].strip().lower() == b"https"

    @property
    def has_encoded_body(self) -> bool:
        """Whether the body has a Content-Encoding; none is supported."""
        encodings = self.requestHeaders.getRawHeaders(b"Content-Encoding")
        return encodings is not None and any(encoding.lower() not in (b"", b"identity") for encoding in encodings)

    def free_memory(self) -> None:
        """Drop the headers and the body, of a request that may be held for long."""
        self.requestHeaders = _NO_HEADERS
        if self.body is not NO_BODY:
            self.body.release()

    # The response.

    def allow_caching(self, policy: bytes) -> None:
        """Let caches keep the response, as the value of ``Cache-Control`` says."""
        self.cache_control = b"Cache-Control: %b\r\n" % policy

    def setResponseCode(self, code: int) -> None:
        """Set the status code."""
        self.code = code

    def setHeader(self, name: bytes, value: bytes) -> None:
        """Add a header to the response.

        :raises ValueError: if the value has line breaks.
        """
        if b"\r" in value or b"\n" in value:
            raise ValueError("a header must be one line")
        self._extra_headers += b"%b: %b\r\n" % (name, value)

    def respond(self, body: bytes) -> None:
        """Write the whole response; if it is being streamed, its last piece."""
        if self._streaming:
            self.write(body)
            self.finish()
            return
        length = b"" if self.code in NO_BODY_CODES else b"Content-Length: %d\r\n" % len(body)
        head = self._head(length, self.content_type if body else b"")
        if self.method == b"HEAD":
            body = b""
        if len(body) > PIECE:
            self._respond_in_pieces(head, body)
        else:
            self.channel.write_response(head + body)
            self.complete()

    def _respond_in_pieces(self, head: bytes, body: bytes) -> None:
        if self.body is not NO_BODY:
            self.body.release()
        self.channel.write(head)
        self.pending = writer = BodyWriter(self, body)
        writer.start()

    def write(self, data: bytes) -> None:
        """Stream a piece of the body: a chunk, if the client knows chunked transfer encoding."""
        if not self._streaming:
            self._streaming = True
            length = b"Transfer-Encoding: chunked\r\n" if self.is_http_1_1 else b""
            self.channel.write(self._head(length, self.content_type))
        if data:
            self.channel.writeSequence(toChunk(data) if self.is_http_1_1 else [data])

    def finish(self) -> None:
        """End a streamed response."""
        if self.is_http_1_1:
            self.channel.write(b"0\r\n\r\n")
        self.complete()

    def close_after_response(self) -> None:
        """Have the connection closed once the response is sent."""
        self.channel.persistent = False

    def abort(self) -> None:
        """Close the connection at once, without sending what is unsent."""
        self.channel.forceAbortClient()

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        """Pause and resume a producer as fast as the client reads."""
        self._has_producer = True
        self.channel.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """The producer has ended."""
        self._has_producer = False
        self.channel.unregisterProducer()

    def _head(self, length: bytes, content_type: bytes) -> bytes:
        """Status line and headers; ``length`` is the header that says how long the body is."""
        channel = self.channel
        site = channel.site
        if site.closing:
            channel.persistent = False
        if site.clock.seconds() >= site.common_headers_until:
            site.renew_common_headers()
        kind = b"Content-Type: %b\r\n" % content_type if content_type else b""
        close = b"" if channel.persistent else b"Connection: close\r\n"
        return b"".join(
            (
                _STATUS_LINES[self.code],
                site.common_headers,
                self.cache_control,
                self._extra_headers,
                kind,
                length,
                close,
                b"\r\n",
            )
        )

    def complete(self) -> None:
        """The whole response is written."""
        if self._has_producer:
            self.unregisterProducer()
        channel, self.channel = self.channel, None
        if self.body.is_decided:
            self.body.release()
        channel.requestDone(self)
        if channel.is_half_closed and channel.timeOut is not None:  # no further request has arrived whole
            channel.loseConnection()
        if channel.requests and channel.timeOut is not None:  # a part of the next request was pipelined behind it
            channel.expect_rest()


_ABSOLUTE_FORM = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)


def _origin_form(target: bytes) -> bytes:
    """The path and query of a target in absolute form, which proxies use (RFC 9112, section 3.2.2)."""
    match = _ABSOLUTE_FORM.match(target)
    if match is None:
        return target
    rest = target[match.end() :]
    return rest if rest.startswith(b"/") else b"/" + rest


_NO_HEADERS = RequestHeaders()
_NO_ARGS: Mapping[bytes, Sequence[bytes]] = {}
