"""``pushctl devices`` and ``pushctl approve``."""

import click

from pushd.pushctl.api import AdminClient
from pushd.pushctl.exit_codes import ExitCode
from pushd.pushctl.options import json_option, verbatim
from pushd.pushctl.output import print_devices, print_json
from pushd.pushctl.session import for_each, with_client


@click.command(epilog=verbatim("Example, the devices that wait for approval:\n  pushctl devices --admission pending"))
@click.option("--dialect", metavar="NAME", help="Only devices of this dialect: controlid or servereye.")
@click.option("--presence", metavar="STATE", help="Only never_seen, online, offline or signed_off devices.")
@click.option("--admission", metavar="STATE", help="Only pending, approved or blocked devices.")
@click.option(
    "--site", "sites", metavar="SITE", multiple=True, help="Only devices of this site. May be repeated: of any."
)
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="Only devices with this tag. May be repeated.")
@click.option("--q", metavar="TEXT", help="Only devices whose id or name contains TEXT.")
@json_option("Print one JSON array instead of a table.")
@with_client
async def devices(
    client: AdminClient, /, *, sites: tuple[str, ...], tags: tuple[str, ...], as_json: bool, **filters: str | None
) -> None:
    """List devices.

    POLLING: whether the server holds a poll of the device now, so that a command arrives within milliseconds. OFFLINE
    BETWEEN POLLS: how long the device cannot receive between two polls. "unauthenticated": the device is known by its
    id alone, so anyone who can reach the device port can pose as it.
    """
    query = [(name, value) for name, value in filters.items() if value is not None]
    query += [("site", site) for site in sites] + [("tag", tag) for tag in tags]
    found = await client.devices(query)
    if as_json:
        print_json(found)
    else:
        print_devices(found, client.clock.seconds())


@click.command(epilog=verbatim("Example:\n  pushctl approve controlid:4408801109440198 servereye:4f1c2d"))
@click.argument("device_ids", metavar="DEVICE...", nargs=-1, required=True)
@json_option("Print each device as a line of JSON.")
@with_client
async def approve(client: AdminClient, /, *, device_ids: tuple[str, ...], as_json: bool) -> ExitCode:
    """Approve pending devices.

    An approved device is sent its commands. Each DEVICE is an id shown by "pushctl devices". The exit code is 0 if all
    of them are approved now, else 1.
    """
    return await for_each(device_ids, client.approve, lambda _: "approved", as_json=as_json)
