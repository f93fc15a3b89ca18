"""``pushctl devices secret`` and ``pushctl devices api-key``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pushd.pushctl import private_files, terminal
from pushd.pushctl.api import AdminClient
from pushd.pushctl.completion import DEVICE
from pushd.pushctl.connection import Json
from pushd.pushctl.options import json_option, option_group, out_option, overlap_option, verbatim
from pushd.pushctl.output import compact, print_answer
from pushd.pushctl.session import with_client

_options: Callable[[Any], Any] = option_group(
    click.argument("device", metavar="DEVICE", type=DEVICE),
    overlap_option,
    out_option,
    json_option("With --out: print the device and the file as a line of JSON."),
)


def check_out(out: Path | None, *, as_json: bool) -> None:
    """Refuse, before a secret is made, what would show it to programs or could not keep it.

    :raises click.UsageError: or :exc:`Misconfigured`.
    """
    if out is None:
        if as_json:
            raise click.UsageError("--json needs --out: a secret is not printed for programs.")
    else:
        private_files.check_new(out)


def write_secret(issued: Json, name: str, out: Path) -> Json:
    """Write the secret that the server has issued to a new file; what is shown instead.

    :raises Misconfigured: if it cannot be written.
    """
    private_files.create(out, f"{issued.get(name)}\n")
    return {each: value for each, value in issued.items() if each != name} | {"out": str(out)}


@click.command(epilog=verbatim("Example:\n  pushctl devices secret controlid:4408801109440198 --overlap 1h"))
@_options
@with_client
async def secret(client: AdminClient, /, *, device: str, overlap: float, out: Path | None, as_json: bool) -> None:
    """Make a new secret path for a device, without which it is not served.

    It is the path of the server's address as the device has it, and is shown only once. "pushctl provision" prints the
    whole configuration of a Control iD device.
    """
    await _issue(client, device, "secret", "path", overlap, out, as_json)


@click.command("api-key", epilog=verbatim("Example:\n  pushctl devices api-key servereye:4f1c2d --out key.json"))
@_options
@with_client
async def api_key(client: AdminClient, /, *, device: str, overlap: float, out: Path | None, as_json: bool) -> None:
    """Make a new API key for a Server-Eye container, without which it is not served; it is shown only once."""
    await _issue(client, device, "api-key", "key", overlap, out, as_json)


async def _issue(
    client: AdminClient, device: str, kind: str, shown: str, overlap: float, out: Path | None, as_json: bool
) -> None:
    check_out(out, as_json=as_json)
    issued = await client.issue("devices", device, kind, overlap=overlap)
    if out is None:
        terminal.echo(str(issued.get(shown)))
        return
    private_files.create(out, f"{compact({'device': device, **issued})}\n")
    print_answer({"device": device, "file": str(out)}, f"written to {out}", as_json=as_json)
