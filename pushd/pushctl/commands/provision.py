"""``pushctl provision``: register a Control iD reader, make its secret, and print its configuration."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from hyperlink import DecodedURL

from pushd.dialects.controlid.models import MODELS
from pushd.lib.text import printable
from pushd.model.device import dialect_of
from pushd.pushctl import private_files, terminal
from pushd.pushctl.api import AdminClient
from pushd.pushctl.commands.device_credentials import check_out
from pushd.pushctl.completion import DEVICE, MODEL, SITE
from pushd.pushctl.connection import Json
from pushd.pushctl.device_address import find_device_url, read_device_url, secret_address
from pushd.pushctl.errors import Withheld
from pushd.pushctl.models import spelled, warn_of_unknown_models
from pushd.pushctl.options import given, json_option, out_option, verbatim
from pushd.pushctl.output import pretty, print_json
from pushd.pushctl.questions import ask
from pushd.pushctl.session import with_client
from pushd.pushctl.terminal import write_line

OVERLAP = 3600
"""Seconds for which the earlier secret stays valid, while the reader gets the new one."""

_TIMEOUT, _PERIOD = "15000", "1"
"""Milliseconds that a reader waits for an answer, as it does by default; and seconds until it polls again."""

_PLACEHOLDER = DecodedURL.from_text("http://HOST:8080")
_REPLACE_HOST = (
    "the address of the device port is not known (--device-url): replace http://HOST:8080 by what the reader reaches"
)

_IN_CLEAR_TEXT = (
    "the address is http: the secret is sent in clear text, and whatever is between the reader and the server can read"
    " it; if you can, serve devices by TLS and give an https address"
)


@click.command(
    epilog=verbatim(
        "Examples:\n"
        "  pushctl provision controlid:0G0200/005B6D --model iDFlex \\\n"
        "      --device-url https://push.example.org\n"
        "  pushctl provision 0G0200/005B6D --rotate --out reader.json"
    )
)
@click.argument("device", metavar="DEVICE", type=DEVICE)
@click.option("--model", metavar="MODEL", type=MODEL, help="Its model, such as iDFlex, which it does not say itself.")
@click.option("--name", metavar="TEXT", help="What people call it.")
@click.option("--site", metavar="TEXT", type=SITE, help="Where it is.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="A tag. May be repeated; all tags are replaced.")
@click.option(
    "--device-url",
    metavar="URL",
    help="The device port as the reader reaches it.  [default: --device-url of the server]",
)
@click.option("--rotate", is_flag=True, help="Make a new secret; the present one stays valid for an hour.")
@out_option
@json_option("With --out: print the device and the file as a line of JSON.")
@with_client
async def provision(
    client: AdminClient,
    /,
    *,
    device: str,
    model: str | None,
    name: str | None,
    site: str | None,
    tags: tuple[str, ...],
    device_url: str | None,
    rotate: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Register a Control iD reader, make its secret, and print its configuration.

    DEVICE is the serial number on the reader's label. A reader that is known is approved. With its secret, no other
    client can pose as it. Without --model, and --device-url if the server has none, asks for them; without a terminal
    they may be missing with --rotate only, and the address has a placeholder then.
    """
    if dialect_of(device) != "controlid":
        raise click.UsageError("Only a Control iD reader; for others, pushctl devices add and pushctl devices secret.")
    check_out(out, as_json=as_json)
    known = await client.find_device(device)
    if known is not None:
        _check_known(known, rotate=rotate)
    can_ask = sys.stdin.isatty() or not rotate
    url = await find_device_url(client, device_url) or (_ask_url() if can_ask else None)
    facts = {} if known is None else known.get("facts") or {}
    model = spelled(model) if model else facts.get("model") or (_ask_model() if can_ask else None)
    changes = given({"name": name, "site": site, "tags": tags, "facts": {"model": model} if model else None})
    if known is None:
        found = await client.call("POST", "devices", body={"id": device, **changes})
    else:
        found = await client.call("PATCH", "devices", device, body={"admission": "approved", **changes})
    issued = await client.issue("devices", device, "secret", overlap=OVERLAP if rotate else 0)
    _hand_over(found, secret_address(url or _PLACEHOLDER, issued.get("path")), out, as_json=as_json)
    if url is None:
        terminal.echo(_REPLACE_HOST, err=True)
    elif url.scheme == "http":
        terminal.echo(_IN_CLEAR_TEXT, err=True)
    if "opens_with" not in facts:
        warn_of_unknown_models([(device, model)])


def _check_known(device: Json, *, rotate: bool) -> None:
    """:raises Withheld: if a reader would be served, or refused, that should not be without a further option."""
    if device.get("admission") == "blocked":
        raise Withheld(f"{device.get('id')} is blocked; pushctl approve --unblock serves it again")
    if "secret" in (device.get("proof") or ()) and not rotate:
        raise Withheld(
            f"{device.get('id')} has a secret; --rotate makes a new one, and the present one stays valid for an hour"
        )


def _ask_url() -> DecodedURL:
    question = "Address of the device port, as the reader reaches it, such as https://push.example.org"
    return read_device_url(ask(question, instead="--device-url"))


def _ask_model() -> str | None:
    text = ask(f"Model of the reader ({', '.join(MODELS)}; - if it is none of them)", instead="--model")
    return None if text == "-" else spelled(text)


def _hand_over(device: Json, address: str, out: Path | None, *, as_json: bool) -> None:
    """Print the configuration, or write it to a file."""
    settings = {
        "push_remote_address": address,
        "push_request_timeout": _TIMEOUT,
        "push_request_period": _PERIOD,
    }
    configuration = pretty({"push_server": settings})
    if out is not None:
        private_files.create(out, f"{configuration}\n")
    if as_json:
        print_json({"device": device.get("id"), "file": str(out)})
        return
    terminal.echo(f"{_named(device)} is registered, and has a secret that is shown only once.")
    if out is not None:
        terminal.echo(f"The body of its set_configuration is in {out}")
        return
    write_line("\nThe body of set_configuration, for the reader's own API:\n")
    write_line(configuration)
    write_line("\nOr the fields of the push server on the reader's own page:\n")
    for line in _fields(settings):
        write_line(line)
    terminal.echo(f"\nIt appears with its first poll: pushctl show {device.get('id')}")


def _named(device: Json) -> str:
    serial: Any = (device.get("facts") or {}).get("serial")
    return printable(f"{device.get('id')} ({serial})" if serial else str(device.get("id")))


def _fields(settings: dict[str, str]) -> Sequence[str]:
    labels = ("Server address", "Timeout (ms)", "Period (s)")
    return [f"  {label:16}{value}" for label, value in zip(labels, settings.values(), strict=True)]
