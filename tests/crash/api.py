"""The admin API as the operator uses it: asks until there is an answer, for the server may be away."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field
from hyperlink import DecodedURL
from treq.client import HTTPClient
from twisted.internet import defer
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.web.client import RequestGenerationFailed, RequestTransmissionFailed, ResponseFailed
from twisted.web.http_headers import Headers

Json = dict[str, Any]

_PATIENCE = 6.0
_ASK_AGAIN = 0.3
_PAGE = "500"
_UNAVAILABLE = 503

_LOST = (
    defer.CancelledError,
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
    defer.TimeoutError,
)
"""No answer came; what was asked may have been done."""


@define(eq=False, kw_only=True)
class Api:
    """The server's admin port."""

    treq: HTTPClient
    clock: IReactorTime
    root: DecodedURL
    token: str
    check: Callable[[], object]
    """Called before the same is asked again; raises if there is no use."""
    lost: Counter[str] = field(factory=Counter, init=False)
    """How often no answer came, or 503."""

    async def get(self, *path: str, **query: str) -> Json:
        """What the API shows."""
        _, answer = await self.ask("GET", *path, query=query)
        return answer

    async def all(self, *path: str, **query: str) -> list[Json]:
        """A whole list, page by page."""
        page = await self.get(*path, **query, limit=_PAGE)
        items: list[Json] = page["items"]
        while page["next"] is not None:
            page = await self.get(*path, **query, limit=_PAGE, cursor=page["next"])
            items += page["items"]
        return items

    async def feed(self, after: str | None = None, wait: float = 0) -> tuple[list[Json], str]:
        """A piece of the feed, and where it goes on."""
        start = {} if after is None else {"after": after}
        page = await self.get("events", **start, limit=_PAGE, wait=str(wait))
        return page["items"], page["next"]

    async def post(self, *path: str, body: Mapping[str, Any], key: str | None = None) -> tuple[int, Json]:
        """The status and the answer to something that is to be done."""
        return await self.ask("POST", *path, body=body, key=key)

    async def ask(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> tuple[int, Json]:
        """The status and the answer, however often it must be asked for."""
        url = self.root.child("v1", *path).replace(query=tuple((query or {}).items()))
        headers = Headers({"Authorization": [f"Bearer {self.token}"]})
        if key is not None:
            headers.setRawHeaders("Idempotency-Key", [key])
        while True:
            asking = defer.Deferred.fromCoroutine(self._exchange(method, url, body, headers))
            asking.addTimeout(_PATIENCE, self.clock)
            try:
                status, answer = await asking
            except _LOST:
                self.lost["unanswered"] += 1
            else:
                if status != _UNAVAILABLE:
                    return status, answer
                self.lost["unavailable"] += 1
            self.check()
            await deferLater(self.clock, _ASK_AGAIN)

    async def _exchange(
        self, method: str, url: DecodedURL, body: Mapping[str, Any] | None, headers: Headers
    ) -> tuple[int, Json]:
        response = await self.treq.request(
            method,
            url,
            headers=headers,
            data=None if body is None else json.dumps(body).encode(),
        )
        return response.code, _object(await response.content())


def _object(body: bytes) -> Json:
    """The object in an answer; none if it is no JSON, and then the status says why."""
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
