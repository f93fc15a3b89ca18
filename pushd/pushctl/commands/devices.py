"""``pushctl devices`` without a command, ``pushctl devices orphans`` and ``pushctl approve``."""

from collections.abc import Sequence
from typing import Any

import click

from pushd.lib.text import printable
from pushd.model.device import PresenceState, dialect_of
from pushd.pushctl import terminal
from pushd.pushctl.api import AdminClient
from pushd.pushctl.completion import DEVICE, MODEL
from pushd.pushctl.connection import Json
from pushd.pushctl.errors import Withheld
from pushd.pushctl.exit_codes import ExitCode
from pushd.pushctl.lists import ListColumn, Show, age_of, print_list, time_of
from pushd.pushctl.models import warn_of_unknown_models
from pushd.pushctl.options import choice, json_option, query_of, verbatim
from pushd.pushctl.output import NAMED_DEVICES, UNAUTHENTICATED, styled
from pushd.pushctl.selectors import list_options
from pushd.pushctl.session import for_each, with_client
from pushd.pushctl.terminal import Fit


def device_columns(now: float) -> Sequence[ListColumn]:
    """The columns of a list of devices; ``now`` is in seconds since the epoch."""
    return (
        ListColumn("id"),
        ListColumn("name", 2, Fit.CUT),
        ListColumn("site", 10, Fit.CUT),
        ListColumn("model", 11, Fit.CUT, show=_fact("model")),
        ListColumn("serial", 12, show=_fact("serial")),
        ListColumn("admission", 3),
        ListColumn("presence", 1),
        ListColumn("polling", 4),
        ListColumn("offline between polls", 9, show=_poll_gap),
        ListColumn("queue", 6),
        ListColumn("in flight", 8),
        ListColumn("last seen", 5, show=age_of("last_seen_at", now)),
        ListColumn("authentication", 7, show=lambda device: styled(device.get("proof") or "unauthenticated")),
    )


def _fact(name: str) -> Show:
    return lambda device: styled((device.get("facts") or {}).get(name))


def _poll_gap(device: Json) -> str:
    gap = device.get("poll_gap")
    return "-" if gap is None else f"{gap:.3g} s"


@click.group(
    invoke_without_command=True,
    epilog=verbatim("Example, the devices that wait for approval:\n  pushctl devices --admission pending"),
)
@list_options
@click.option("--presence", type=choice(PresenceState), help="Only devices in this state.")
@click.option(
    "--q",
    metavar="TEXT",
    help="Only devices whose id, name, serial number, site, tags, address or facts contain TEXT.",
)
@click.option("--sort", type=click.Choice(("id", "name")), help="The order.  [default: id]")
@json_option("Print one JSON array instead of a table.")
@with_client
async def devices(client: AdminClient, /, *, as_json: bool, **filters: Any) -> None:
    """List devices.

    POLLING: whether the server holds a poll of the device now, so that a command arrives within milliseconds. OFFLINE
    BETWEEN POLLS: how long the device cannot receive between two polls. "unauthenticated": the device is known by its
    id alone, so anyone who can reach the device port can pose as it.
    """
    found = await client.devices(query_of(filters))
    now = client.clock.seconds()
    print_list(found, device_columns(now), as_json=as_json, empty="No devices.")
    posed_as = [printable(str(device.get("id"))) for device in found if not device.get("proof")]
    if posed_as and not as_json:
        more = f" and {len(posed_as) - NAMED_DEVICES} more" if len(posed_as) > NAMED_DEVICES else ""
        terminal.echo(f"{', '.join(posed_as[:NAMED_DEVICES])}{more}: {UNAUTHENTICATED}", err=True)


@click.command(epilog=verbatim("Example:\n  pushctl devices orphans controlid:4408801109440198"))
@click.argument("device", metavar="DEVICE", type=DEVICE)
@json_option("Print one JSON array, with the bytes of each result in base64, instead of a table.")
@with_client
async def orphans(client: AdminClient, /, *, device: str, as_json: bool) -> None:
    """List results of a device that match no command, newest first."""
    found = await client.items("devices", device, "orphans")
    print_list(found, _ORPHAN_COLUMNS, as_json=as_json, empty="No orphan results.")


_ORPHAN_COLUMNS = (
    ListColumn("id"),
    ListColumn("at", 1, show=time_of("at")),
    ListColumn("reason", 2, Fit.WRAP),
    ListColumn("reference", 3),
    ListColumn("size", 4),
)


@click.command(
    epilog=verbatim(
        "Examples:\n"
        "  pushctl approve controlid:4408801109440198 servereye:4f1c2d\n"
        "  pushctl approve controlid:0G0200/005B6D --model iDFlex"
    )
)
@click.argument("device_ids", metavar="DEVICE...", type=DEVICE, nargs=-1, required=True)
@click.option("--unblock", is_flag=True, help="Approve devices that are blocked, too.")
@click.option("--model", metavar="MODEL", type=MODEL, help="The model of the devices, by which pushctl open works.")
@json_option("Print each device as a line of JSON.")
@with_client
async def approve(
    client: AdminClient, /, *, device_ids: tuple[str, ...], unblock: bool, model: str | None, as_json: bool
) -> ExitCode:
    """Approve pending devices.

    An approved device is sent its commands. Each DEVICE is an id shown by "pushctl devices". The exit code is 0 if all
    of them are approved now, else 1.
    """
    without_model: list[str] = []

    async def approve_one(device: str) -> Json:
        if not unblock and (await client.device(device)).get("admission") == "blocked":
            raise Withheld("it is blocked; --unblock approves it nevertheless")
        approved = await client.approve(device, model=model)
        if dialect_of(device) == "controlid" and not {"model", "opens_with"} & (approved.get("facts") or {}).keys():
            without_model.append(device)
        return approved

    code = await for_each(device_ids, approve_one, lambda _: "approved", as_json=as_json)
    if without_model:
        terminal.echo(_WITHOUT_MODEL.format(devices=" ".join(map(printable, without_model))), err=True)
    warn_of_unknown_models((device, model) for device in device_ids)
    return code


_WITHOUT_MODEL = (
    "no model is known, so how it opens is not either; to set it: pushctl devices set {devices} --model iDFlex"
)
