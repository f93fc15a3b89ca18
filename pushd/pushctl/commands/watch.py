"""``pushctl watch``: follows the event stream."""

import json
import random
from collections.abc import Callable, Iterable

import click
from attrs import define, field
from twisted.internet.defer import CancelledError
from twisted.internet.task import deferLater

from pushd.lib.backoff import Backoff
from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Json, Query
from pushd.pushctl.errors import ClientError, Refused, UnexpectedResponse, Unreachable
from pushd.pushctl.options import json_option, verbatim
from pushd.pushctl.output import EventPrinter, print_json
from pushd.pushctl.session import print_error, with_client
from pushd.pushctl.sse import Parser, ServerSentEvent

MAX_RECONNECT_DELAY = 30.0
"""Seconds between two attempts to connect again, at most."""


@click.command(
    epilog=verbatim("Example, failed commands as lines of JSON:\n  pushctl watch --type command.failed --json")
)
@click.option("--device", metavar="DEVICE", help="Only events of this device.")
@click.option(
    "--type",
    "types",
    metavar="TYPE",
    multiple=True,
    help="Only events of this type, as command.failed. May be repeated.",
)
@click.option("--after", metavar="SEQ", help="Start after this event instead of now.")
@json_option("Print each event as a line of JSON.")
@with_client
async def watch(
    client: AdminClient, /, *, device: str | None, types: tuple[str, ...], after: str | None, as_json: bool
) -> None:
    """Show events as they happen, until Ctrl-C.

    No event is missed or shown twice, even if the server restarts meanwhile.
    """
    query = [("type", name) for name in types]
    query += [] if device is None else [("device", device)]
    query += [] if after is None else [("after", after)]
    try:
        await EventFollower(client, query, print_json if as_json else EventPrinter().print).run()
    except CancelledError:
        return


@define(eq=False)
class EventFollower:
    """Shows each event once; when the connection is lost, it connects again with exponential backoff."""

    _client: AdminClient
    _query: Query
    _show: Callable[[Json], None]
    _last_id: str | None = field(default=None, init=False)
    """The id to resume after; None until the first connection was made."""
    _lost: bool = field(default=False, init=False)
    _backoff: Backoff = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._backoff = Backoff(self._client.clock, random.random, MAX_RECONNECT_DELAY)

    async def run(self) -> None:
        """Follow the stream until this is cancelled.

        :raises ClientError: if the server refuses, or the first connection fails.
        """
        while True:
            problem = await self._follow()
            if self._last_id is None:
                raise problem
            if not self._lost:
                print_error(f"{problem}; reconnecting")
            self._lost = True
            self._backoff.record_failure()
            await deferLater(self._client.clock, self._backoff.remaining)

    async def _follow(self) -> ClientError:
        """Show events until the connection ends; returns why it ended."""
        parser = Parser()
        try:
            await self._client.stream_events(self._query, self._last_id, lambda data: self._receive(parser.feed(data)))
        except Unreachable as error:
            return error
        except Refused as error:
            if error.status < 500:
                raise
            return error
        return Unreachable("the server ended the stream")

    def _receive(self, messages: Iterable[ServerSentEvent]) -> None:
        for message in messages:
            if self._lost:
                print_error("reconnected")
            self._lost = False
            self._backoff.reset()
            self._last_id = message.id
            if message.data:
                self._show(_event(message.data))


def _event(data: str) -> Json:
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise UnexpectedResponse("the stream has data that is not an event: is this the admin port of pushd?")
    return event
