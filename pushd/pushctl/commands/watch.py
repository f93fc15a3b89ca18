"""``pushctl watch``: follows the event stream."""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import click
from attrs import define, field
from twisted.internet.defer import CancelledError

from pushd.pushctl.api import AdminClient
from pushd.pushctl.completion import DEVICE, EVENT_TYPE
from pushd.pushctl.connection import Json, Query
from pushd.pushctl.errors import ClientError, UnexpectedResponse, Unreachable
from pushd.pushctl.options import json_option, query_of, verbatim
from pushd.pushctl.output import EventPrinter, print_json
from pushd.pushctl.reconnection import Reconnection, is_passing
from pushd.pushctl.session import with_client
from pushd.pushctl.sse import Parser, ServerSentEvent

Show = Callable[[Json], None]


@click.command(
    epilog=verbatim("Example, failed commands as lines of JSON:\n  pushctl watch --type command.failed --json")
)
@click.option("--device", metavar="DEVICE", type=DEVICE, help="Only events of this device.")
@click.option(
    "--type",
    metavar="TYPE",
    type=EVENT_TYPE,
    multiple=True,
    help="Only events of this type, as command.failed. May be repeated.",
)
@click.option("--after", metavar="SEQ", help="Start after this event instead of now.")
@json_option("Print each event as a line of JSON.")
@with_client
async def watch(client: AdminClient, /, *, as_json: bool, **filters: Any) -> None:
    """Show events as they happen, until Ctrl-C.

    No event is missed or shown twice, even if the server restarts meanwhile.
    """
    await follow_events(client, query_of(filters), print_json if as_json else EventPrinter().print)


async def follow_events(client: AdminClient, query: Query, show: Show) -> None:
    """Show each event of the stream until Ctrl-C, which is no error."""
    with suppress(CancelledError):
        await EventFollower(client, query, show).run()


@define(eq=False)
class EventFollower:
    """Shows each event once; when the connection is lost, it connects again with exponential backoff."""

    _client: AdminClient
    _query: Query
    _show: Show
    _last_id: str | None = field(default=None, init=False)
    """The id to resume after; None until the first connection was made."""
    _reconnection: Reconnection = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._reconnection = Reconnection(self._client.clock)

    async def run(self) -> None:
        """Follow the stream until this is cancelled.

        :raises ClientError: if the server refuses, or the first connection fails.
        """
        while True:
            problem = await self._follow()
            if self._last_id is None:
                raise problem
            await self._reconnection.pause(problem)

    async def _follow(self) -> ClientError:
        """Show events until the connection ends; returns why it ended."""
        parser = Parser()
        try:
            await self._client.stream_events(self._query, self._last_id, lambda data: self._receive(parser.feed(data)))
        except ClientError as error:
            if not is_passing(error):
                raise
            return error
        return Unreachable("the server ended the stream")

    def _receive(self, messages: Iterable[ServerSentEvent]) -> None:
        for message in messages:
            self._reconnection.succeeded()
            self._last_id = message.id
            if message.data:
                self._show(_event(message.data))


def _event(data: str) -> Json:
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise UnexpectedResponse("the stream has data that is not an event")
    return event
