"""What an operator sees: tables, one command, one event, and the progress of a wait."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from pushd.pushctl.connection import Json
from pushd.pushctl.happenings import saying
from pushd.pushctl.text import ago, compact, local_time, pretty, under_way_ms, words

_WIDE = 10_000
"""Columns where there is no terminal: whatever reads the text must not find it cut."""

_STYLES = {
    "online": "green",
    "offline": "red",
    "signed_off": "yellow",
    "never_seen": "dim",
    "pending": "yellow",
    "blocked": "red",
    "succeeded": "green",
    "failed": "red",
    "unknown": "red",
    "expired": "yellow",
    "cancelled": "yellow",
    "open": "red",
}

UNPROVEN = "no proof: whoever reaches the device port can be this device; give it a secret, an API key or allow_from"

_FIELDS = (
    "id device state error evidence late attempts max_attempts delivery priority matched_by created_by created_at"
    " not_before expires_at sent_at acknowledged_at finished_at ttl lease deadline resend_of resent_as idempotency_key"
).split()

_TIMES = "created_at not_before expires_at sent_at acknowledged_at finished_at".split()


def styled(value: object) -> Text:
    """A field in the colour that its value has everywhere."""
    return Text(words(value), style=_STYLES.get(str(value), ""))


def plain_table(*columns: str) -> Table:
    """A table without lines, so that it can be cut and searched by other programs."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, no_wrap=index == 0, overflow="fold")
    return table


def draw(table: Table) -> None:
    """Show a table on standard output."""
    Console(width=None if sys.stdout.isatty() else _WIDE).print(table)


def draw_devices(devices: Iterable[Json], now: float) -> None:
    """Show devices, one in a line; ``now`` is seconds since the epoch."""
    table = plain_table(
        "id", "name", "admission", "presence", "polling", "poll gap", "queue", "in flight", "last seen", "proof"
    )
    unproven = False
    for device in devices:
        unproven = unproven or not device.get("proof")
        table.add_row(*_device_row(device, now))
    draw(table)
    if unproven:
        click.echo(UNPROVEN, err=True)


def _device_row(device: Json, now: float) -> Iterator[Text]:
    gap = device.get("poll_gap")
    yield Text(words(device.get("id")))
    yield Text(words(device.get("name")))
    yield styled(device.get("admission"))
    yield styled(device.get("presence"))
    yield Text(words(device.get("polling")))
    yield Text("-" if gap is None else f"{gap:.3g} s")
    yield Text(words(device.get("queue")))
    yield Text(words(device.get("in_flight")))
    yield Text(ago(device.get("last_seen_at"), now))
    yield Text(words(device["proof"])) if device.get("proof") else Text("no proof", style="yellow")


def draw_command(command: Json) -> None:
    """Show everything about one command."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name in _FIELDS:
        if command.get(name) not in (None, ""):
            value = local_time(command[name]) if name in _TIMES else command[name]
            table.add_row(name, styled(value))
    draw(table)
    for name in ("payload", "result"):
        if command.get(name) is not None:
            click.echo(f"{name}\n{pretty(command[name])}")


def tell_accepted(command: Json) -> None:
    """Say that a command was accepted and nothing more."""
    expires = local_time(command.get("expires_at"))
    click.echo(f"{words(command['id'])} {words(command['state'])}; if it is not sent by {expires}, it never is")


def tell_outcome(command: Json) -> None:
    """Say what became of a command, and what the device said."""
    under_way = under_way_ms(command)
    sent = "" if under_way is None else f", on its way after {under_way} ms"
    error = f": {words(command['error'])}" if command.get("error") else ""
    click.echo(f"{words(command['id'])} {words(command['state'])}{sent}{error}")
    if command.get("result") is not None:
        click.echo(pretty(command["result"]))


def tell_event(event: Json) -> None:
    """Show one entry of the feed in a line."""
    click.echo("  ".join([local_time(event.get("at")), words(event.get("type")), *saying(event)]))


def tell_json(value: object) -> None:
    """Show JSON in one line, for programs."""
    click.echo(compact(value))


@contextmanager
def progress(*, seen: bool) -> Iterator[Callable[[Json], None]]:
    """While a wait lasts, something to tell how the command stands; nothing shows if nobody would see it."""
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not seen) as bar:
        task = bar.add_task("waiting", total=None)
        yield lambda command: bar.update(task, description=f"{words(command['id'])} {words(command['state'])}")
