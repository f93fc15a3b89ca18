"""Posting: one request to a receiver, one answer, and only so much patience."""

from collections.abc import Mapping
from typing import NoReturn

from attrs import define, evolve, frozen
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IConsumer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import RequestGenerationFailed, RequestTransmissionFailed, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from pushd.core.egress_policy import EgressRefused
from pushd.lib import strict_json
from pushd.lib.http_client import cause_of

TIMEOUT = 10.0
"""Seconds from the attempt's beginning to the answer's end."""

MAX_READ = 64 * 1024
"""Bytes of an answer's body after which we hang up."""

MAX_KEPT = 1024
"""Bytes of an answer's body that are kept for the log."""

GONE = 410

_BROKEN = (
    ConnectError,
    ConnectionClosed,
    DNSLookupError,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
    EgressRefused,
    TimeoutError,
)
"""What Agent raises when a request goes wrong on its way, and so no bug of ours."""

_log = Logger()


@frozen(kw_only=True)
class Answer:
    """What became of one request: the status that was answered, or what went wrong."""

    status: int | None = None
    retry_after: str | None = None
    error: str | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300


@define(eq=False)
class WebhookSender:
    """Posts messages; follows no redirect, and keeps no cookie."""

    agent: IAgent
    clock: IReactorTime

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a message, and read what is answered within :data:`TIMEOUT` seconds; never fails, unless cancelled."""
        until = self.clock.seconds() + TIMEOUT
        sent = Headers({name: [value] for name, value in headers.items()})
        asking = self.agent.request(b"POST", url.encode("ascii"), sent, _Whole(body))
        asking.addTimeout(TIMEOUT, self.clock, onTimeoutCancel=_gave_up)
        try:
            response = await asking
        except CancelledError:
            raise
        except _BROKEN as error:
            return Answer(error=strict_json.one_line(_reason(error)))
        except Exception as error:
            _log.failure("A webhook's message could not be sent")
            return Answer(error=type(error).__name__)
        return await self._read(response, until)

    async def _read(self, response: IResponse, until: float) -> Answer:
        """The status counts, whatever becomes of the body; that is read so that the connection can be used again."""
        body = _Excerpt()
        response.deliverBody(body)
        body.done.addTimeout(max(until - self.clock.seconds(), 0), self.clock, onTimeoutCancel=lambda *_: None)
        await body.done
        (after, *_) = response.headers.getRawHeaders("retry-after") or [None]
        answer = Answer(status=response.code, retry_after=after)
        return answer if answer.delivered else evolve(answer, error=strict_json.one_line(body.text) or None)


@implementer(IBodyProducer)
@define(eq=False)
class _Whole:
    """A body that is small enough to be sent at once."""

    body: bytes

    @property
    def length(self) -> int:
        return len(self.body)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self.body)
        return succeed(None)

    def stopProducing(self) -> None:
        pass

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass


class _Excerpt(Protocol):
    """Reads a body to its end, keeping its beginning; ``done`` fires then, and cancelling it hangs up."""

    def __init__(self) -> None:
        self.done: Deferred[None] = Deferred(self._hang_up)
        self._kept = b""
        self._read = 0

    @property
    def text(self) -> str:
        """The beginning."""
        return self._kept.decode("utf-8", "replace")

    def dataReceived(self, data: bytes) -> None:
        self._kept += data[: MAX_KEPT - len(self._kept)]
        self._read += len(data)
        if self._read > MAX_READ:
            self._hang_up(self.done)
            self._end()

    def connectionLost(self, _reason: Failure = connectionDone) -> None:
        self._end()

    def _end(self) -> None:
        if not self.done.called:
            self.done.callback(None)

    def _hang_up(self, _done: Deferred[None]) -> None:
        assert self.transport is not None
        self.transport.loseConnection()


def _gave_up(_outcome: object, seconds: float) -> NoReturn:
    raise TimeoutError(f"no answer within {seconds:g} s")


def _reason(error: Exception) -> str:
    cause = cause_of(error)
    return str(cause) or type(cause).__name__
