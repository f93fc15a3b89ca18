"""``pushctl alerts`` and ``pushctl acknowledge``."""

from collections.abc import Iterable, Iterator

import click
from rich.text import Text

from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Json
from pushd.pushctl.exit_codes import Outcome
from pushd.pushctl.happenings import about
from pushd.pushctl.options import verbatim
from pushd.pushctl.output import draw, plain_table, styled, tell_json
from pushd.pushctl.session import Session
from pushd.pushctl.several import perform_each
from pushd.pushctl.text import ago, lasting, local_time, words


@click.command(epilog=verbatim("Example, those that are over as well:\n  pushctl alerts --all"))
@click.option("--all", "cleared", is_flag=True, help="Those that are cleared, too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of a table.")
@click.pass_obj
def alerts(session: Session, /, *, cleared: bool, as_json: bool) -> None:
    """List what somebody must be told of, newest first.

    FOR is how long it has been open, or was; BY is who takes care of it.
    """

    async def work(client: AdminClient) -> Outcome:
        found = await client.alerts([] if cleared else [("open", "1")])
        if as_json:
            tell_json(found)
        else:
            _draw(found, client.clock.seconds())
        return Outcome.SUCCEEDED

    session.perform(work)


@click.command(epilog=verbatim("Example:\n  pushctl acknowledge 17 18"))
@click.argument("alert_ids", metavar="ALERT...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Each alert as a line of JSON.")
@click.pass_obj
def acknowledge(session: Session, /, *, alert_ids: tuple[str, ...], as_json: bool) -> None:
    """Say that you take care of alerts: nobody is reminded of them any more.

    Each ALERT is an id as "pushctl alerts" shows it. The exit code is 0 if all of them are acknowledged now, else 1.
    """
    perform_each(session, alert_ids, AdminClient.acknowledge, _taken, as_json=as_json)


def _taken(alert: Json) -> str:
    return f"acknowledged by {words(alert.get('acknowledged_by'))}"


def _draw(alerts: Iterable[Json], now: float) -> None:
    table = plain_table("id", "kind", "about", "since", "for", "state", "by")
    for alert in alerts:
        table.add_row(*_row(alert, now))
    draw(table)


def _row(alert: Json, now: float) -> Iterator[Text]:
    over = alert.get("cleared_at") is not None
    yield Text(words(alert.get("id")))
    yield Text(words(alert.get("kind")))
    yield Text(about(alert))
    yield Text(local_time(alert.get("raised_at")))
    yield Text(lasting(alert.get("duration")) if over else ago(alert.get("raised_at"), now))
    yield styled("cleared" if over else "open")
    yield Text(words(alert.get("acknowledged_by")))
