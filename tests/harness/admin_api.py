"""A client of the admin API that repeats each request until it is answered, because the server may be down."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import define
from hyperlink import DecodedURL
from treq.client import HTTPClient
from twisted.internet import defer
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.web.client import RequestGenerationFailed, RequestTransmissionFailed, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

Json = dict[str, Any]

_REQUEST_TIMEOUT = 6.0
_FSCK_TIMEOUT = 60.0
_RETRY_DELAY = 0.3
_MAX_RETRY = 180.0
"""Seconds after which a server that does not answer, or not with another status than 503, is taken for broken: on a
busy machine, kills may cut a request that waits again and again.
"""

_PAGE_LIMIT = "500"
OK = 200
UNAVAILABLE = 503
_OF_PROXY = (502, 504)
"""Statuses of a proxy whose server has not answered: it may have processed the request."""

_NO_ANSWER = (
    defer.CancelledError,
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
    defer.TimeoutError,
)
"""The request was not answered; the server may have processed it."""


class ServerFailed(Exception):
    """The server exited by itself, did not become ready, did not stop, serves nothing, or has lost an event."""


def is_in_doubt(unavailable: Json) -> bool:
    """Whether a 503 says that what was requested may be stored nevertheless."""
    return str(unavailable.get("type")).endswith("outcome-in-doubt")


def _always(_answer: Json) -> bool:
    return True


@define(eq=False, kw_only=True)
class AdminApi:
    """The server's admin API."""

    treq: HTTPClient
    clock: IReactorTime
    root: DecodedURL
    token: str
    check: Callable[[], object]
    """Called before each retry; raises an exception if a retry is useless."""

    async def get(self, *path: str, **query: str) -> Json:
        """GET a resource."""
        _, answer = await self.request("GET", *path, query=query)
        return answer

    async def once(self, *path: str) -> Json:
        """GET a resource, and do not repeat that; empty if the status is not 200."""
        status, answer = await self._exchange("GET", self.root.child("v1", *path), None, self._headers())
        return answer if status == OK else {}

    async def violations(self) -> list[Json]:
        """GET the integrity violations; the server reads its whole database."""
        _, answer = await self.request("GET", "fsck", timeout=_FSCK_TIMEOUT)
        found: list[Json] = answer["items"]
        return found

    async def download(self, *path: str) -> None:
        """GET a resource that may be too large to be parsed."""
        response = await self.treq.get(self.root.child("v1", *path), headers=self._headers())
        await response.content()

    async def get_all(self, *path: str, **query: str) -> list[Json]:
        """GET all pages of a list."""
        page = await self.get(*path, **query, limit=_PAGE_LIMIT)
        items: list[Json] = page["items"]
        while page["next"] is not None:
            page = await self.get(*path, **query, limit=_PAGE_LIMIT, cursor=page["next"])
            items += page["items"]
        return items

    async def events(self, after: str | None = None, wait: float = 0) -> tuple[list[Json], str]:
        """GET the events after a cursor, waiting so many seconds for the first; with the cursor of the next page."""
        start = {} if after is None else {"after": after}
        page = await self.get("events", **start, limit=_PAGE_LIMIT, wait=str(wait))
        if "items" not in page:
            raise ServerFailed(f"It has no events after {after}: {page}")
        return page["items"], page["next"]

    async def stream(self, after: str, types: Iterable[str] = ()) -> IResponse:
        """GET the events after that one as a stream, of some types or all; its body does not end."""
        query = {"after": after, **({"type": ",".join(types)} if types else {})}
        return await self.treq.get(
            self.root.child("v1", "events", "stream"), params=query, headers=self._headers(), unbuffered=True
        )

    async def post(
        self,
        *path: str,
        body: Mapping[str, Any],
        query: Mapping[str, str] | None = None,
        key: str | None = None,
        repeats: Callable[[Json], bool] = _always,
    ) -> tuple[int, Json]:
        """POST JSON, with an idempotency key if given; the status and the answer."""
        return await self.request("POST", *path, query=query, body=body, key=key, repeats=repeats)

    async def request(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        key: str | None = None,
        timeout: float = _REQUEST_TIMEOUT,
        repeats: Callable[[Json], bool] = _always,
    ) -> tuple[int, Json]:
        """Send a request, again and again until it is answered with another status than 503; the status and answer.

        ``repeats`` decides whether to send it again after a 503, if none was left unanswered before.

        :raises ServerFailed: if that takes too long.
        """
        url = self.root.child("v1", *path).replace(query=tuple((query or {}).items()))
        headers = self._headers()
        if key is not None:
            headers.setRawHeaders("Idempotency-Key", [key])
        is_answered, until = True, self.clock.seconds() + _MAX_RETRY
        while self.clock.seconds() < until:
            exchange = defer.Deferred.fromCoroutine(self._exchange(method, url, body, headers))
            exchange.addTimeout(timeout, self.clock)
            try:
                status, answer = await exchange
            except _NO_ANSWER:
                is_answered = False
            else:
                if status in _OF_PROXY:
                    is_answered = False
                elif status != UNAVAILABLE or (is_answered and not repeats(answer)):
                    return status, answer
                elif is_in_doubt(answer):
                    is_answered = False  # whatever is answered next is about the repetition alone
            self.check()
            await deferLater(self.clock, _RETRY_DELAY)
        raise ServerFailed(f"{method} {url.to_text()} was not answered, or with 503, for {_MAX_RETRY:g} s.")

    def _headers(self) -> Headers:
        return Headers({"Authorization": [f"Bearer {self.token}"]})

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
    """The JSON object in a body; empty if the body is not a JSON object, then the status says why."""
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
