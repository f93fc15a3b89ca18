"""``pushctl events``: the event log, and the events that follow."""

import click

from pushd.model.admin_api import MAX_PAGE
from pushd.pushctl.api import AdminClient
from pushd.pushctl.commands.watch import Show, follow_events
from pushd.pushctl.completion import DEVICE, EVENT_TYPE
from pushd.pushctl.connection import Query
from pushd.pushctl.errors import UnexpectedResponse
from pushd.pushctl.options import json_option, query_of, since_option, verbatim
from pushd.pushctl.output import EventPrinter, print_json
from pushd.pushctl.session import with_client

_EXAMPLES = """\
Examples, what happened to a device today, and what happens from now on:
  pushctl events --device controlid:4408801109440198 --since 24h
  pushctl events --since 10m --follow"""


@click.command(epilog=verbatim(_EXAMPLES))
@click.option("--device", metavar="DEVICE", type=DEVICE, multiple=True, help="Only of this device. May be repeated.")
@click.option("--type", metavar="TYPE", type=EVENT_TYPE, multiple=True, help="Only of this type. May be repeated.")
@since_option("Only events since then", default="1h")
@click.option("--after", metavar="SEQ", help="Only events after this one, instead of --since.")
@click.option("--follow", is_flag=True, help="Go on with the events that happen, until Ctrl-C.")
@json_option("Print each event as a line of JSON.")
@with_client
async def events(
    client: AdminClient,
    /,
    *,
    since: str,
    after: str | None,
    follow: bool,
    as_json: bool,
    **filters: tuple[str, ...],
) -> None:
    """Show events, oldest first: those of the last hour unless --since or --after says otherwise.

    A command's endpoint or control comes first, then its error; "by" is the token or person that caused an event.
    """
    query = query_of(filters)
    start = ("since", since) if after is None else ("after", after)
    show = print_json if as_json else EventPrinter().print
    position = await _show_all(client, query, start, show)
    if follow:
        await follow_events(client, [*query, ("after", position)], show)


async def _show_all(client: AdminClient, query: Query, start: tuple[str, str], show: Show) -> str:
    """Show all events from ``start`` on; returns the position after them."""
    while True:
        page = await client.page("events", query=[*query, start, ("limit", str(MAX_PAGE))])
        for event in page.items:
            show(event)
        if page.next is None:
            raise UnexpectedResponse("the answer has no position in the event log")
        start = ("after", page.next)
        if len(page.items) < MAX_PAGE:
            return page.next
