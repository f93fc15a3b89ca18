"""``pushctl explain``, ``pushctl resolve`` and ``pushctl resend``: what an operator asks and decides about a
command.
"""

from typing import Any

import click

from pushd.lib.text import printable
from pushd.pushctl.api import AdminClient
from pushd.pushctl.exit_codes import Outcome, explained
from pushd.pushctl.following import settle
from pushd.pushctl.options import seconds, verbatim, wait_option
from pushd.pushctl.output import tell_json, tell_outcome
from pushd.pushctl.session import Session

EXAMPLE = "01890a5d-ac96-774b-bcce-b302099a8057"

_json_option = click.option("--json", "as_json", is_flag=True, help="The answer as a line of JSON.")


@click.command(epilog=verbatim(f"Example:\n  pushctl explain {EXAMPLE}"))
@click.argument("command_id", metavar="COMMAND")
@_json_option
@click.pass_obj
def explain(session: Session, /, *, command_id: str, as_json: bool) -> None:
    """Tell in one sentence why a command has not run yet, or what is known of it."""

    async def work(client: AdminClient) -> Outcome:
        explanation = await client.explain(command_id)
        if as_json:
            tell_json(explanation)
        else:
            click.echo(printable(str(explanation.get("sentence", ""))))
        return Outcome.SUCCEEDED

    session.perform(work)


@click.command(
    epilog=verbatim(f"Example, the door was seen to open:\n  pushctl resolve {EXAMPLE} succeeded --note 'seen'")
)
@click.argument("command_id", metavar="COMMAND")
@click.argument("state", type=click.Choice(["succeeded", "failed"]))
@click.option("--note", help="How you know; it stands in the feed, and with a failed command.")
@_json_option
@click.pass_obj
def resolve(session: Session, /, *, command_id: str, state: str, note: str | None, as_json: bool) -> None:
    """Say what became of a command whose outcome is unknown; it is recorded as an operator's word."""

    async def work(client: AdminClient) -> Outcome:
        command = await client.resolve(command_id, state, note)
        (tell_json if as_json else tell_outcome)(command)
        return Outcome.SUCCEEDED

    session.perform(work)


@click.command(
    epilog=verbatim(
        f"Example, once more and only within the next minute:\n  pushctl resend {EXAMPLE} --ttl 60 --wait",
        f"Exit codes with --wait:\n{explained()}",
    )
)
@click.argument("command_id", metavar="COMMAND")
@click.option("--ttl", type=seconds, metavar="SECONDS", help="How long it may wait for its device this time.")
@click.option("--queue", is_flag=True, help="Also if the device signed off: it is sent when it returns.")
@wait_option
@_json_option
@click.pass_obj
def resend(
    session: Session, /, *, command_id: str, ttl: float | None, queue: bool, wait: float | None, as_json: bool
) -> None:
    """Send what failed, expired, was cancelled or has no known outcome again, as a new command.

    It is done once: a second call gives the command that the first one made.
    """

    async def work(client: AdminClient) -> Outcome:
        terms: dict[str, Any] = {} if ttl is None else {"ttl": ttl}
        command = await client.resend(command_id, terms, queue=queue)
        if wait is not None:
            return await settle(client, command, wait, as_json=as_json)
        (tell_json if as_json else tell_outcome)(command)
        return Outcome.SUCCEEDED

    session.perform(work)
