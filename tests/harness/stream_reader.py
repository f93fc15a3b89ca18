"""Readers of the event stream that come and go: each continues after the last event that it has read."""

from contextlib import suppress
from random import Random

from attrs import define, field
from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.task import deferLater

from pushd.lib.http_client import CONNECTION_LOST, NEVER_SENT, BodyReader
from tests.harness.admin_api import OK, UNAVAILABLE, AdminApi, Json, ServerFailed
from tests.sse import Parser

_STAY = (0.5, 20.0)
_PAUSE = (0.1, 3.0)


class _StreamBody(BodyReader):
    """Parses the body of a response; its ``done`` fails when it is cancelled, and closes the connection."""

    def __init__(self, parser: Parser) -> None:
        super().__init__()
        self._parser = parser

    def dataReceived(self, data: bytes) -> None:
        if not self.done.called:
            self._parser.feed(data)


@define(eq=False, kw_only=True)
class StreamReader:
    """One reader, of all events or of some types."""

    api: AdminApi
    chance: Random
    types: frozenset[str] = frozenset()
    events: list[Json] = field(factory=list, init=False)
    """In the order of arrival."""
    streams: int = field(default=0, init=False)
    """How often it has connected."""
    _last_id: str = field(default="0", init=False)
    _task: Deferred[None] | None = field(default=None, init=False)

    def start(self) -> None:
        """Read from the oldest event on."""
        self._task = Deferred.fromCoroutine(self._read_repeatedly())

    @property
    def seqs(self) -> list[str]:
        """The ``seq`` of each event."""
        return [event["seq"] for event in self.events]

    async def stop(self) -> None:
        """Disconnect.

        :raises ServerFailed: if the server has refused to go on behind an event that was read.
        """
        if self._task is not None:
            self._task.cancel()
            with suppress(CancelledError, ConnectingCancelledError):
                await self._task

    async def _read_repeatedly(self) -> None:
        while True:
            with suppress(*NEVER_SENT, *CONNECTION_LOST, defer.TimeoutError):
                await self._read(self.chance.uniform(*_STAY))
            await deferLater(self.api.clock, self.chance.uniform(*_PAUSE))

    async def _read(self, seconds: float) -> None:
        response = await self.api.stream(self._last_id, self.types)
        if response.code == UNAVAILABLE:
            return
        if response.code != OK:
            raise ServerFailed(f"It has no stream of events after {self._last_id}: {response.code}")
        self.streams += 1
        parser = Parser(last_id=self._last_id)
        body = _StreamBody(parser)
        response.deliverBody(body)
        try:
            await body.done.addTimeout(seconds, self.api.clock)
        finally:
            self.events += [message.json for message in parser.messages]
            self._last_id = parser.last_id
