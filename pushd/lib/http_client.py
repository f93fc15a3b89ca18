"""What clients of Twisted's HTTP Agent share: its errors, and a reader of response bodies."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed, DNSLookupError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import RequestGenerationFailed, RequestTransmissionFailed, ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IResponse

NEVER_SENT = (ConnectError, DNSLookupError)
"""Errors after which the server has not received any part of the request."""

CONNECTION_LOST = (ConnectionClosed, RequestGenerationFailed, RequestTransmissionFailed, ResponseFailed)
"""Errors after which the server may have received the request."""

CANCELLED = (CancelledError, ConnectingCancelledError)
"""Errors of a request that was cancelled, if they are the :func:`cause_of` what Agent raised."""


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
    connection is lost; cancelling it closes the connection.
    """

    def __init__(self, keep: int | None = None, limit: int | None = None) -> None:
        self.done: Deferred[None] = Deferred(lambda _: self._close())
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


def read_body(response: IResponse) -> Deferred[bytes]:
    """The whole body of a response; cancelling the result closes the connection, unlike :func:`treq.content`."""
    reader = BodyReader()
    response.deliverBody(reader)
    return reader.done.addCallback(lambda _: reader.body)


def close(response: IResponse) -> None:
    """Close the connection of a response without reading its body."""
    read_body(response).addErrback(lambda _: b"").cancel()
