"""``pushctl devices`` and ``pushctl approve``."""

import click

from pushd.pushctl.api import AdminClient
from pushd.pushctl.exit_codes import Outcome
from pushd.pushctl.options import verbatim
from pushd.pushctl.output import draw_devices, tell_json
from pushd.pushctl.session import Session
from pushd.pushctl.several import perform_each


@click.command(epilog=verbatim("Example, who waits for approval:\n  pushctl devices --admission pending"))
@click.option("--dialect", metavar="NAME", help="Only this dialect: controlid or servereye.")
@click.option("--presence", metavar="STATE", help="Only never_seen, online, offline or signed_off devices.")
@click.option("--admission", metavar="STATE", help="Only pending, approved or blocked devices.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="Only devices with this tag; repeat it for several.")
@click.option("--q", metavar="TEXT", help="Only devices with this text in their id or name.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of a table.")
@click.pass_obj
def devices(session: Session, /, *, as_json: bool, tags: tuple[str, ...], **filters: str | None) -> None:
    """List the devices of the server.

    POLLING says whether a poll is held right now: then a command arrives within milliseconds. POLL GAP is how long
    the device is deaf between two polls. A device marked "no proof" is known by its id alone: anyone who reaches the
    device port can be it.
    """
    query = [(name, value) for name, value in filters.items() if value is not None]
    query += [("tag", tag) for tag in tags]

    async def work(client: AdminClient) -> Outcome:
        found = await client.devices(query)
        if as_json:
            tell_json(found)
        else:
            draw_devices(found, client.clock.seconds())
        return Outcome.SUCCEEDED

    session.perform(work)


@click.command(epilog=verbatim("Example:\n  pushctl approve controlid:4408801109440198 servereye:4f1c2d"))
@click.argument("device_ids", metavar="DEVICE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Each device as a line of JSON.")
@click.pass_obj
def approve(session: Session, /, *, device_ids: tuple[str, ...], as_json: bool) -> None:
    """Let devices that wait for it have their commands.

    Each DEVICE is an id as "pushctl devices" shows it. The exit code is 0 if all of them are approved now, else 1.
    """
    perform_each(session, device_ids, AdminClient.approve, lambda _: "approved", as_json=as_json)
