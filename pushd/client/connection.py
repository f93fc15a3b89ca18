"""
One request to the server and its answer, whatever may happen on the way.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field, frozen
from hyperlink import DecodedURL
from treq.client import HTTPClient
from twisted.internet import defer
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.client import RequestGenerationFailed, RequestTransmissionFailed, ResponseFailed
from twisted.web.http_headers import Headers

from pushd.client.errors import Unintelligible, Unreachable, refusal

Json = dict[str, Any]
Query = Sequence[tuple[str, str]]

PATIENCE = 30.0
"""Seconds that an answer may take, beyond what the server was asked to wait."""

_NEVER_SENT = (ConnectError, DNSLookupError)
_LOST = (ResponseFailed, RequestGenerationFailed, RequestTransmissionFailed, ConnectionClosed)


@frozen(kw_only=True)
class Call:
    """
    What is asked: a path below the server's URL, and how long the answer may take.
    """

    method: str = "GET"
    path: Sequence[str]
    query: Query = ()
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(factory=dict)
    patience: float = PATIENCE


@define(eq=False)
class Connection:
    """
    Asks one server, by one token.
    """

    _treq: HTTPClient
    _base: DecodedURL
    _token: str = field(repr=False)
    clock: IReactorTime

    async def ask(self, call: Call) -> Json:
        """
        The JSON object that the server answers with.

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
        """
        The status and the body of the answer, whatever they are.

        :raises Unreachable: if there is no answer.
        """
        where = f"{self._base.host}:{self._base.port}"
        talk = defer.ensureDeferred(self._talk(call)).addErrback(_unwrap)
        try:
            return await talk.addTimeout(call.patience, self.clock)
        except defer.TimeoutError:
            raise Unreachable(f"{where} did not answer within {call.patience:g} s") from None
        except _NEVER_SENT as error:
            raise Unreachable(f"cannot connect to {where} (does pushd run there?): {error}", never_sent=True) from None
        except _LOST as error:
            raise Unreachable(f"{where} hung up without an answer: {_reason(error)}") from None

    async def _talk(self, call: Call) -> tuple[int, bytes]:
        headers = Headers({name: [value] for name, value in call.headers.items()})
        headers.setRawHeaders("Authorization", [f"Bearer {self._token}"])
        data = None
        if call.body is not None:
            headers.setRawHeaders("Content-Type", ["application/json"])
            data = json.dumps(call.body, allow_nan=False).encode("ascii")
        url = self._base.child(*call.path).replace(query=call.query)
        # a redirect would carry the token to wherever it points
        response = await self._treq.request(call.method, url, headers=headers, data=data, allow_redirects=False)
        return response.code, await response.content()


def _unwrap(failure: Failure) -> Failure:
    """
    A request that was cancelled says so in its own words; say it in everybody's.
    """
    reasons = getattr(failure.value, "reasons", None) or [failure]
    if reasons[0].check(defer.CancelledError, ConnectingCancelledError):
        raise defer.CancelledError
    return failure


def _reason(error: Exception) -> str:
    reasons = getattr(error, "reasons", None)
    return str(reasons[0].getErrorMessage() if reasons else error)


def _object(body: bytes) -> Json | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
