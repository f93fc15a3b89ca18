"""``pushctl devices add``, ``set``, ``block`` and ``forget``, and ``pushctl mute``."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from pushd.model.device import Admission
from pushd.model.facts import OPENS_WITH
from pushd.pushctl import terminal
from pushd.pushctl.api import AdminClient
from pushd.pushctl.completion import DEVICE, MODEL, SITE
from pushd.pushctl.exit_codes import ExitCode
from pushd.pushctl.models import warn_of_unknown_models
from pushd.pushctl.options import given, json_option, option_group, seconds, time_in, verbatim
from pushd.pushctl.output import print_device, print_json, time_text
from pushd.pushctl.questions import confirm
from pushd.pushctl.session import for_each, print_error, with_client

_CLEARABLE = ("name", "site", "tags", "facts", "heartbeat_timeout", "hold", "batch", "allow_from")


def _fact(text: str) -> tuple[str, str | None]:
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise click.BadParameter(f"{text!r} is not NAME=VALUE.")
    return name, value or None


_fields: Callable[[Any], Any] = option_group(
    click.option("--name", metavar="TEXT", help="What people call it."),
    click.option("--site", metavar="TEXT", type=SITE, help="Where it is."),
    click.option("--tag", "tags", metavar="TAG", multiple=True, help="A tag. May be repeated; all tags are replaced."),
    click.option("--model", metavar="MODEL", type=MODEL, help="Its model, such as iDFlex: what pushctl open goes by."),
    click.option("--opens-with", type=click.Choice(OPENS_WITH), help="How it opens, if not as its model does."),
    click.option(
        "--fact",
        "facts",
        metavar="NAME=VALUE",
        type=_fact,
        multiple=True,
        help="Something else about it; without VALUE it is removed. May be repeated.",
    ),
    click.option(
        "--allow-from",
        metavar="CIDR",
        multiple=True,
        help="The only network from which it is served. May be repeated; all are replaced.",
    ),
    click.option("--heartbeat-timeout", metavar="DURATION", type=seconds, help="It is offline after this time."),
    click.option("--hold", metavar="DURATION", type=seconds, help="How long its polls are held."),
    click.option("--batch", metavar="N", type=int, help="How many commands it gets at once."),
)


def _changes(options: Mapping[str, Any], clear: Sequence[str] = ()) -> dict[str, Any]:
    """The body of a change: what was given, and null for what is cleared."""
    changes = given(options)
    facts = dict(changes.pop("facts", ()))
    facts |= {name: changes.pop(name) for name in ("model", "opens_with") if name in changes}
    changes |= {"facts": facts} if facts else {}
    for name in clear:
        if name in changes:
            raise click.UsageError(f"{name} is set and cleared.")
        changes[name] = None
    return changes


@click.command(
    epilog=verbatim(
        'Example:\n  pushctl devices add controlid:0G0200/005B6D \\\n      --name "Main gate" --model iDFlex'
    )
)
@click.argument("device", metavar="DEVICE", type=DEVICE)
@_fields
@json_option("Print the device as a line of JSON.")
@with_client
async def add(client: AdminClient, /, *, device: str, as_json: bool, **options: Any) -> None:
    """Register a device before its first poll; it is approved.

    DEVICE is an id, such as servereye:4f1c2d, or the serial number on the label of a Control iD device.
    """
    added = await client.call("POST", "devices", body={"id": device, **_changes(options)})
    (print_json if as_json else print_device)(added)
    _check_model([device], options)


def _check_model(device_ids: Sequence[str], options: Mapping[str, Any]) -> None:
    if options["opens_with"] is None:
        warn_of_unknown_models((device, options["model"]) for device in device_ids)


@click.command(
    "set",
    epilog=verbatim(
        "Examples:\n"
        "  pushctl devices set servereye:4f1c2d --site Lobby --tag north\n"
        "  pushctl devices set servereye:4f1c2d --clear hold --fact rack="
    ),
)
@click.argument("device_ids", metavar="DEVICE...", type=DEVICE, nargs=-1, required=True)
@_fields
@click.option(
    "--clear", metavar="FIELD", type=click.Choice(_CLEARABLE), multiple=True, help="Reset a field. May be repeated."
)
@json_option("Print each device as a line of JSON.")
@with_client
async def set_fields(
    client: AdminClient, /, *, device_ids: tuple[str, ...], clear: tuple[str, ...], as_json: bool, **options: Any
) -> ExitCode:
    """Change fields of devices; what is not given stays as it is.

    The exit code is 0 if all devices are changed, else 1.
    """
    changes = _changes(options, clear)
    if not changes:
        raise click.UsageError("Nothing to change: give at least one option.")
    code = await for_each(
        device_ids,
        lambda device: client.call("PATCH", "devices", device, body=changes),
        lambda _: "changed",
        as_json=as_json,
    )
    _check_model(device_ids, options)
    return code


@click.command(epilog=verbatim("Example:\n  pushctl devices block controlid:4408801109440198"))
@click.argument("device_ids", metavar="DEVICE...", type=DEVICE, nargs=-1, required=True)
@json_option("Print each device as a line of JSON.")
@with_client
async def block(client: AdminClient, /, *, device_ids: tuple[str, ...], as_json: bool) -> ExitCode:
    """Block devices: their requests are refused from now on.

    What is queued for them waits, as long as its time to live runs. "pushctl approve --unblock" serves them again.
    """
    return await for_each(
        device_ids,
        lambda device: client.call("PATCH", "devices", device, body={"admission": Admission.BLOCKED}),
        lambda _: "blocked",
        as_json=as_json,
    )


@click.command(epilog=verbatim("Example:\n  pushctl devices forget controlid:4408801109440198 --yes"))
@click.argument("device_ids", metavar="DEVICE...", type=DEVICE, nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option("Print the id of each device as a line of JSON.")
@with_client
async def forget(client: AdminClient, /, *, device_ids: tuple[str, ...], yes: bool, as_json: bool) -> ExitCode:
    """Delete devices, with their secrets.

    Queued commands are cancelled; the history stays. A device that polls again is a new one.
    """
    if not yes:
        confirm(f"Delete {', '.join(device_ids)}?", instead="--yes")
    return await for_each(
        device_ids, lambda device: client.delete("devices", device), lambda _: "deleted", as_json=as_json
    )


@click.command(
    epilog=verbatim(
        "Examples:\n"
        "  pushctl devices mute controlid:4408801109440198 --for 2h\n"
        "  pushctl mute --site Lobby --tag north --for 2h\n"
        "  pushctl mute --site Lobby --off"
    )
)
@click.argument("device_ids", metavar="[DEVICE...]", type=DEVICE, nargs=-1)
@click.option("--site", metavar="SITE", type=SITE, help="Devices of this site.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="Devices with this tag. May be repeated: with all.")
@click.option("--for", "duration", metavar="DURATION", type=seconds, help="For how long, such as 2h.")
@click.option("--off", is_flag=True, help="End it: alerts are raised again.")
@json_option("Print the server's answer as a line of JSON.")
@with_client
async def mute(
    client: AdminClient,
    /,
    *,
    device_ids: tuple[str, ...],
    site: str | None,
    tags: tuple[str, ...],
    duration: float | None,
    off: bool,
    as_json: bool,
) -> None:
    """Raise no alerts about devices for a while.

    The devices are those that match all that is given. An alert that is open already stays open.
    """
    if not (device_ids or site or tags):
        raise click.UsageError("Which devices? Give some, or --site or --tag.")
    if (duration is None) is not off:
        raise click.UsageError("Give either --for with a duration, or --off.")
    until = None if duration is None else time_in(client.clock.seconds(), duration)
    selected = given({"devices": device_ids, "site": site, "tags": tags})
    answer = await client.call("POST", "devices", "mute", body={**selected, "until": until})
    if as_json:
        print_json(answer)
    else:
        count = answer.get("count")
        what = "1 device is" if count == 1 else f"{count} devices are"
        terminal.echo(f"{what} not muted any more" if until is None else f"{what} muted until {time_text(until)}")
    if answer.get("count") == 0:
        print_error("no device matches all that was given; a device that comes later is not muted either")
