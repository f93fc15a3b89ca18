"""``pushctl people`` and ``pushctl invite``: who uses the dashboard, and how they log in."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from pushd.model.person import ROLES
from pushd.pushctl import terminal
from pushd.pushctl.api import AdminClient
from pushd.pushctl.commands.device_credentials import check_out, write_secret
from pushd.pushctl.completion import PERSON
from pushd.pushctl.connection import Json
from pushd.pushctl.errors import Refused
from pushd.pushctl.exit_codes import ExitCode
from pushd.pushctl.lists import ListColumn, print_list, time_of
from pushd.pushctl.options import given, json_option, option_group, out_option, verbatim
from pushd.pushctl.output import field_text, print_answer, print_json, time_text
from pushd.pushctl.selectors import scope_options, scope_text, unlimited_option
from pushd.pushctl.session import for_each, with_client
from pushd.pushctl.terminal import Fit

_ROLE = click.Choice([str(role) for role in ROLES])

_change_options = option_group(
    click.argument("name", metavar="NAME", type=PERSON),
    click.option("--role", type=_ROLE, help="What the person may do."),
    scope_options,
    unlimited_option,
)

_COLUMNS = (
    ListColumn("name", 0, Fit.WRAP),
    ListColumn("role", 1),
    ListColumn("scope", 2, Fit.WRAP, scope_text),
    ListColumn("invited until", 3, show=time_of("invited_until")),
    ListColumn("created by", 4, Fit.WRAP),
)


@click.group(
    invoke_without_command=True,
    epilog=verbatim(
        "Examples:\n  pushctl people\n  pushctl people set ana --role viewer\n  pushctl people delete ana"
    ),
)
@json_option("Print one JSON array instead of a table.")
@with_client
async def people(client: AdminClient, /, *, as_json: bool) -> None:
    """List people, or change them.

    SCOPE is what limits a person. "pushctl invite" adds one.
    """
    print_list(await client.items("people"), _COLUMNS, as_json=as_json, empty="No people.")


@people.command(
    name="set",
    epilog=verbatim(
        "Examples:\n  pushctl people set ana --role viewer\n  pushctl people set ana --all sites --tag north"
    ),
)
@_change_options
@json_option("Print the person as a line of JSON.")
@with_client
async def change(
    client: AdminClient, /, *, name: str, role: str | None, unlimited: Sequence[str], as_json: bool, **limits: Any
) -> None:
    """Change the role or the scope of a person, at once.

    A list that is given replaces the earlier one. Open event streams of the person end; the person stays logged in.
    """
    body = dict.fromkeys(unlimited) | given({"role": role, **limits})
    if not body:
        raise click.UsageError("Say what to change: see --help.")
    changed = await client.call("PATCH", "people", name, body=body)
    print_answer(changed, f"{_sentence(changed)}.", as_json=as_json)


@people.command(epilog=verbatim("Example:\n  pushctl people delete ana"))
@click.argument("names", metavar="NAME...", type=PERSON, nargs=-1, required=True)
@json_option("Print the name of each deleted person as a line of JSON.")
@with_client
async def delete(client: AdminClient, /, *, names: tuple[str, ...], as_json: bool) -> ExitCode:
    """Delete people: they are logged out at once, and cannot log in again."""

    async def delete_one(name: str) -> Json:
        await client.call("DELETE", "people", name)
        return {"name": name}

    return await for_each(names, delete_one, lambda _: "deleted", as_json=as_json)


@click.command(
    epilog=verbatim(
        "Examples:\n  pushctl invite ana --role operator --site north\n  pushctl invite ana --out ana.link"
    )
)
@_change_options
@out_option
@json_option("With --out: print the person as a line of JSON.")
@with_client
async def invite(
    client: AdminClient,
    /,
    *,
    name: str,
    role: str | None,
    unlimited: Sequence[str],
    out: Path | None,
    as_json: bool,
    **limits: Any,
) -> None:
    """Print a link with which a person logs in once, within ten minutes; an earlier link ends.

    Who is not known yet is added, which needs --role. Of who is, role and scope are changed if they are given.
    """
    check_out(out, as_json=as_json)
    body = dict.fromkeys(unlimited) | given({"role": role, **limits})
    person = await _add_or_change(client, name, body)
    issued = await client.call("POST", "people", name, "invite")
    shown = person | {"url": issued.get("url"), "expires_at": issued.get("expires_at")}
    _print_link(shown, out, as_json=as_json)


async def _add_or_change(client: AdminClient, name: str, body: Json) -> Json:
    """The person of this name, with these fields."""
    try:
        if body:
            return await client.call("PATCH", "people", name, body=body)
        return await client.call("GET", "people", name)
    except Refused as error:
        if error.status != 404:
            raise
    if "role" not in body:
        raise click.UsageError(f"There is no person {name} yet: give --role to add one.")
    return await client.call("POST", "people", body={"name": name, **body})


def _print_link(person: Json, out: Path | None, *, as_json: bool) -> None:
    """Print a link alone on stdout, and what it is for on stderr; or write it."""
    if out is not None:
        shown = write_secret(person, "url", out)
        if as_json:
            print_json(shown)
            return
    else:
        terminal.write_line(str(person.get("url")))
    link = "Send this link" if out is None else f"Send the link in {out}"
    until = time_text(person.get("expires_at"))
    terminal.echo(f"{link} to {_sentence(person)}: it logs in once, until {until}.", err=True)


def _sentence(person: Json) -> str:
    return f"{field_text(person.get('name'))} ({field_text(person.get('role'))}, {scope_text(person)})"
