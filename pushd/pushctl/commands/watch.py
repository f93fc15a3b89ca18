"""``pushctl watch``."""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress

import click
from attrs import define, field
from twisted.internet.defer import CancelledError
from twisted.internet.task import deferLater

from pushd.lib.backoff import Backoff
from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Json, Query
from pushd.pushctl.errors import ClientError, Refused, Unintelligible, Unreachable
from pushd.pushctl.exit_codes import Outcome
from pushd.pushctl.options import verbatim
from pushd.pushctl.output import tell_event, tell_json
from pushd.pushctl.session import Session, complain
from pushd.pushctl.sse import Message, Messages

MAX_BACKOFF = 30.0
"""Seconds between two attempts to connect again at most."""


@click.command(
    epilog=verbatim("Example, each failure as a line of JSON:\n  pushctl watch --type command.failed --json")
)
@click.option("--device", metavar="DEVICE", help="Only what concerns this device.")
@click.option(
    "--type",
    "kinds",
    metavar="TYPE",
    multiple=True,
    help="Only such events, as command.failed; may be repeated.",
)
@click.option("--after", metavar="SEQ", help="Begin behind this event instead of now.")
@click.option("--json", "as_json", is_flag=True, help="Each event as a line of JSON.")
@click.pass_obj
def watch(
    session: Session, /, *, device: str | None, kinds: tuple[str, ...], after: str | None, as_json: bool
) -> None:
    """Follow what happens, from now on, until Ctrl-C.

    Nothing is missed and nothing is repeated, even if the server is started anew meanwhile.
    """
    query = [("type", kind) for kind in kinds]
    query += [] if device is None else [("device", device)]
    query += [] if after is None else [("after", after)]
    show = tell_json if as_json else tell_event

    async def work(client: AdminClient) -> Outcome:
        with suppress(CancelledError):
            await Watch(client, query, show).run()
        return Outcome.SUCCEEDED

    session.perform(work)


@define(eq=False)
class Watch:
    """Shows each event once, for ever; a server that goes away is waited for."""

    _client: AdminClient
    _query: Query
    _show: Callable[[Json], None]
    _place: str | None = field(default=None, init=False)
    """The last id that we were told; None until we were connected for the first time."""
    _lost: bool = field(default=False, init=False)
    _backoff: Backoff = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._backoff = Backoff(self._client.clock, lambda: 0.0, MAX_BACKOFF)

    async def run(self) -> None:
        """Watch until this is cancelled.

        :raises ClientError: if the server refuses, or is not there in the first place.
        """
        while True:
            problem = await self._follow()
            if self._place is None:
                raise problem
            if not self._lost:
                complain(f"{problem}; trying again")
            self._lost = True
            self._backoff.record_failure()
            await deferLater(self._client.clock, self._backoff.remaining)

    async def _follow(self) -> ClientError:
        """Show what happens as long as the connection lasts; why it did not last."""
        messages = Messages()
        try:
            await self._client.follow(self._query, self._place, lambda data: self._hear(messages.feed(data)))
        except Unreachable as error:
            return error
        except Refused as error:
            if error.status < 500:
                raise
            return error
        return Unreachable("the server ended the stream")

    def _hear(self, messages: Iterable[Message]) -> None:
        for message in messages:
            if self._lost:
                complain("connected again")
            self._lost = False
            self._backoff.reset()
            self._place = message.id
            if message.data:
                self._show(_event(message.data))


def _event(data: str) -> Json:
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise Unintelligible("the stream tells of something that is no event: is this the admin port of pushd?")
    return event
