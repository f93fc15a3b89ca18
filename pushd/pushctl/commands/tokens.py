"""``pushctl tokens``: who may use the admin API, and for what."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from pushd.model.token import Role
from pushd.pushctl import terminal
from pushd.pushctl.api import AdminClient
from pushd.pushctl.commands.device_credentials import check_out, write_secret
from pushd.pushctl.completion import TOKEN
from pushd.pushctl.connection import Json
from pushd.pushctl.errors import ClientError, Misconfigured
from pushd.pushctl.exit_codes import ExitCode
from pushd.pushctl.lists import ListColumn, age_of, print_list
from pushd.pushctl.options import (
    choice,
    given,
    json_option,
    option_group,
    out_option,
    overlap_option,
    seconds,
    time_in,
    verbatim,
)
from pushd.pushctl.output import field_text, parse_time, print_answer, print_json, time_text
from pushd.pushctl.selectors import scope_options, scope_text, unlimited_option
from pushd.pushctl.session import for_each, print_error, with_client
from pushd.pushctl.terminal import Fit

NEVER = "never"
_TIME = "2027-01-31T18:00Z"
"""An example."""

_TOKEN = click.argument("token", metavar="TOKEN", type=TOKEN)


def _expiry(text: str) -> float | str:
    """When a token expires: in so many seconds, at a time, or never."""
    if text == NEVER:
        return text
    with suppress(click.BadParameter):
        if (duration := seconds(text)) == 0:
            raise click.UsageError(
                f"--expires {text} has passed: give a duration such as 30d, a time such as {_TIME}, or never."
            )
        return duration
    time = parse_time(text)
    if time is None or time.tzinfo is None:
        raise click.BadParameter(f"{text!r} is neither a duration, such as 30d, a time, such as {_TIME}, nor never.")
    return time.isoformat()


_token_options: Callable[[Any], Any] = option_group(
    scope_options,
    click.option(
        "--expires",
        metavar="WHEN",
        type=_expiry,
        help=f"A duration such as 30d, a time such as {_TIME}, or never.",
    ),
)
"""The fields of a token that ``create`` and ``set`` share."""


def _expiry_text(token: Json, now: float) -> str:
    expires = parse_time(token.get("expires_at"))
    has_expired = expires is not None and expires.timestamp() <= now
    return f"{time_text(token.get('expires_at'))}{' (expired)' if has_expired else ''}"


def _columns(now: float) -> Sequence[ListColumn]:
    return (
        ListColumn("name", 0, Fit.WRAP),
        ListColumn("role", 1),
        ListColumn("scope", 2, Fit.WRAP, scope_text),
        ListColumn("expires", 3, show=lambda token: _expiry_text(token, now)),
        ListColumn("last used", 4, show=age_of("last_used_at", now)),
        ListColumn("created by", 6, Fit.WRAP),
        ListColumn("id", 5),
    )


@click.group(
    invoke_without_command=True,
    epilog=verbatim(
        "Examples:\n"
        "  pushctl tokens\n"
        "  pushctl tokens create lobby --role operator \\\n"
        "      --device controlid:4408801109440198 --endpoint open"
    ),
)
@json_option("Print one JSON array instead of a table.")
@with_client
async def tokens(client: AdminClient, /, *, as_json: bool) -> None:
    """List tokens, or change them.

    SCOPE is what limits a token. LAST USED is how long ago. The secrets are not stored, and cannot be shown.
    """
    print_list(await client.items("tokens"), _columns(client.clock.seconds()), as_json=as_json, empty="No tokens.")


@tokens.command(
    epilog=verbatim(
        "Examples:\n"
        "  pushctl tokens create lobby --role operator \\\n"
        "      --device controlid:4408801109440198 --endpoint open\n"
        "  pushctl tokens create berlin --role viewer --site Berlin \\\n"
        "      --expires 30d --out berlin.token"
    )
)
@click.argument("name")
@click.option("--role", type=choice(Role), required=True, help="What it may do; device: it is a key of devices.")
@_token_options
@out_option
@json_option("With --out: print the token as a line of JSON.")
@with_client
async def create(
    client: AdminClient,
    /,
    *,
    name: str,
    role: str,
    expires: float | str | None,
    out: Path | None,
    as_json: bool,
    **fields: Any,
) -> None:
    """Make a token.

    Its secret is shown only once. NAME is the person or program that gets it: it is in what the token does.
    """
    check_out(out, as_json=as_json)
    body = {"name": name, "role": role, **given(fields), **_expires(client, expires)}
    _print_secret(await client.call("POST", "tokens", body=body), out, as_json=as_json)
    await _warn_of_nothing(client, body)


async def _warn_of_nothing(client: AdminClient, token: Mapping[str, Any]) -> None:
    """Say if no device is within the scope of a token now: most likely it was mistyped."""
    chosen = [("site", site) for site in token.get("sites", ())] + [("tag", tag) for tag in token.get("tags", ())]
    with suppress(ClientError):  # the token is made, whatever becomes of these calls
        if chosen and not await client.items("devices", query=chosen, limit=1):
            print_error(f"no device matches now: {', '.join(f'{name} {value}' for name, value in chosen)}")
        for device in token.get("devices", ()):
            if await client.find_device(device) is None:
                print_error(f"there is no device {device} now")


@tokens.command(
    name="set",
    epilog=verbatim(
        "Examples:\n"
        "  pushctl tokens set lobby --device controlid:4408801109440198 \\\n"
        "      --device controlid:4408801109440199\n"
        "  pushctl tokens set berlin --all tags --expires never"
    ),
)
@_TOKEN
@click.option("--name", metavar="NAME", help="Another name.")
@unlimited_option
@_token_options
@json_option("Print the token as a line of JSON.")
@with_client
async def change(
    client: AdminClient,
    /,
    *,
    token: str,
    name: str | None,
    unlimited: Sequence[str],
    expires: float | str | None,
    as_json: bool,
    **fields: Any,
) -> None:
    """Change the name, the scope or the expiry of a token, by its name or id.

    A list that is given replaces the earlier one. Streams and waits with the token end. The role cannot be changed:
    create another token.
    """
    body = dict.fromkeys(unlimited) | given({"name": name, **fields}) | _expires(client, expires)
    if not body:
        raise click.UsageError("Say what to change: see --help.")
    changed = await client.call("PATCH", "tokens", await _find(client, token), body=body)
    print_answer(changed, _sentence(changed), as_json=as_json)


@tokens.command(epilog=verbatim("Example:\n  pushctl tokens rotate lobby --overlap 24h"))
@_TOKEN
@overlap_option
@out_option
@json_option("With --out: print the token as a line of JSON.")
@with_client
async def rotate(client: AdminClient, /, *, token: str, overlap: float, out: Path | None, as_json: bool) -> None:
    """Give a token, by its name or id, a new secret, which is shown only once.

    The old secret stays valid for the overlap. Of the token "admin" the server rewrites admin.token, too.
    """
    check_out(out, as_json=as_json)
    rotated = await client.issue("tokens", await _find(client, token), "rotate", overlap=overlap)
    _print_secret(rotated, out, as_json=as_json)


@tokens.command(epilog=verbatim("Example:\n  pushctl tokens revoke lobby"))
@click.argument("names", metavar="TOKEN...", type=TOKEN, nargs=-1, required=True)
@json_option("Print each revoked token as a line of JSON.")
@with_client
async def revoke(client: AdminClient, /, *, names: tuple[str, ...], as_json: bool) -> ExitCode:
    """Revoke tokens, by their names or ids: they are invalid at once, and cannot be restored."""

    async def revoke_one(name: str) -> Json:
        return await client.delete("tokens", await _find(client, name))

    return await for_each(names, revoke_one, lambda _: "revoked", as_json=as_json)


async def _find(client: AdminClient, token: str) -> str:
    """The id of a token.

    :raises Misconfigured: if no token has this id or name.
    """
    for found in await client.items("tokens"):
        if token in (found.get("id"), found.get("name")):
            return str(found["id"])
    raise Misconfigured(f'there is no token {token}; "pushctl tokens" lists them')


def _expires(client: AdminClient, expires: float | str | None) -> dict[str, str | None]:
    if expires is None:
        return {}
    if expires == NEVER:
        return {"expires_at": None}
    return {"expires_at": expires if isinstance(expires, str) else time_in(client.clock.seconds(), expires)}


def _print_secret(token: Json, out: Path | None, *, as_json: bool) -> None:
    """Print a new secret alone on stdout, so that a shell can read it, and what it is for on stderr; or write it."""
    secret = str(token.get("token"))
    if out is not None:
        token = write_secret(token, "token", out)
    if as_json:
        print_json(token)
        return
    if out is None:
        terminal.write_line(secret)
        hint = "The secret above is shown only now"
    else:
        hint = f"The secret is in {out}"
    use = "the API key of its devices" if token.get("role") == "device" else 'for PUSHD_TOKEN or "pushctl login"'
    terminal.echo(f"{_sentence(token)} {hint}: {use}.", err=True)


def _sentence(token: Json) -> str:
    expires = token.get("expires_at")
    until = "" if expires is None else f", until {time_text(expires)}"
    return f"Token {field_text(token.get('name'))}: {field_text(token.get('role'))}, {scope_text(token)}{until}."
