"""``pushctl commands``: the list of commands."""

from collections.abc import Iterator, Sequence

import click

from pushd.lib.text import printable
from pushd.model.lifecycle import State
from pushd.pushctl.api import AdminClient
from pushd.pushctl.completion import DEVICE, ENDPOINT
from pushd.pushctl.connection import Json
from pushd.pushctl.lists import ListColumn, age_of, field, print_list
from pushd.pushctl.options import choice, json_option, limit_option, query_of, since_option, verbatim
from pushd.pushctl.output import age, endpoints_text, field_text
from pushd.pushctl.session import with_client
from pushd.pushctl.terminal import Fit

_EXAMPLES = """\
Examples, what failed in the last two hours, and what became of a ticket:
  pushctl commands --state failed --since 2h
  pushctl commands --trace T-1017"""


@click.command(epilog=verbatim(_EXAMPLES))
@click.option("--device", metavar="DEVICE", type=DEVICE, help="Only commands of this device.")
@click.option("--state", type=choice(State), help="Only commands in this state.")
@since_option("Only commands that were accepted since then")
@click.option("--endpoint", metavar="NAME", type=ENDPOINT, help="Only commands that call this endpoint or control.")
@click.option("--by", metavar="NAME", help="Only commands that this token or person has sent.")
@click.option("--trace", metavar="TEXT", help="Only commands with this trace.")
@click.option("--q", metavar="TEXT", help="Only commands in which TEXT is found.")
@limit_option
@json_option("Print one JSON array instead of a table.")
@with_client
async def commands(client: AdminClient, /, *, limit: int, as_json: bool, **filters: str | None) -> None:
    """List commands, newest first.

    AGE is how long ago a command was accepted, BY the token or person that sent it. "pushctl show" has the result.
    """
    found = await client.items("commands", query=query_of(filters), limit=limit)
    now = client.clock.seconds()
    print_list(
        found,
        command_columns(now),
        as_json=as_json,
        empty="No commands.",
        narrow=lambda command: command_pieces(command, now),
    )


def command_columns(now: float) -> Sequence[ListColumn]:
    """The columns of a list of commands; ``now`` is in seconds since the epoch."""
    return (
        ListColumn("state"),
        ListColumn("endpoint", 1, show=endpoints_text),
        ListColumn("error", 2, Fit.WRAP),
        ListColumn("device", 3),
        ListColumn("age", 4, show=age_of("created_at", now)),
        ListColumn("by", 5, show=field("created_by")),
        ListColumn("trace", 6),
        ListColumn("id", 7),
    )


def command_pieces(command: Json, now: float) -> Iterator[str]:
    """A command for a narrow terminal: what matters first, the id on a line of its own if need be."""
    yield field_text(command.get("state"))
    yield endpoints_text(command)
    if command.get("error"):
        yield printable(str(command["error"]))
    yield field_text(command.get("device"))
    yield f"{age(command.get('created_at'), now)} ago"
    if command.get("created_by"):
        yield f"by {field_text(command['created_by'])}"
    if command.get("trace"):
        yield f"trace {field_text(command['trace'])}"
    yield field_text(command.get("id"))
