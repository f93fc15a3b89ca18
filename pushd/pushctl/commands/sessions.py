"""``pushctl sessions``: who is logged in to the dashboard."""

import click

from pushd.pushctl.api import AdminClient
from pushd.pushctl.completion import SESSION
from pushd.pushctl.connection import Json
from pushd.pushctl.exit_codes import ExitCode
from pushd.pushctl.lists import ListColumn, age_of, print_list
from pushd.pushctl.options import EXAMPLE_ID, json_option, verbatim
from pushd.pushctl.session import for_each, with_client
from pushd.pushctl.terminal import Fit


@click.group(
    invoke_without_command=True,
    epilog=verbatim(f"Examples:\n  pushctl sessions\n  pushctl sessions end {EXAMPLE_ID}"),
)
@json_option("Print one JSON array instead of a table.")
@with_client
async def sessions(client: AdminClient, /, *, as_json: bool) -> None:
    """List who is logged in to the dashboard, or log them out.

    BY is with what they logged in, LAST USED how long ago.
    """
    now = client.clock.seconds()
    columns = (
        ListColumn("name", 0, Fit.WRAP),
        ListColumn("role", 2),
        ListColumn("by", 6),
        ListColumn("address", 3),
        ListColumn("last used", 1, show=age_of("last_used_at", now)),
        ListColumn("logged in", 5, show=age_of("created_at", now)),
        ListColumn("user agent", 7, Fit.WRAP),
        ListColumn("id", 4),
    )
    print_list(await client.items("sessions"), columns, as_json=as_json, empty="No sessions.")


@sessions.command(epilog=verbatim(f"Example:\n  pushctl sessions end {EXAMPLE_ID}"))
@click.argument("ids", metavar="SESSION...", type=SESSION, nargs=-1, required=True)
@json_option("Print the id of each ended session as a line of JSON.")
@with_client
async def end(client: AdminClient, /, *, ids: tuple[str, ...], as_json: bool) -> ExitCode:
    """End sessions: their browsers are logged out at once."""

    async def end_one(session: str) -> Json:
        return await client.delete("sessions", session)

    return await for_each(ids, end_one, lambda _: "ended", as_json=as_json)
