"""Reading server-sent events (WHATWG HTML, "Server-sent events") as they arrive."""

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

from pushd.pushctl.errors import Unintelligible

LONGEST = 1024 * 1024
"""Bytes of one message; an event has some thousand."""

SILENCE = 45.0
"""Seconds without a byte after which a connection is lost, whatever the network says; the server speaks every 15."""


@frozen(kw_only=True)
class Message:
    """What a stream told: where it is, and an event's data unless there is none."""

    id: str
    data: str


@define(eq=False)
class Messages:
    """Makes messages of bytes that are cut anywhere."""

    longest: int = LONGEST
    _line: bytearray = field(factory=bytearray, init=False)
    _place: str = field(default="", init=False)
    _told: str = field(default="", init=False)
    _data: list[str] = field(factory=list, init=False)
    _size: int = field(default=0, init=False)

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are complete with these bytes.

        :raises Unintelligible: if there is no end of one.
        """
        *lines, rest = data.split(b"\n")
        for line in lines:
            whole = bytes(self._line + line).removesuffix(b"\r")
            self._line.clear()
            if whole:
                self._take(whole)
            else:
                yield from self._complete()
        self._line += rest
        if self._size + len(self._line) > self.longest:
            raise Unintelligible("the stream has a message without end: is this the admin port of pushd?")

    def _take(self, line: bytes) -> None:
        self._size += len(line)
        name, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            self._place = value
        elif name == "data":
            self._data.append(value)

    def _complete(self) -> Iterator[Message]:
        told = Message(id=self._place, data="\n".join(self._data))
        if told.data or told.id != self._told:
            yield told
        self._told = told.id
        self._data.clear()
        self._size = 0


@define(eq=False)
class _Body(Protocol):
    """The body of an answer; ends with ``done``."""

    receive: Callable[[bytes], None]
    clock: IReactorTime
    done: Deferred[None] = field(init=False)
    _late: IDelayedCall = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.done = Deferred(lambda _: self._hang_up())
        self._late = self.clock.callLater(SILENCE, self._fail, defer.TimeoutError())

    def dataReceived(self, data: bytes) -> None:
        """A piece of it is here."""
        if self.done.called:
            return
        self._late.reset(SILENCE)
        try:
            self.receive(data)
        except Exception as error:  # whatever it is, it ends the reading, and is told to who reads
            self._fail(error)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """All of it is here, or no more will come."""
        if self.done.called:
            return
        self._late.cancel()
        self.done.callback(None if reason.check(ResponseDone, PotentialDataLoss) else reason)

    def _fail(self, error: Exception) -> None:
        self._hang_up()
        self.done.errback(error)

    def _hang_up(self) -> None:
        if self._late.active():
            self._late.cancel()
        abort = getattr(self.transport, "abortConnection", None)
        if abort is not None:
            abort()


def deliver(response: IResponse, receive: Callable[[bytes], None], clock: IReactorTime) -> Deferred[None]:
    """Hand on the body of an answer piece by piece; fires at its end. Cancelling it hangs up.

    It fails with :exc:`twisted.internet.defer.TimeoutError` if the server falls silent, or with what ``receive``
    raises.
    """
    body = _Body(receive, clock)
    response.deliverBody(body)
    return body.done
