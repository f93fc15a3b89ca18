"""A request: what :class:`twisted.web.http.HTTPChannel` tells of one, and the answer to it.

It is not Twisted's own request, which makes objects for headers, addresses and notifications, and asks the socket for
its name, before anybody wants them. Left out is what no door of ours uses: cookies, forms, sessions, redirects, ETags.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol

from twisted.internet.interfaces import IPushProducer
from twisted.web.http import NO_BODY_CODES, parse_qs, toChunk
from twisted.web.iweb import INonQueuedRequestFactory
from zope.interface import provider

from pushd.http.bodies import Body, Budget
from pushd.model.token import Token

JSON = b"application/json"

NO_BODY = Body(limit=0, budget=Budget(limit=0))
"""The body of a request that has none."""

_STATUS = {status.value: b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode("ascii")) for status in HTTPStatus}


class IAnswering(Protocol):
    """Who works on the answer to a request."""

    def cancel(self) -> None:
        """Nobody waits for it any more."""


class ReadHeaders:
    """The headers of a request, as they came; their names as :class:`twisted.web.http_headers.Headers` spells them."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[bytes, list[bytes]] = {}

    def addRawHeader(self, name: bytes, value: bytes) -> None:
        """The channel has read a header."""
        self._values.setdefault(name, []).append(value)

    def getRawHeaders(self, name: bytes) -> list[bytes] | None:
        """The values of a header in the order in which they came, None if it did not."""
        return self._values.get(name)


@provider(INonQueuedRequestFactory)
class Request:
    """A request, whose body is bounded while it arrives, and its answer, which is written in one piece, or
    streamed.
    """

    __slots__ = (
        "_chunked",
        "_extra",
        "_producing",
        "_streaming",
        "answering",
        "body",
        "channel",
        "code",
        "content_type",
        "method",
        "owner",
        "path",
        "query",
        "requestHeaders",
        "token",
    )

    def __init__(self, channel: Any) -> None:
        self.channel = channel
        self.requestHeaders = ReadHeaders()
        self.body = NO_BODY
        self.code = 200
        self.content_type = JSON
        """Of the response, if it has a body."""
        self.owner: str | None = None
        """The device whose secret path was used, on the device port."""
        self.token: Token | None = None
        """Who asks, on the admin port."""
        self.answering: IAnswering | None = None
        self._extra = b""
        """Headers of the answer beside those that every answer has."""
        self._streaming = False
        self._producing = False

    # What the channel tells.

    def parseCookies(self) -> None:
        """There are none."""

    def gotLength(self, length: int | None) -> None:
        """The headers are here: choose how much of the body to keep.

        A request learns its method and path only once the whole body is here; the channel knows them now.
        """
        if length != 0:
            channel = self.channel
            self.body = channel.site.body(channel._command, channel._path)

    def handleContentChunk(self, data: bytes) -> None:
        """A piece of the body is here."""
        self.body.feed(data)

    def requestReceived(self, method: bytes, target: bytes, version: bytes) -> None:
        """All of it is here."""
        self.method = method
        self._chunked = version == b"HTTP/1.1"
        self.path, _, self.query = target.partition(b"?")
        self.channel.site.serve(self)

    def connectionLost(self, _reason: Any) -> None:
        """The client is gone."""
        self.channel = None
        self.body.release()
        if self.answering is not None:
            self.answering.cancel()

    # What a door reads.

    @property
    def args(self) -> Mapping[bytes, Sequence[bytes]]:
        """The parameters of the query."""
        return parse_qs(self.query, True) if self.query else _NO_ARGS

    def getHeader(self, name: bytes) -> bytes | None:
        """The value of a header, the last one if it came more than once."""
        values = self.requestHeaders.getRawHeaders(name.title())
        return values[-1] if values else None

    def forget_headers(self) -> None:
        """Let go of what is no longer needed, of a request that may wait for long."""
        self.requestHeaders = _NONE_LEFT

    @property
    def peer(self) -> str | None:
        """The address of whoever connected."""
        peer: str | None = self.channel.peer
        return peer

    @property
    def is_open(self) -> bool:
        """Whether somebody still waits for the answer."""
        return self.channel is not None

    # What a door writes.

    def setResponseCode(self, code: int) -> None:
        """Choose the status."""
        self.code = code

    def setHeader(self, name: bytes, value: bytes) -> None:
        """Add a header to the answer.

        :raises ValueError: if it would be more than one line.
        """
        if b"\r" in value or b"\n" in value:
            raise ValueError("a header is one line")
        self._extra += b"%b: %b\r\n" % (name, value)

    def answer(self, body: bytes) -> None:
        """Answer with a whole body; or end a stream with it."""
        if self._streaming:
            self.write(body)
            self.finish()
            return
        length = b"" if self.code in NO_BODY_CODES else b"Content-Length: %d\r\n" % len(body)
        head = self._head(length, self.content_type if body else b"")
        self.channel.answer(head + (b"" if self.method == b"HEAD" else body))
        self._done()

    def write(self, data: bytes) -> None:
        """Stream a piece of the body; to clients that know chunks, in one of its own."""
        if not self._streaming:
            self._streaming = True
            length = b"Transfer-Encoding: chunked\r\n" if self._chunked else b""
            self.channel.write(self._head(length, self.content_type))
        if data:
            self.channel.writeSequence(toChunk(data) if self._chunked else [data])

    def finish(self) -> None:
        """End a stream."""
        if self._chunked:
            self.channel.write(b"0\r\n\r\n")
        self._done()

    def abort(self) -> None:
        """Drop the connection, with whatever was not sent yet."""
        self.channel.forceAbortClient()

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        """Let a producer know how fast the client reads."""
        self._producing = True
        self.channel.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """The producer has ended."""
        self._producing = False
        self.channel.unregisterProducer()

    def _head(self, length: bytes, content_type: bytes) -> bytes:
        channel = self.channel
        if channel.site.closing:
            channel.persistent = False
        kind = b"Content-Type: %b\r\n" % content_type if content_type else b""
        last = b"" if channel.persistent else b"Connection: close\r\n"
        return b"".join((_STATUS[self.code], channel.site.manners(), self._extra, kind, length, last, b"\r\n"))

    def _done(self) -> None:
        if self._producing:
            self.unregisterProducer()
        channel, self.channel = self.channel, None
        self.body.release()
        channel.requestDone(self)


_NONE_LEFT = ReadHeaders()
_NO_ARGS: Mapping[bytes, Sequence[bytes]] = {}
