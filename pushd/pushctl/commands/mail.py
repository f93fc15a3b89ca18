"""``pushctl mail``: test the mails of alerts."""

import click
from rich.text import Text

from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Json
from pushd.pushctl.exit_codes import ExitCode
from pushd.pushctl.lists import ListColumn, print_list
from pushd.pushctl.options import json_option, verbatim
from pushd.pushctl.output import styled
from pushd.pushctl.session import with_client
from pushd.pushctl.terminal import Fit

SESSION_TIMEOUT = 120.0
"""Seconds after which the server has given up a session with the mail server."""


def _outcome(recipient: Json) -> Text:
    return styled("accepted" if recipient.get("accepted") else "failed")


_COLUMNS = (ListColumn("address"), ListColumn("outcome", 1, show=_outcome), ListColumn("reply", 2, Fit.WRAP))


@click.group(epilog=verbatim("Example:\n  pushctl mail test"))
def mail() -> None:
    """Test the mails of alerts."""


@mail.command(epilog=verbatim("Example:\n  pushctl mail test"))
@json_option("Print one JSON array instead of a table.")
@with_client
async def test(client: AdminClient, /, *, as_json: bool) -> ExitCode:
    """Send a test mail to all recipients, and show what the mail server replied.

    The exit code is 0 if the mail server accepted the mail for all of them, else 1. It can be repeated after a minute.
    """
    answer = await client.call("POST", "mail", "test", wait=SESSION_TIMEOUT)
    recipients = answer.get("recipients") or []
    print_list(recipients, _COLUMNS, as_json=as_json, empty="No recipients.")
    accepted = all(recipient.get("accepted") for recipient in recipients)
    return ExitCode.SUCCEEDED if accepted else ExitCode.REFUSED
