"""Calls of the admin API over pooled connections, repeated where a repeat can do no harm."""

import json
import logging
from collections.abc import Mapping, Sequence
from random import random
from time import monotonic, sleep
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from attrs import define, field, frozen
from urllib3 import BaseHTTPResponse, PoolManager, Timeout
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from pushd.client.errors import ProblemDetails, Unavailable, UnexpectedAnswer, Unreachable, problem_of
from pushd.client.reading import read, read_object
from pushd.model.admin_api import FAILED_PROXY, PROBLEM_TYPE, not_from_pushd

CONNECT_TIMEOUT = 5.0
"""Seconds that connecting may take."""

FIRST_PAUSE = 0.2
"""Seconds before the first repeat; doubled before each further one."""

MAX_PAUSE = 8.0
"""Seconds between two repeats at most."""

USER_AGENT = "pushd-client"

_NEVER_SENT = (NewConnectionError, ConnectTimeoutError)

Json = dict[str, Any]
Query = Sequence[tuple[str, str]]

_QUESTION = "is it the admin port of pushd?"

_log = logging.getLogger("pushd.client")


@frozen(kw_only=True)
class Call:
    """A call; ``path`` is below ``/v1``, durations are in seconds."""

    method: str = "GET"
    path: Sequence[str]
    query: Query = ()
    body: Mapping[str, Any] | None = None
    key: str | None = None
    """The idempotency key."""
    wait: float = 0.0
    """How long the server may hold its answer."""
    may_repeat: bool = True
    """Whether a second time changes nothing; otherwise only what certainly had no effect is repeated."""
    retry_for: float | None = None
    """How long after the first attempt another one may begin; None: as for all calls."""


def _without_slash(url: str) -> str:
    return url.rstrip("/")


@define(eq=False)
class Connection:
    """The connections to one server, with one token; to be used by any number of threads."""

    _url: str = field(converter=_without_slash)
    _token: str = field(repr=False)
    timeout: float
    retry_for: float
    _pool: PoolManager = field(repr=False)

    @_url.validator
    def _check_url(self, _attribute: object, url: str) -> None:
        parts = urlsplit(url)
        superfluous = parts.username or parts.query or parts.fragment
        if parts.scheme not in ("http", "https") or not parts.hostname or superfluous:
            raise ValueError(f"must be the URL of the admin port, such as http://127.0.0.1:8081, not {url!r}")

    def close(self) -> None:
        """Close all connections that are idle."""
        self._pool.clear()

    def call(self, call: Call) -> Json:
        """The JSON object of the answer; an empty one for 204 (no content).

        :raises ClientError: if there is none, or it is a problem.
        """
        last_start = monotonic() + (self.retry_for if call.retry_for is None else call.retry_for)
        pause = FIRST_PAUSE
        while True:
            try:
                return self._call_once(call)
            except (Unreachable, Unavailable) as error:
                delay = pause * (1 - random() / 2)  # noqa: S311 - no secret
                if not _may_repeat(call, error) or monotonic() + delay > last_start:
                    raise
                _log.warning("%s; trying again in %.1f s", error, delay)
            sleep(delay)
            pause = min(2 * pause, MAX_PAUSE)

    def _call_once(self, call: Call) -> Json:
        response = self._request(call)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if response.status == 204:
            return {}
        if response.status < 300:
            try:
                return read_object(response.data)
            except UnexpectedAnswer:
                raise UnexpectedAnswer(f"{self._not_from_pushd(response)}; {_QUESTION}") from None
        if kind == PROBLEM_TYPE:
            raise problem_of(response.status, read(ProblemDetails, read_object(response.data)))
        if response.status == 404:  # as that of the device port
            raise UnexpectedAnswer(f"{self._url} answered 404 without problem details; {_QUESTION}")
        if response.status in FAILED_PROXY:
            raise Unreachable(self._not_from_pushd(response), never_sent=False)
        raise UnexpectedAnswer(f"{self._not_from_pushd(response)}; {_QUESTION}")

    def _not_from_pushd(self, response: BaseHTTPResponse) -> str:
        return not_from_pushd(self._url, response.status)

    def _request(self, call: Call) -> BaseHTTPResponse:
        headers = {"Authorization": f"Bearer {self._token}", "User-Agent": USER_AGENT}
        if call.key is not None:
            headers["Idempotency-Key"] = call.key
        body = None
        if call.body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(call.body, allow_nan=False).encode()
        path = "/".join(quote(segment, safe=":") for segment in call.path)
        url = f"{self._url}/v1/{path}" + (f"?{urlencode(call.query)}" if call.query else "")
        timeout = Timeout(connect=min(CONNECT_TIMEOUT, self.timeout), read=self.timeout + call.wait)
        try:
            # a redirect would send the token to another server; repeats are decided here
            return self._pool.request(
                call.method, url, body=body, headers=headers, timeout=timeout, retries=False, redirect=False
            )
        except HTTPError as error:
            never_sent = isinstance(error, _NEVER_SENT)
            what = "cannot be reached" if never_sent else "gave no answer"
            raise Unreachable(f"{self._url} {what}: {error}", never_sent=never_sent) from error


def _may_repeat(call: Call, error: Unreachable | Unavailable) -> bool:
    return call.may_repeat or (isinstance(error, Unreachable) and error.never_sent)
