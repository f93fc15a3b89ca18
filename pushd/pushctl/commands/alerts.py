"""``pushctl alerts`` and ``pushctl acknowledge``."""

from collections.abc import Iterator, Sequence

import click
from rich.text import Text

from pushd.pushctl import terminal
from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Json
from pushd.pushctl.exit_codes import ExitCode
from pushd.pushctl.options import json_option, verbatim
from pushd.pushctl.output import age, alert_subject, duration_text, field_text, print_json, styled, time_text
from pushd.pushctl.session import for_each, with_client
from pushd.pushctl.terminal import Column, Fit


def _columns(*, has_cleared: bool) -> Sequence[Column]:
    """The columns of the table; among open alerts alone the state says nothing, so it is the first to be left out."""
    return (
        Column("id"),
        Column("kind", 3),
        Column("about", 1, Fit.WRAP),
        Column("since", 6),
        Column("for", 4),
        Column("state", 2 if has_cleared else 8),
        Column("by", 5),
        Column("mail error", 7, Fit.WRAP),
    )


@click.command(epilog=verbatim("Example, with the alerts that are over:\n  pushctl alerts --all"))
@click.option("--all", "cleared", is_flag=True, help="Include cleared alerts.")
@json_option("Print one JSON array instead of a table.")
@with_client
async def alerts(client: AdminClient, /, *, cleared: bool, as_json: bool) -> None:
    """List alerts, newest first.

    FOR is how long the alert has been open, or was open; BY is who acknowledged it; MAIL ERROR is
    why the latest mail about it did not reach every recipient.
    """
    found = await client.alerts([] if cleared else [("open", "1")])
    if as_json:
        print_json(found)
    else:
        now = client.clock.seconds()
        terminal.print_table(_columns(has_cleared=cleared), [list(_row(alert, now)) for alert in found])


@click.command(epilog=verbatim("Example:\n  pushctl acknowledge 5f0c8a41e7d2-17 5f0c8a41e7d2-18"))
@click.argument("alert_ids", metavar="ALERT...", nargs=-1, required=True)
@json_option("Print each alert as a line of JSON.")
@with_client
async def acknowledge(client: AdminClient, /, *, alert_ids: tuple[str, ...], as_json: bool) -> ExitCode:
    """Acknowledge alerts and stop their reminders.

    Each ALERT is an id shown by "pushctl alerts". The exit code is 0 if all of them are acknowledged now, else 1.
    """
    return await for_each(alert_ids, client.acknowledge, _acknowledged, as_json=as_json)


def _acknowledged(alert: Json) -> str:
    return f"acknowledged by {field_text(alert.get('acknowledged_by'))}"


def _row(alert: Json, now: float) -> Iterator[Text]:
    cleared = alert.get("cleared_at") is not None
    yield styled(alert.get("id"))
    yield styled(alert.get("kind"))
    yield Text(alert_subject(alert))
    yield Text(time_text(alert.get("raised_at")))
    yield Text(duration_text(alert.get("duration")) if cleared else age(alert.get("raised_at"), now))
    yield styled("cleared" if cleared else "open")
    yield styled(alert.get("acknowledged_by"))
    yield Text(field_text(alert.get("mail_error")))
