"""``pushctl rejections``."""

import click

from pushd.pushctl import terminal
from pushd.pushctl.api import AdminClient
from pushd.pushctl.options import json_option, verbatim
from pushd.pushctl.output import print_json
from pushd.pushctl.rejections import print_rejections
from pushd.pushctl.session import with_client


@click.command(epilog=verbatim("Example:\n  pushctl rejections"))
@json_option("Print one JSON array.")
@with_client
async def rejections(client: AdminClient, /, *, as_json: bool) -> None:
    """Show what the device port, of all nodes, has refused lately, and what to do.

    The newest is first. A device that does not appear is here, unless its requests do not reach the server at all:
    "pushctl doctor" looks further.
    """
    found = await client.whole("rejections")
    if as_json:
        print_json(found)
    elif found:
        print_rejections(found, client.clock.seconds())
    else:
        terminal.echo("Nothing was refused since the server was started.", err=True)
