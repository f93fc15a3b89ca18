"""One request to the server and its answer, whatever may happen on the way."""

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

from pushd.lib.http_client import CONNECTION_LOST, NEVER_SENT, describe, unwrap_cancellation
from pushd.pushctl.errors import Unintelligible, Unreachable, refusal
from pushd.pushctl.sse import SILENCE, deliver

T = TypeVar("T")
Json = dict[str, Any]
Query = Sequence[tuple[str, str]]

PATIENCE = 30.0
"""Seconds that an answer may take, beyond what the server was asked to wait."""


@frozen(kw_only=True)
class Call:
    """What is asked: a path below the server's URL, and how long the answer may take."""

    method: str = "GET"
    path: Sequence[str]
    query: Query = ()
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(factory=dict)
    patience: float = PATIENCE


@define(eq=False)
class Connection:
    """Asks one server, by one token."""

    _treq: HTTPClient
    _base: DecodedURL
    _token: str = field(repr=False)
    clock: IReactorTime

    async def ask(self, call: Call) -> Json:
        """The JSON object that the server answers with.

        :raises ClientError: if there is none, or the server refuses.
        """
        status, body = await self.exchange(call)
        answer = _object(body)
        if status >= 400:
            raise refusal(status, answer or {})
        if answer is None:
            raise Unintelligible(f"the answer ({status}) is not a JSON object: is this the admin port of pushd?")
        return answer

    async def exchange(self, call: Call) -> tuple[int, bytes]:
        """The status and the body of the answer, whatever they are.

        :raises Unreachable: if there is no answer.
        """
        return await self._patiently(self._talk(call), call.patience)

    async def stream(self, call: Call, receive: Callable[[bytes], None]) -> None:
        """Hand on what the server answers with, piece by piece, until its end.

        :raises ClientError: if there is no answer, it breaks off or falls silent, or the server refuses.
        """
        response = await self._patiently(self._request(call), call.patience)
        if response.code >= 400:
            raise refusal(response.code, _object(await self._patiently(response.content(), call.patience)) or {})
        with self._telling(SILENCE):
            await deliver(response, receive, self.clock).addErrback(unwrap_cancellation)

    async def _patiently(self, talk: Coroutine[Deferred[Any], Any, T] | Deferred[T], patience: float) -> T:
        with self._telling(patience):
            return await defer.ensureDeferred(talk).addErrback(unwrap_cancellation).addTimeout(patience, self.clock)

    @contextmanager
    def _telling(self, patience: float) -> Iterator[None]:
        """Say in the operator's words why there is no answer."""
        where = f"{self._base.host}:{self._base.port}"
        try:
            yield
        except defer.TimeoutError:
            raise Unreachable(f"{where} did not answer within {patience:g} s") from None
        except NEVER_SENT as error:
            raise Unreachable(f"cannot connect to {where} (does pushd run there?): {error}", never_sent=True) from None
        except CONNECTION_LOST as error:
            raise Unreachable(f"{where} hung up without an answer: {describe(error)}") from None

    async def _talk(self, call: Call) -> tuple[int, bytes]:
        response = await self._request(call)
        return response.code, await response.content()

    async def _request(self, call: Call) -> Any:
        headers = Headers({name: [value] for name, value in call.headers.items()})
        headers.setRawHeaders("Authorization", [f"Bearer {self._token}"])
        data = None
        if call.body is not None:
            headers.setRawHeaders("Content-Type", ["application/json"])
            data = json.dumps(call.body, allow_nan=False).encode("ascii")
        url = self._base.child(*call.path).replace(query=call.query)
        # a redirect would carry the token to wherever it points, and a buffer would keep all that a stream ever told
        return await self._treq.request(
            call.method, url, headers=headers, data=data, allow_redirects=False, unbuffered=True
        )


def _object(body: bytes) -> Json | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
