"""One HTTP request to the server, and every way in which it can fail."""

import json
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from attrs import define, field, frozen
from hyperlink import DecodedURL
from treq.client import HTTPClient
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.http_headers import Headers

from pushd.lib.http_client import (
    CONNECTION_LOST,
    NEVER_SENT,
    ResponseTooLarge,
    cause_of,
    describe,
    read_body,
    unwrap_cancellation,
)
from pushd.pushctl.errors import UnexpectedResponse, Unreachable, refused
from pushd.pushctl.sse import READ_TIMEOUT, read_stream

T = TypeVar("T")
Json = dict[str, Any]
Query = Sequence[tuple[str, str]]

REQUEST_TIMEOUT = 30.0
"""Seconds that a response may take, beyond those that the server was asked to wait."""


@frozen(kw_only=True)
class ApiRequest:
    """A request to the admin API; ``path`` is below the server's URL, ``timeout`` is in seconds."""

    method: str = "GET"
    path: Sequence[str]
    query: Query = ()
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(factory=dict)
    timeout: float = REQUEST_TIMEOUT


@define(eq=False)
class Connection:
    """Sends requests to one server, with one token."""

    _treq: HTTPClient
    _base: DecodedURL
    _token: str = field(repr=False)
    clock: IReactorTime

    async def fetch_json(self, request: ApiRequest) -> Json:
        """The JSON object in the response.

        :raises ClientError: if there is none, or its status is an error.
        """
        status, body = await self.fetch(request)
        answer = _object(body)
        if status >= 400:
            raise refused(status, answer or {})
        if answer is None:
            raise UnexpectedResponse(f"the answer ({status}) is not a JSON object: is this the admin port of pushd?")
        return answer

    async def fetch(self, request: ApiRequest) -> tuple[int, bytes]:
        """The status and the body of the response, whatever they are.

        :raises Unreachable: if there is no response.
        """
        return await self._with_timeout(self._status_and_body(request), request.timeout)

    async def stream(self, request: ApiRequest, receive: Callable[[bytes], None]) -> None:
        """Pass each piece of the response body to ``receive``, until its end.

        :raises ClientError: if there is no response, its status is an error, or the connection is lost.
        """
        response = await self._with_timeout(self._send(request), request.timeout)
        if response.code >= 400:
            body = await self._with_timeout(read_body(response), request.timeout)
            raise refused(response.code, _object(body) or {})
        with self._client_errors(READ_TIMEOUT):
            await read_stream(response, receive, self.clock).addErrback(unwrap_cancellation)

    async def _with_timeout(self, work: Coroutine[Deferred[Any], Any, T] | Deferred[T], timeout: float) -> T:
        with self._client_errors(timeout):
            return await defer.ensureDeferred(work).addErrback(unwrap_cancellation).addTimeout(timeout, self.clock)

    @contextmanager
    def _client_errors(self, timeout: float) -> Iterator[None]:
        """Turn the errors of Twisted's HTTP client into :exc:`Unreachable`."""
        where = f"{self._base.host}:{self._base.port}"
        try:
            yield
        except defer.TimeoutError:
            raise Unreachable(f"{where} did not answer within {timeout:g} s") from None
        except NEVER_SENT as error:
            raise Unreachable(
                f"cannot connect to {where} (is pushd running there?): {error}", never_sent=True
            ) from None
        except CONNECTION_LOST as error:
            if isinstance(cause_of(error), ResponseTooLarge):
                raise UnexpectedResponse(f"{describe(error)}: is this the admin port of pushd?") from None
            raise Unreachable(f"{where} closed the connection without an answer: {describe(error)}") from None

    async def _status_and_body(self, request: ApiRequest) -> tuple[int, bytes]:
        response = await self._send(request)
        return response.code, await read_body(response)

    async def _send(self, request: ApiRequest) -> Any:
        headers = Headers({name: [value] for name, value in request.headers.items()})
        headers.setRawHeaders("Authorization", [f"Bearer {self._token}"])
        data = None
        if request.body is not None:
            headers.setRawHeaders("Content-Type", ["application/json"])
            data = json.dumps(request.body, allow_nan=False).encode("ascii")
        url = self._base.child(*request.path).replace(query=request.query)
        # a redirect would send the token to another server; a buffer would keep all events of a stream
        return await self._treq.request(
            request.method, url, headers=headers, data=data, allow_redirects=False, unbuffered=True
        )


def _object(body: bytes) -> Json | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
