"""``pushctl alerts`` and ``pushctl acknowledge``."""

from collections.abc import Sequence
from typing import Any

import click
from rich.text import Text

from pushd.model.alert import AlertKind
from pushd.pushctl.api import AdminClient
from pushd.pushctl.completion import OPEN_ALERT
from pushd.pushctl.connection import Json, Query
from pushd.pushctl.exit_codes import ExitCode
from pushd.pushctl.lists import ListColumn, field, print_list, time_of
from pushd.pushctl.options import choice, json_option, query_of, since_option, verbatim
from pushd.pushctl.output import age, alert_subject, duration_text, field_text, styled
from pushd.pushctl.session import for_each, with_client
from pushd.pushctl.terminal import Fit


def _empty(query: Query) -> str:
    """The sentence if there are no such alerts."""
    return {(): "No alerts.", (("open", "1"),): "No open alerts."}.get(tuple(query), "No such alerts.")


def _columns(now: float, *, has_cleared: bool) -> Sequence[ListColumn]:
    """The columns of the table; among open alerts alone the state says nothing, so it is the first to be left out."""
    return (
        ListColumn("id"),
        ListColumn("kind", 3),
        ListColumn("about", 1, Fit.WRAP, alert_subject),
        ListColumn("since", 6, show=time_of("raised_at")),
        ListColumn("for", 4, show=lambda alert: _open_for(alert, now)),
        ListColumn("state", 2 if has_cleared else 8, show=_state),
        ListColumn("by", 5, show=field("acknowledged_by")),
        ListColumn("mail error", 7, Fit.WRAP),
    )


@click.command(
    epilog=verbatim(
        "Examples:\n"
        "  pushctl alerts --unacknowledged\n"
        "  pushctl alerts --all --kind site_offline --since 2026-01-02T00:00:00Z"
    )
)
@click.option("--all", "cleared", is_flag=True, help="Include cleared alerts.")
@click.option(
    "--kind",
    metavar="KIND",
    type=choice(AlertKind),
    multiple=True,
    help=f"Only alerts of this kind: {', '.join(AlertKind)}. May be repeated.",
)
@click.option("--acknowledged/--unacknowledged", default=None, help="Only alerts that were acknowledged, or were not.")
@since_option("Only alerts that were raised since then")
@json_option("Print one JSON array instead of a table.")
@with_client
async def alerts(
    client: AdminClient, /, *, cleared: bool, acknowledged: bool | None, as_json: bool, **filters: Any
) -> None:
    """List alerts, newest first.

    FOR is how long the alert has been open, or was open; BY is who acknowledged it; MAIL ERROR is
    why the latest mail about it did not reach every recipient.
    """
    filters["open"] = None if cleared else "1"
    filters["acknowledged"] = None if acknowledged is None else str(int(acknowledged))
    query = query_of(filters)
    found = await client.alerts(query)
    columns = _columns(client.clock.seconds(), has_cleared=cleared)
    print_list(found, columns, as_json=as_json, empty=_empty(query))


@click.command(epilog=verbatim("Example:\n  pushctl acknowledge 5f0c8a41e7d2-17 5f0c8a41e7d2-18"))
@click.argument("alert_ids", metavar="ALERT...", type=OPEN_ALERT, nargs=-1, required=True)
@json_option("Print each alert as a line of JSON.")
@with_client
async def acknowledge(client: AdminClient, /, *, alert_ids: tuple[str, ...], as_json: bool) -> ExitCode:
    """Acknowledge alerts and stop their reminders.

    Each ALERT is an id shown by "pushctl alerts". The exit code is 0 if all of them are acknowledged now, else 1.
    """
    return await for_each(alert_ids, client.acknowledge, _acknowledged, as_json=as_json)


def _acknowledged(alert: Json) -> str:
    return f"acknowledged by {field_text(alert.get('acknowledged_by'))}"


def _is_open(alert: Json) -> bool:
    return alert.get("cleared_at") is None


def _state(alert: Json) -> Text:
    return styled("open" if _is_open(alert) else "cleared")


def _open_for(alert: Json, now: float) -> str:
    return age(alert.get("raised_at"), now) if _is_open(alert) else duration_text(alert.get("duration"))
