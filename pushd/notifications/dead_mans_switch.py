"""Dead man's switch: requests a URL of an external monitor every minute, while all parts of the server make progress,
and what has something to send is owned by a process.

The monitor alerts when the requests stop.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from attrs import define, field
from treq.client import HTTPClient
from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.client import Agent

from pushd.lib.http_client import CANCELLED, BodyReader, BoundedConnectionPool, cause_of, describe

INTERVAL = 60.0
"""Seconds between two requests."""

TIMEOUT = 30.0
"""Seconds for one request; less than :data:`INTERVAL`, so that a slow one delays no other."""

STUCK_AFTER = 180.0
"""Seconds without progress after which a part counts as dead; longer than an SMTP session may take."""

MAX_READ = 64 * 1024
"""Bytes of a response's body after which the connection is closed."""

Stuck = Callable[[float], bool]
"""Whether a part has made no progress for longer than so many seconds."""

Unowned = Callable[[float], Awaitable[Sequence[str]]]
"""What has something to send, and has been owned by no process for so many seconds."""


class BadStatus(Exception):
    """The monitor's response is not 2xx."""


@define(eq=False)
class DeadMansSwitch:
    """Requests ``url``, which may be a secret, while none of the ``parts`` (by name) is stuck."""

    url: str = field(repr=False)
    http: HTTPClient
    clock: IReactorTime
    parts: Mapping[str, Stuck]
    unowned: Unowned = field(repr=False)
    _problem: str | None = field(default=None, init=False)
    """Why the latest request was not sent, or failed, as it was logged."""
    _log = Logger()

    async def ping(self) -> None:
        """Request the URL once, unless a part is stuck, or no process sends what is due.

        A problem is logged once, until it changes.

        :raises Unavailable: if the store cannot tell.
        """
        stuck = [name for name, is_stuck in self.parts.items() if is_stuck(STUCK_AFTER)]
        if stuck:
            self._report(f"request not sent: no progress in {', '.join(stuck)}")
            return
        if unowned := await self.unowned(STUCK_AFTER):
            self._report(f"request not sent: no process delivers {', '.join(unowned)}")
            return
        try:
            await Deferred.fromCoroutine(self._request()).addTimeout(TIMEOUT, self.clock)
        except CancelledError:
            raise
        except Exception as error:  # of the network, of TLS, of the URL: the next one tries again
            self._report(f"request failed, will retry: {_reason(error)}")
        else:
            self._report(None)

    async def _request(self) -> None:
        response = await self.http.get(self.url, unbuffered=True)
        body = BodyReader(keep=0, limit=MAX_READ)
        response.deliverBody(body)
        await body.done
        if not 200 <= response.code < 300:
            raise BadStatus(f"the response was {response.code}")

    def _report(self, problem: str | None) -> None:
        if problem is not None and problem != self._problem:
            self._log.error("Dead man's switch: {problem}", problem=problem)
        elif problem is None and self._problem is not None:
            self._log.info("Dead man's switch: requests succeed again")
        self._problem = problem


def build_switch(url: str, parts: Mapping[str, Stuck], unowned: Unowned, reactor: Any) -> DeadMansSwitch:
    """A switch that requests ``url`` over connections of its own."""
    agent = Agent(reactor, pool=BoundedConnectionPool(reactor, persistent=False))
    return DeadMansSwitch(url, HTTPClient(agent), reactor, parts, unowned)


def _reason(error: Exception) -> str:
    if isinstance(cause_of(error), (*CANCELLED, defer.TimeoutError)):
        return f"no response within {TIMEOUT:g} s"
    return describe(error)
