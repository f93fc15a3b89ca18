"""One HTTP request to the server, and every way in which it can fail."""

import json
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from attrs import define, field, frozen
from hyperlink import DecodedURL, EncodedURL
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
from pushd.model.admin_api import FAILED_PROXY, PROBLEM_TYPE, not_from_pushd
from pushd.pushctl.errors import (
    ClientError,
    NotAdminPort,
    UnexpectedResponse,
    Unreachable,
    certificate_problem,
    refused,
)
from pushd.pushctl.server_address import host_and_port
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


PROBE_TIMEOUT = 5.0
"""Seconds that a server has to say whether it speaks TLS."""


@frozen(kw_only=True)
class ApiResponse:
    """A response, whatever its status is."""

    status: int
    content_type: str
    body: bytes = field(repr=False)


@define(eq=False, kw_only=True)
class Connection:
    """Sends requests to one server, with one token, or with none if that is empty.

    ``token_source`` is what errors call the token; ``remedy`` is what they advise if nothing listens there.
    """

    _treq: HTTPClient
    _base: DecodedURL
    _token: str = field(repr=False)
    clock: IReactorTime
    _token_source: str = ""
    _remedy: str = ""

    async def fetch_json(self, request: ApiRequest) -> Json:
        """The JSON object in the response; an empty one for 204 (no content).

        :raises ClientError: if there is none, or its status is an error.
        """
        response = await self.fetch(request)
        if response.status >= 400:
            raise self._error(response)
        answer = {} if response.status == 204 else _object(response.body)
        if answer is None:
            raise UnexpectedResponse(self._not_from_pushd(response))
        return answer

    async def fetch(self, request: ApiRequest) -> ApiResponse:
        """The response, whatever it is.

        :raises Unreachable: if there is none.
        """
        try:
            return await self._with_timeout(self._whole_response(request), request.timeout)
        except Unreachable as error:
            if self._token and not error.never_sent and await self._answers_to_other_scheme():
                speaks = "does not speak TLS" if self._base.scheme == "https" else "speaks TLS"
                other = self._other_scheme
                raise Unreachable(f"the server {speaks} at {self._where}: use {other}://", never_sent=True) from None
            raise

    @property
    def _other_scheme(self) -> str:
        return "http" if self._base.scheme == "https" else "https"

    async def _answers_to_other_scheme(self) -> bool:
        """Whether the server is there, with TLS instead of without, or without instead of with; it gets no token."""
        base = with_scheme(self._base, self._other_scheme)
        other = Connection(treq=self._treq, base=base, token="", clock=self.clock)
        try:
            return (await other.fetch(ApiRequest(path=["healthz"], timeout=PROBE_TIMEOUT))).status == 200
        except ClientError as error:
            return certificate_problem(error) is not None

    async def stream(self, request: ApiRequest, receive: Callable[[bytes], None]) -> None:
        """Pass each piece of the response body to ``receive``, until its end.

        :raises ClientError: if there is no response, its status is an error, or the connection is lost.
        """
        response = await self._with_timeout(self._send(request), request.timeout)
        if response.code >= 400:
            raise self._error(await self._with_timeout(_read(response), request.timeout))
        with self._client_errors(READ_TIMEOUT):
            await read_stream(response, receive, self.clock).addErrback(unwrap_cancellation)

    async def _with_timeout(self, work: Coroutine[Deferred[Any], Any, T] | Deferred[T], timeout: float) -> T:
        with self._client_errors(timeout):
            return await defer.ensureDeferred(work).addErrback(unwrap_cancellation).addTimeout(timeout, self.clock)

    @contextmanager
    def _client_errors(self, timeout: float) -> Iterator[None]:
        """Turn the errors of Twisted's HTTP client into :exc:`Unreachable`."""
        where = self._where
        try:
            yield
        except defer.TimeoutError:
            raise Unreachable(f"{where} did not answer within {timeout:g} s") from None
        except NEVER_SENT as error:
            advice = f"is pushd running there? {self._remedy}".rstrip()
            raise Unreachable(
                f"cannot connect to {self._base.to_text()} ({advice}): {error}", never_sent=True
            ) from None
        except CONNECTION_LOST as error:
            if isinstance(cause_of(error), ResponseTooLarge):
                raise UnexpectedResponse(describe(error)) from None
            raise Unreachable(f"{where} closed the connection without an answer: {describe(error)}") from None

    @property
    def _where(self) -> str:
        return host_and_port(self._base)

    def _error(self, response: ApiResponse) -> ClientError:
        """The error for a response with an error status."""
        if response.status == 404 and response.content_type != PROBLEM_TYPE:
            return NotAdminPort(self._where)
        problem = _object(response.body) if response.content_type == PROBLEM_TYPE else None
        if problem is not None:
            return refused(response.status, problem, self._token_source)
        if response.status in FAILED_PROXY:
            return Unreachable(self._not_from_pushd(response))
        return UnexpectedResponse(self._not_from_pushd(response))

    def _not_from_pushd(self, response: ApiResponse) -> str:
        return not_from_pushd(self._base.to_text(), response.status)

    async def _whole_response(self, request: ApiRequest) -> ApiResponse:
        return await _read(await self._send(request))

    async def _send(self, request: ApiRequest) -> Any:
        headers = Headers({name: [value] for name, value in request.headers.items()})
        if self._token:
            headers.setRawHeaders("Authorization", [f"Bearer {self._token}"])
        data = None
        if request.body is not None:
            headers.setRawHeaders("Content-Type", ["application/json"])
            data = json.dumps(request.body, allow_nan=False).encode("ascii")
        url = _encoded(self._base.child(*request.path).replace(query=request.query))
        # a redirect would send the token to another server; a buffer would keep all events of a stream
        return await self._treq.request(
            request.method, url, headers=headers, data=data, allow_redirects=False, unbuffered=True
        )


def with_scheme(url: DecodedURL, scheme: str) -> DecodedURL:
    """The same host and port, with or without TLS."""
    return url.replace(scheme=scheme, port=url.port)


class _EncodedURL(EncodedURL):
    """A URL that is encoded already."""

    def to_uri(self) -> EncodedURL:
        """The URL itself."""
        return self


def _encoded(url: DecodedURL) -> EncodedURL:
    """A URL as treq can send it: hyperlink fails to encode an IPv6 address, which is not to be encoded."""
    if ":" not in url.host:
        return url.encoded_url
    named = url.encoded_url.replace(host="localhost").to_uri()
    return _EncodedURL(
        scheme=url.scheme, host=url.host, port=url.port, path=named.path, query=named.query, rooted=True
    )


async def _read(response: Any) -> ApiResponse:
    content_type = (response.headers.getRawHeaders("content-type") or [""])[0]
    return ApiResponse(
        status=response.code,
        content_type=content_type.partition(";")[0].strip().lower(),
        body=await read_body(response),
    )


def _object(body: bytes) -> Json | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
