"""
``pushctl watch``.
"""

from collections.abc import Callable
from contextlib import suppress

import click
from twisted.internet.defer import CancelledError
from twisted.internet.task import deferLater

from pushd.client.api import AdminClient
from pushd.client.connection import Json, Query
from pushd.client.errors import Unreachable
from pushd.client.options import verbatim
from pushd.client.outcome import Outcome
from pushd.client.screen import tell_event, tell_json
from pushd.client.session import Session, complain
from pushd.client.waiting import PAUSE, ROUND


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
    """
    Follow what happens, from now on, until Ctrl-C.

    Nothing is missed and nothing is repeated, even if the server is started anew meanwhile.
    """
    query = [("type", kind) for kind in kinds]
    query += [] if device is None else [("device", device)]
    show = tell_json if as_json else tell_event

    async def work(client: AdminClient) -> Outcome:
        with suppress(CancelledError):
            await follow(client, query, after if after is not None else await client.latest(), show)
        return Outcome.SUCCEEDED

    session.perform(work)


async def follow(client: AdminClient, query: Query, after: str, show: Callable[[Json], None]) -> None:
    """
    Show each event once, for ever; a server that goes away is waited for.
    """
    while True:
        began = client.clock.seconds()
        try:
            page = await client.events(after=after, wait=ROUND, query=query)
        except Unreachable as error:
            complain(f"{error}; trying again")
            await deferLater(client.clock, PAUSE)
            continue
        for event in page.items:
            show(event)
        after = page.next
        if not page.items and client.clock.seconds() - began < PAUSE:
            await deferLater(client.clock, PAUSE)
