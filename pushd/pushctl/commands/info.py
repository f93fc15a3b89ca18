"""``pushctl info``: the server, its options and counts."""

import click

from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Json
from pushd.pushctl.options import json_option, verbatim
from pushd.pushctl.output import print_fields, print_json
from pushd.pushctl.session import with_client
from pushd.pushctl.terminal import GAP, write_line

_SERVER = ("version", "node", "clock_offset", "schema", "started_at", "dialects")
_GROUPS = ("listen", "counts", "options")


@click.command(epilog=verbatim("Examples:\n  pushctl info\n  pushctl info --json"))
@json_option("Print everything as a line of JSON.")
@with_client
async def info(client: AdminClient, /, *, as_json: bool) -> None:
    """Show the server's version, options and counts.

    Secrets in options are shown as ***.
    """
    found = await client.info()
    (print_json if as_json else _print)(found)


def _print(found: Json) -> None:
    print_fields(_SERVER, found)
    for name in _GROUPS:
        group = found.get(name) or {}
        if group:
            write_line(name)
            print_fields(list(group), group, indent=GAP)
