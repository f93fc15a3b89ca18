"""
A simulated device's own line to the server: one question, one answer, and only so much patience.
"""

from collections.abc import Mapping
from typing import NoReturn

from attrs import frozen
from hyperlink import DecodedURL
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import RequestGenerationFailed, RequestTransmissionFailed, ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

_BROKEN = (
    CancelledError,
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    DNSLookupError,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
)
"""What Agent raises when a request goes wrong on its way, and so no bug of ours."""

_JSON = Headers({"Content-Type": ["application/json"]})


class NoAnswer(Exception):
    """
    The server did not answer, or not with 200; the message says why in a few words.
    """


@frozen(kw_only=True)
class Line:
    """
    What asks the server at ``root`` on behalf of one device.
    """

    treq: HTTPClient
    clock: IReactorTime
    root: DecodedURL

    async def get(self, *path: str, query: Mapping[str, str], patience: float, cut: bool = False) -> bytes:
        """
        What the server answers with 200 within ``patience`` seconds; with ``cut`` we hang up as soon as it begins to.

        :raises NoAnswer: if it does not.
        """
        return await self._ask("GET", path, query, None, patience, cut)

    async def post(self, *path: str, query: Mapping[str, str], patience: float, body: bytes = b"") -> bytes:
        """
        The same, having told the server ``body``, which is JSON or empty.

        :raises NoAnswer: if it does not.
        """
        return await self._ask("POST", path, query, body, patience, False)

    async def _ask(
        self,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, str],
        body: bytes | None,
        patience: float,
        cut: bool,
    ) -> bytes:
        url = self.root.child(*path).replace(query=tuple(query.items()))
        asking = Deferred.fromCoroutine(self._exchange(method, url, body, cut))
        asking.addTimeout(patience, self.clock, onTimeoutCancel=_gave_up)
        try:
            return await asking
        except _BROKEN as error:
            raise NoAnswer(_reason(error)) from error

    async def _exchange(self, method: str, url: DecodedURL, body: bytes | None, cut: bool) -> bytes:
        response = await self.treq.request(
            method, url, data=body, headers=_JSON if body else None, allow_redirects=False, unbuffered=True
        )
        reading = _read(response)
        if cut:
            reading.addErrback(lambda _: b"").cancel()
            raise NoAnswer("the connection was cut")
        answer = await reading
        if response.code != 200:
            raise NoAnswer(f"HTTP {response.code}")
        return answer


class _Body(Protocol):
    """
    Collects the body of an answer; cancelling ``whole`` closes the connection, which Agent's own reader cannot do.
    """

    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred(self._hang_up)
        self._parts: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        self._parts.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.whole.called:  # we hung up ourselves
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.whole.callback(b"".join(self._parts))
        else:
            self.whole.errback(reason)

    def _hang_up(self, _whole: Deferred[bytes]) -> None:
        assert self.transport is not None
        self.transport.loseConnection()


def _read(response: IResponse) -> Deferred[bytes]:
    body = _Body()
    response.deliverBody(body)
    return body.whole


def _gave_up(_outcome: object, patience: float) -> NoReturn:
    raise NoAnswer(f"no answer within {patience:g} s")


def _reason(error: Exception) -> str:
    """
    The first of the failures that Agent collects, in its own words.
    """
    reasons = getattr(error, "reasons", None)
    cause = reasons[0].value if reasons else error
    return "hung up" if isinstance(cause, CancelledError) else str(cause) or type(cause).__name__
