"""Sends one webhook message: one POST, one outcome, within a time limit.

It uses Twisted's Agent itself, not treq: receivers are not trusted, and treq would decompress whatever they answer,
without a limit, and keep their cookies.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import NoReturn

from attrs import define, evolve, frozen
from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IConsumer, IReactorTime
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from pushd.lib import strict_json
from pushd.lib.http_client import (
    CANCELLED,
    CONNECTION_LOST,
    NEVER_SENT,
    BodyReader,
    ConnectionNotPermitted,
    cause_of,
    describe,
)
from pushd.lib.webhook_message import RECEIVER_TIMEOUT

IDLE_SECONDS = 4.0
"""Seconds for which an idle connection is kept: less than most servers do, so that they do not close it first."""

MAX_READ = 64 * 1024
"""Bytes of a response's body after which the connection is closed."""

MAX_KEPT = 1024
"""Bytes of a response's body that are kept for the delivery log."""

GONE = 410


@frozen(kw_only=True)
class PostOutcome:
    """What became of one request: the response's status, or what went wrong."""

    status: int | None = None
    retry_after: str | None = None
    error: str | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver has taken the message."""
        return self.status is not None and 200 <= self.status < 300


@define(eq=False)
class WebhookSender:
    """Posts messages; follows no redirects and keeps no cookies."""

    agent: IAgent
    clock: IReactorTime

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> PostOutcome:
        """Send a message and read the response, within :data:`~pushd.lib.webhook_message.RECEIVER_TIMEOUT`; errors of
        the network are outcomes.
        """
        deadline = self.clock.seconds() + RECEIVER_TIMEOUT
        sent = Headers({name: [value] for name, value in headers.items()})
        request = self.agent.request(b"POST", url.encode("ascii"), sent, _BytesProducer(body, len(body)))
        request.addTimeout(RECEIVER_TIMEOUT, self.clock, onTimeoutCancel=_raise_timeout)
        try:
            response = await request
        except (*NEVER_SENT, *CONNECTION_LOST, ConnectionNotPermitted, TimeoutError) as error:
            if isinstance(cause_of(error), CANCELLED):
                raise CancelledError from error
            return PostOutcome(error=strict_json.one_line(describe(error)))
        return await self._read(response, deadline)

    async def _read(self, response: IResponse, deadline: float) -> PostOutcome:
        """Read the body, so that the connection can be used again; the status counts, however the body ends."""
        reader = BodyReader(keep=MAX_KEPT, limit=MAX_READ)
        response.deliverBody(reader)
        reader.done.addTimeout(max(deadline - self.clock.seconds(), 0), self.clock)
        with suppress(*CONNECTION_LOST, defer.TimeoutError):
            await reader.done
        (retry_after, *_) = response.headers.getRawHeaders(b"retry-after") or [b""]
        outcome = PostOutcome(status=response.code, retry_after=retry_after.decode("ascii", "replace") or None)
        if outcome.delivered:
            return outcome
        return evolve(outcome, error=strict_json.one_line(reader.body.decode("utf-8", "replace")) or None)


@implementer(IBodyProducer)
@define(eq=False)
class _BytesProducer:
    """A request body that is small enough to be written at once."""

    body: bytes
    length: int

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self.body)
        return succeed(None)

    def stopProducing(self) -> None:
        pass

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass


def _raise_timeout(_outcome: object, seconds: float) -> NoReturn:
    raise TimeoutError(f"no answer within {seconds:g} s")
