"""``pushctl show`` and ``pushctl cancel``."""

import click

from pushd.pushctl.api import AdminClient
from pushd.pushctl.exit_codes import Outcome, explained
from pushd.pushctl.following import settle
from pushd.pushctl.options import verbatim, wait_option
from pushd.pushctl.output import draw_command, tell_json, tell_outcome
from pushd.pushctl.session import Session

EXAMPLE = "01890a5d-ac96-774b-bcce-b302099a8057"


@click.command(
    epilog=verbatim(
        f"Example, wait up to two minutes for it to end:\n  pushctl show {EXAMPLE} --wait 120",
        f"Exit codes with --wait:\n{explained()}",
    )
)
@click.argument("command_id", metavar="COMMAND")
@wait_option
@click.option("--json", "as_json", is_flag=True, help="The command as a line of JSON.")
@click.pass_obj
def show(session: Session, /, *, command_id: str, wait: float | None, as_json: bool) -> None:
    """Show a command: what was sent, what became of it, and what the device said."""

    async def work(client: AdminClient) -> Outcome:
        command = await client.command(command_id)
        if wait is not None:
            return await settle(client, command, wait, as_json=as_json)
        if as_json:
            tell_json(command)
        else:
            draw_command(command)
        return Outcome.SUCCEEDED

    session.perform(work)


@click.command(epilog=verbatim(f"Example:\n  pushctl cancel {EXAMPLE}"))
@click.argument("command_id", metavar="COMMAND")
@click.option("--json", "as_json", is_flag=True, help="The command as a line of JSON.")
@click.pass_obj
def cancel(session: Session, /, *, command_id: str, as_json: bool) -> None:
    """Take a command back.

    One that was never sent is cancelled. One that is out cannot be taken back; if it is delivered at least once, there
    is no further attempt. The exit code is 0 if the server agreed, else 1; the state says what came of it.
    """

    async def work(client: AdminClient) -> Outcome:
        command = await client.cancel(command_id)
        if as_json:
            tell_json(command)
        else:
            tell_outcome(command)
        return Outcome.SUCCEEDED

    session.perform(work)
