"""Types of arguments that the shell completes with what the server has: ids of devices, commands, alerts and others.

A completion that fails offers nothing: a shell has no place for an error message.
"""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any

import click
from click.shell_completion import CompletionItem
from twisted.internet.defer import Deferred

from pushd.dialects.controlid.models import MODELS
from pushd.lib.text import printable
from pushd.model.event import EventType
from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Query
from pushd.pushctl.device_ids import convert_device_id
from pushd.pushctl.errors import ClientError
from pushd.pushctl.profiles import load_profiles, profiles_path
from pushd.pushctl.session import Session

COMPLETION_TIMEOUT = 3.0
"""Seconds after which a completion gives up."""

MAX_CANDIDATES = 100
"""What a completion offers at most."""

Find = Callable[[AdminClient, str], Coroutine[Deferred[Any], Any, Iterable[CompletionItem]]]
"""The candidates for what was typed so far."""


class Completed(click.ParamType[str]):
    """A text whose candidates come from the server."""

    def __init__(self, name: str, find: Find) -> None:
        self.name = name
        self._find = find

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """The candidates that begin with what was typed."""
        found = _ask(ctx, lambda client: self._find(client, incomplete))
        return [item for item in found if item.value.startswith(incomplete)]


class _Device(Completed):
    """The id of a device, which may be given by its serial number."""

    def convert(
        self,
        value: str,
        param: click.Parameter | None,  # noqa: ARG002 - click's signature
        ctx: click.Context | None,  # noqa: ARG002
    ) -> str:
        """The id."""
        return convert_device_id(value)


class Suggested(click.ParamType[str]):
    """A text whose usual values are known on this machine; others are allowed too."""

    def __init__(self, name: str, values: Callable[[], Sequence[str]]) -> None:
        self.name = name
        self._values = values

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """The values that begin with what was typed."""
        return [CompletionItem(value) for value in self._values() if value.startswith(incomplete)]


def _ask(
    ctx: click.Context, find: Callable[[AdminClient], Coroutine[Deferred[Any], Any, Iterable[CompletionItem]]]
) -> list[CompletionItem]:
    """What ``find`` finds on the server that the options before the command select; nothing if it fails."""
    found: list[CompletionItem] = []

    async def work(client: AdminClient) -> None:
        found.extend(await find(client))

    with suppress(click.UsageError):
        Session.of(ctx).attempt(work, COMPLETION_TIMEOUT)
    return found


def _item(value: object, *about: object) -> CompletionItem:
    """A candidate; what is said about it is shown beside it by zsh and fish."""
    words = [str(word) for word in about if word]
    return CompletionItem(str(value), help=printable("; ".join(words)) or None)


def _of_list(name: str, value: str, *about: str, query: Query = ()) -> Find:
    """A finder of one field of a list's items; ``about`` names the fields that describe an item."""

    async def find(client: AdminClient, _incomplete: str) -> Iterable[CompletionItem]:
        items = await client.items(name, query=query, limit=MAX_CANDIDATES)
        return [_item(item.get(value), *(item.get(field) for field in about)) for item in items]

    return find


async def _devices(client: AdminClient, incomplete: str) -> Iterable[CompletionItem]:
    """Devices that match what was typed: of a fleet of thousands, the first hundred would be too few."""
    items = await client.items("devices", query=[("q", incomplete)] if incomplete else [], limit=MAX_CANDIDATES)
    return [_item(item.get("id"), item.get("name"), item.get("site"), item.get("presence")) for item in items]


class EndpointType(click.ParamType[str]):
    """An endpoint or control of the catalogue: of the dialect of the device if one is named before it, else of all."""

    name = "endpoint"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """The names that begin with what was typed, and what they do."""
        device = ctx.params.get("device")
        dialects = [str(device).partition(":")[0]] if device else DIALECTS

        async def find(client: AdminClient) -> Iterable[CompletionItem]:
            items = [item for dialect in dialects for item in await client.whole("catalogue", dialect)]
            return [_item(item.get("name"), item.get("class"), item.get("summary")) for item in items]

        return [item for item in _ask(ctx, find) if item.value.startswith(incomplete)]


DIALECTS = ("controlid", "servereye")


def _profiles() -> Sequence[str]:
    with suppress(ClientError):
        return sorted(load_profiles(profiles_path()).by_name)
    return ()


_commands = _of_list("commands", "id", "state", "endpoint", "device")


async def _sites(client: AdminClient, _incomplete: str) -> Iterable[CompletionItem]:
    return [_item(item["site"]) for item in await client.whole("sites") if item.get("site")]


async def _commands_or_devices(client: AdminClient, incomplete: str) -> Iterable[CompletionItem]:
    return [*await _commands(client, incomplete), *await _devices(client, incomplete)]


DIALECT = Suggested("dialect", lambda: DIALECTS)
MODEL = Suggested("model", lambda: tuple(MODELS))
ENDPOINT = EndpointType()
EVENT_TYPE = Suggested("event type", lambda: [*map(str, EventType)])
PROFILE = Suggested("profile", _profiles)
DEVICE = _Device("device", _devices)
COMMAND = Completed("command", _commands)
UNKNOWN_COMMAND = Completed("command", _of_list("commands", "id", "endpoint", "device", query=[("state", "unknown")]))
COMMAND_OR_DEVICE = _Device("command or device", _commands_or_devices)

OPEN_ALERT = Completed("alert", _of_list("alerts", "id", "kind", "site", query=[("open", "1")]))
WEBHOOK = Completed("webhook", _of_list("webhooks", "id", "url"))
TOKEN = Completed("token", _of_list("tokens", "name", "role"))
PERSON = Completed("person", _of_list("people", "name", "role"))
SESSION = Completed("session", _of_list("sessions", "id", "name", "address"))
SITE = Completed("site", _sites)
