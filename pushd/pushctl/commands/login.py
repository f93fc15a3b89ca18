"""``pushctl login``, ``pushctl logout`` and ``pushctl profiles``: the servers that are selected without options."""

import sys

import click
from attrs import evolve

from pushd.lib.ip_networks import is_local
from pushd.pushctl import terminal
from pushd.pushctl.api import AdminClient
from pushd.pushctl.completion import PROFILE
from pushd.pushctl.lists import ListColumn, field, print_list
from pushd.pushctl.options import json_option, verbatim
from pushd.pushctl.output import field_text, print_json
from pushd.pushctl.profiles import DEFAULT_PROFILE, Profile, Profiles, load_profiles, profiles_path, save_profiles
from pushd.pushctl.server_address import DEFAULT_URL, ServerOptions, read_token, read_url
from pushd.pushctl.session import Session, print_error, reported_errors

_COLUMNS = (
    ListColumn("profile"),
    ListColumn("url", 1),
    ListColumn("used without --profile", 2, show=field("default")),
)


@click.command(
    epilog=verbatim(
        "Examples:\n"
        "  pushctl login https://pushd.example.org\n"
        "  pushctl login https://pushd.example.net --profile lab\n"
        "  pushctl --profile lab devices"
    )
)
@click.argument("url", required=False)
@click.option("--profile", metavar="NAME", type=PROFILE, help="Name of the profile.  [default: default]")
@json_option("Print the profile as a line of JSON.")
@click.pass_obj
def login(session: Session, /, *, url: str | None, profile: str | None, as_json: bool) -> None:
    """Save the URL of a server and a token for it.

    Asks for the token, and does not show it; without a terminal the token is read from standard input. If the server
    accepts the token, both are saved in a file that only you can read, and each call that selects no other server uses
    them. To replace the token of a profile, leave out URL.
    """
    with reported_errors():
        path = profiles_path()
        profiles = load_profiles(path)
        name = profile or session.options.profile or DEFAULT_PROFILE
        address = read_url(url or session.options.url or profiles.url_of(name) or DEFAULT_URL).to_text()
        if _is_exposed(address):
            print_error(
                f"{address} is not encrypted: others can read the token on its way; use https or an SSH tunnel"
            )
        saved = Profile(url=address, token=read_token(_ask_token(address)))

    async def check_and_save(client: AdminClient) -> None:
        info = await client.info()
        changed = profiles.with_profile(name, saved)
        save_profiles(path, changed)
        if as_json:
            print_json({"profile": name, "url": address, "version": info.get("version")})
        else:
            version = field_text(info.get("version"))
            terminal.echo(f"{address} (pushd {version}) is saved as profile {name}, in {path}")
            _print_default(profiles, changed)

    evolve(session, options=ServerOptions(url=address, token=saved.token)).perform(check_and_save)


def _print_default(before: Profiles, after: Profiles) -> None:
    """Say which profile is the default now, if that was changed."""
    if before.default is None or before.default == after.default:
        return
    if after.default is None:
        terminal.echo("No profile is the default now; to choose one: pushctl profiles --default NAME")
    else:
        terminal.echo(f"The default profile is {after.default} now; it was {before.default}.")


def _is_exposed(url: str) -> bool:
    server = read_url(url)
    return server.scheme == "http" and not is_local(server.host)


def _ask_token(url: str) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(f"Token for {url}", hide_input=True, err=True))
    return sys.stdin.readline()


@click.command(epilog=verbatim("Example:\n  pushctl logout lab"))
@click.argument("name", metavar="PROFILE", type=PROFILE)
@json_option("Print the deleted profile as a line of JSON.")
def logout(*, name: str, as_json: bool) -> None:
    """Delete a saved profile and its token.

    The server still accepts the token: revoke it there if others may have it.
    """
    with reported_errors():
        path = profiles_path()
        profiles = load_profiles(path)
        url = profiles.get(name).url
        rest = profiles.without(name)
        save_profiles(path, rest)
    if as_json:
        print_json({"profile": name, "url": url})
    else:
        terminal.echo(f"The profile {name} for {url} is deleted.")
        if rest.by_name:
            _print_default(profiles, rest)


@click.command(epilog=verbatim("Examples:\n  pushctl profiles\n  pushctl profiles --default lab"))
@click.option("--default", metavar="NAME", type=PROFILE, help="Make this profile the default one.")
@json_option("Print one JSON array instead of a table.")
def profiles(*, default: str | None, as_json: bool) -> None:
    """List the servers that "pushctl login" has saved.

    The default one is used in each call that selects no other: that of the latest login, or of --default.
    """
    with reported_errors():
        path = profiles_path()
        saved = load_profiles(path)
        if default is not None:
            saved = saved.with_default(default)
            save_profiles(path, saved)
    items = [
        {"profile": name, "url": each.url, "default": name == saved.default}
        for name, each in sorted(saved.by_name.items())
    ]
    print_list(items, _COLUMNS, as_json=as_json, empty='No profiles; "pushctl login" makes one.')
