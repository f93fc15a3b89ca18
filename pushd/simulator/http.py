"""A simulated device's own line to the server: one question, one answer, and only so much patience."""

from collections.abc import Mapping
from typing import NoReturn

from attrs import frozen
from hyperlink import DecodedURL
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.web.client import HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from pushd.lib.http_client import CANCELLED, CONNECTION_LOST, NEVER_SENT, cause_of, close, describe, read_body

_JSON = Headers({"Content-Type": ["application/json"]})


class NoAnswer(Exception):
    """The server did not answer, or not with 200; the message says why in a few words."""


class HungUp(NoAnswer):
    """We did not wait for the answer: whoever asked knows why."""


@frozen(kw_only=True)
class Reading:
    """How an answer is read: not before ``late`` seconds after it began, or not at all where the connection is
    ``cut``.
    """

    late: float = 0.0
    cut: bool = False


AT_ONCE = Reading()


@frozen(kw_only=True)
class Line:
    """What asks the server at ``root`` on behalf of one device."""

    treq: HTTPClient
    clock: IReactorTime
    root: DecodedURL
    kept: HTTPConnectionPool | None = None
    """The connections that are kept between questions."""

    def hang_up(self) -> Deferred[None]:
        """Close what is kept open; fires when it is closed. A question that is asked right now is its asker's to
        cancel.
        """
        return succeed(None) if self.kept is None else self.kept.closeCachedConnections()

    async def get(self, *path: str, query: Mapping[str, str], patience: float, reading: Reading = AT_ONCE) -> bytes:
        """What the server answers with 200 within ``patience`` seconds.

        :raises NoAnswer: if it does not, or we do not read it.
        """
        return await self._ask("GET", path, query, None, patience, reading)

    async def post(
        self, *path: str, query: Mapping[str, str], patience: float, body: bytes = b"", reading: Reading = AT_ONCE
    ) -> bytes:
        """The same, having told the server ``body``, which is JSON or empty.

        :raises NoAnswer: if it does not, or we do not read it.
        """
        return await self._ask("POST", path, query, body, patience, reading)

    async def _ask(
        self,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, str],
        body: bytes | None,
        patience: float,
        reading: Reading,
    ) -> bytes:
        url = self.root.child(*path).replace(query=tuple(query.items()))
        asking = Deferred.fromCoroutine(self._exchange(method, url, body, reading))
        asking.addTimeout(patience, self.clock, onTimeoutCancel=_gave_up)
        try:
            return await asking
        except (*CANCELLED, *NEVER_SENT, *CONNECTION_LOST) as error:
            raise _no_answer(error) from error

    async def _exchange(self, method: str, url: DecodedURL, body: bytes | None, reading: Reading) -> bytes:
        response = await self.treq.request(
            method, url, data=body, headers=_JSON if body else None, allow_redirects=False, unbuffered=True
        )
        if reading.cut:
            close(response)
            raise NoAnswer("the connection was cut")
        if reading.late:
            await self._leave_unread(response, reading.late)
        answer = await read_body(response)
        if response.code != 200:
            raise NoAnswer(f"HTTP {response.code}")
        return answer

    async def _leave_unread(self, response: IResponse, seconds: float) -> None:
        try:
            await deferLater(self.clock, seconds)
        except CancelledError:
            close(response)
            raise


def _gave_up(_outcome: object, patience: float) -> NoReturn:
    raise NoAnswer(f"no answer within {patience:g} s")


def _no_answer(error: Exception) -> NoAnswer:
    return HungUp("hung up") if isinstance(cause_of(error), CancelledError) else NoAnswer(describe(error))
