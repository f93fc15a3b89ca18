"""``pushctl status``: what is wrong now, on one screen."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click
from attrs import frozen

from pushd.lib.text import printable
from pushd.model.device import Admission, PresenceState
from pushd.model.lifecycle import State
from pushd.pushctl import terminal
from pushd.pushctl.api import AdminClient
from pushd.pushctl.commands.commands import command_pieces
from pushd.pushctl.commands.webhooks import webhook_state
from pushd.pushctl.connection import Json, Query
from pushd.pushctl.errors import Refused
from pushd.pushctl.exit_codes import ExitCode
from pushd.pushctl.options import json_option, verbatim
from pushd.pushctl.output import age, alert_subject, field_text, parse_time, print_json
from pushd.pushctl.rejections import is_recent, rejection_pieces
from pushd.pushctl.session import with_client

SHOWN = 5
"""Items of each kind that are shown."""

RECENT = 3600.0
"""Seconds for which a rejected request counts as wrong now."""

Pieces = Callable[[Json, float], Iterator[str]]
"""An item in a few words; the number is the time in seconds since the epoch."""


@frozen(kw_only=True)
class Kind:
    """What may be wrong of one kind."""

    name: str
    one: str
    many: str
    """What follows the number of them, if it is one and if not."""
    more: str
    """The call of pushctl that shows all, or ends them."""
    path: str
    """Of the list that has them."""
    query: Query = ()
    pieces: Pieces
    is_wrong: Callable[[Json, float], bool] = lambda _item, _now: True
    """Whether an item that was found is wrong now."""
    is_known: Callable[[Json], bool] = lambda _item: False
    """Whether an operator takes care of it already: it is shown, but the exit code does not count it."""
    is_counted: bool = False
    """Whether the counts of the server have their number, so that only the first need to be read."""


@frozen(kw_only=True)
class Problems:
    """What is wrong of one kind: the first items, or None if the token may not see them, and how many there are."""

    kind: Kind
    items: Sequence[Json] | None
    count: int

    @property
    def are_new(self) -> bool:
        """Whether no operator takes care of some of them yet."""
        return not all(map(self.kind.is_known, self.items or ({},)))


@click.command(
    epilog=verbatim(
        "Example, for a script that must know whether anything is wrong:\n  pushctl status > /dev/null || mail-me",
        f"Exit codes:\n  0  nothing is wrong\n  {ExitCode.TROUBLE.value}  something is\n"
        f"  {ExitCode.REFUSED.value}  the server cannot be reached, or refuses the token",
    )
)
@json_option("Print everything as a line of JSON; null is what the token may not read.")
@with_client
async def status(client: AdminClient, /, *, as_json: bool) -> ExitCode:
    """Show what is wrong now.

    It lists devices that are offline or wait for approval, open alerts, commands whose outcome is unknown, requests of
    devices that were rejected within the last hour, and webhooks that fail.
    """
    info = await client.info()
    is_ready = await client.is_ready()
    now = client.clock.seconds()
    found = [await _find(kind, client, info.get("counts") or {}, now) for kind in _KINDS]
    wrong = [problems for problems in found if problems.count]
    is_well = is_ready and not any(problems.are_new for problems in wrong)
    if as_json:
        listed = {problems.kind.name: problems.items for problems in found}
        print_json({"ok": is_well, "ready": is_ready, "info": info, **listed})
    else:
        _print(info, is_ready, wrong, now)
        hidden = ", ".join(problems.kind.name for problems in found if problems.items is None)
        if hidden:
            terminal.echo(f"(the token may not see: {hidden})", err=True)
    return ExitCode.SUCCEEDED if is_well else ExitCode.TROUBLE


def _print(info: Json, is_ready: bool, wrong: Sequence[Problems], now: float) -> None:
    counts = info.get("counts") or {}
    queued = counts.get("queued")
    started = f", started {age(info['started_at'], now)} ago" if info.get("started_at") else ""
    terminal.echo(
        f"pushd {field_text(info.get('version'))} on {field_text(info.get('node'))}{started}:"
        f" {field_text(counts.get('online'))} of {field_text(counts.get('devices'))} devices online,"
        f" {field_text(queued)} {'command' if queued == 1 else 'commands'} queued"
    )
    if not is_ready:
        terminal.echo("The server is not ready: its store does not work, or it is stopping; see its log.")
    for problems in wrong:
        _print_problems(problems, now)
    if is_ready and not wrong:
        terminal.echo("Nothing is wrong.")


def _print_problems(problems: Problems, now: float) -> None:
    kind = problems.kind
    terminal.echo(f"{problems.count} {kind.one if problems.count == 1 else kind.many}:")
    width = terminal.console().width - terminal.GAP
    for item in (problems.items or ())[:SHOWN]:
        for line in terminal.joined(kind.pieces(item, now), width):
            terminal.write_line(f"{' ' * terminal.GAP}{line}")
    if problems.count > SHOWN:
        terminal.write_line(f"{' ' * terminal.GAP}and {problems.count - SHOWN} more")
    terminal.echo(f"{' ' * terminal.GAP}-> {kind.more}")


async def _find(kind: Kind, client: AdminClient, counts: Mapping[str, Any], now: float) -> Problems:
    items: list[Json] | None
    try:
        found = await client.items(kind.path, query=kind.query, limit=SHOWN if kind.is_counted else None)
        items = [item for item in found if kind.is_wrong(item, now)]
    except Refused as error:
        if error.status != 403:
            raise
        items = None
    count = int(counts.get(kind.name, 0)) if kind.is_counted else len(items or ())
    return Problems(kind=kind, items=items, count=count)


def _is_muted(device: Json, now: float) -> bool:
    until = parse_time(device.get("muted_until"))
    return until is not None and until.timestamp() > now


def _device_pieces(device: Json, now: float) -> Iterator[str]:
    yield field_text(device.get("id"))
    yield from (printable(str(device[name])) for name in ("name", "site") if device.get(name))
    if device.get("last_seen_at"):
        source = f" from {field_text(device['last_address'])}" if device.get("last_address") else ""
        yield f"last seen {age(device['last_seen_at'], now)} ago{source}"


def _alert_pieces(alert: Json, now: float) -> Iterator[str]:
    yield field_text(alert.get("kind"))
    yield alert_subject(alert)
    yield f"for {age(alert.get('raised_at'), now)}"
    if alert.get("acknowledged_by"):
        yield f"acknowledged by {field_text(alert['acknowledged_by'])}"


def _rejection_pieces(rejection: Json, now: float) -> Iterator[str]:
    yield from rejection_pieces(rejection, now)
    yield field_text(rejection.get("remedy"))


def _webhook_pieces(webhook: Json, now: float) -> Iterator[str]:
    yield field_text(webhook.get("id"))
    yield field_text(webhook.get("url"))
    if webhook.get("disabled_at"):
        yield f"disabled {age(webhook['disabled_at'], now)} ago"
    else:
        yield f"failing for {age(webhook.get('failing_since'), now)}"


_KINDS = (
    Kind(
        name="alerts",
        one="alert is open",
        many="alerts are open",
        more="pushctl alerts; pushctl acknowledge ALERT...",
        path="alerts",
        query=[("open", "1")],
        pieces=_alert_pieces,
        is_known=lambda alert: bool(alert.get("acknowledged_by")),
    ),
    Kind(
        name="offline",
        one="device is offline",
        many="devices are offline",
        more="pushctl devices --presence offline",
        path="devices",
        query=[("presence", PresenceState.OFFLINE), ("admission", Admission.APPROVED)],
        pieces=_device_pieces,
        is_wrong=lambda device, now: not _is_muted(device, now),
    ),
    Kind(
        name="unknown",
        one="command has an unknown outcome",
        many="commands have an unknown outcome",
        more="pushctl commands --state unknown; pushctl resolve COMMAND succeeded|failed",
        path="commands",
        query=[("state", State.UNKNOWN)],
        pieces=command_pieces,
        is_counted=True,
    ),
    Kind(
        name="pending",
        one="device waits for approval",
        many="devices wait for approval",
        more="pushctl devices --admission pending; pushctl approve DEVICE...",
        path="devices",
        query=[("admission", Admission.PENDING)],
        pieces=_device_pieces,
        is_counted=True,
    ),
    Kind(
        name="rejections",
        one="kind of request was rejected within the last hour",
        many="kinds of requests were rejected within the last hour",
        more="pushctl rejections",
        path="rejections",
        pieces=_rejection_pieces,
        is_wrong=lambda rejection, now: is_recent(rejection, now, RECENT),
    ),
    Kind(
        name="webhooks",
        one="webhook fails or is disabled",
        many="webhooks fail or are disabled",
        more="pushctl webhooks",
        path="webhooks",
        pieces=_webhook_pieces,
        is_wrong=lambda webhook, _now: webhook_state(webhook) != "ok",
    ),
)
"""In the order in which they are shown."""
