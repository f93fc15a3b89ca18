"""A client for server-sent events (WHATWG HTML, "Server-sent events")."""

from collections.abc import Callable, Iterator

from attrs import define, field, frozen
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IResponse

from pushd.pushctl.errors import UnexpectedResponse

MAX_MESSAGE = 1024 * 1024
"""Bytes of one message; an event has some thousand."""

READ_TIMEOUT = 45.0
"""Seconds without a byte after which the connection counts as lost; the server sends a keep-alive every 15."""


@frozen(kw_only=True)
class ServerSentEvent:
    """The last event id, and the data of an event; without data, the message only moves the last event id on."""

    id: str
    data: str


@define(eq=False)
class Parser:
    """Splits a byte stream into messages, however it was cut into pieces."""

    max_message: int = MAX_MESSAGE
    _line: bytearray = field(factory=bytearray, init=False)
    _last_id: str = field(default="", init=False)
    _reported_id: str = field(default="", init=False)
    _data: list[str] = field(factory=list, init=False)
    _size: int = field(default=0, init=False)

    def feed(self, data: bytes) -> Iterator[ServerSentEvent]:
        """The messages that these bytes complete.

        :raises UnexpectedResponse: if a message has no end.
        """
        *lines, rest = data.split(b"\n")
        for line in lines:
            whole = bytes(self._line + line).removesuffix(b"\r")
            self._line.clear()
            if whole:
                self._read_field(whole)
            else:
                yield from self._end_message()
        self._line += rest
        if self._size + len(self._line) > self.max_message:
            raise UnexpectedResponse("the stream has a message without end")

    def _read_field(self, line: bytes) -> None:
        self._size += len(line)
        name, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            self._last_id = value
        elif name == "data":
            self._data.append(value)

    def _end_message(self) -> Iterator[ServerSentEvent]:
        message = ServerSentEvent(id=self._last_id, data="\n".join(self._data))
        if message.data or message.id != self._reported_id:
            yield message
        self._reported_id = message.id
        self._data.clear()
        self._size = 0


@define(eq=False)
class _Reader(Protocol):
    """Passes on the body of a response as it arrives; ``done`` fires at its end."""

    receive: Callable[[bytes], None]
    clock: IReactorTime
    done: Deferred[None] = field(init=False)
    _timeout: IDelayedCall = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.done = Deferred(lambda _: self._disconnect())
        self._timeout = self.clock.callLater(READ_TIMEOUT, self._fail, defer.TimeoutError())

    def dataReceived(self, data: bytes) -> None:
        if self.done.called:
            return
        self._timeout.reset(READ_TIMEOUT)
        try:
            self.receive(data)
        except Exception as error:  # any error ends the stream, and `done` reports it
            self._fail(error)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        self._timeout.cancel()
        self.done.callback(None if reason.check(ResponseDone, PotentialDataLoss) else reason)

    def _fail(self, error: Exception) -> None:
        self._disconnect()
        self.done.errback(error)

    def _disconnect(self) -> None:
        if self._timeout.active():
            self._timeout.cancel()
        abort = getattr(self.transport, "abortConnection", None)
        if abort is not None:
            abort()


def read_stream(response: IResponse, receive: Callable[[bytes], None], clock: IReactorTime) -> Deferred[None]:
    """Pass each piece of the body of ``response`` to ``receive``; fires at its end. Cancelling it disconnects.

    It fails with :exc:`twisted.internet.defer.TimeoutError` after :data:`READ_TIMEOUT`, or with what ``receive``
    raises.
    """
    reader = _Reader(receive, clock)
    response.deliverBody(reader)
    return reader.done
