"""``pushctl explain``, ``pushctl resolve`` and ``pushctl resend``."""

from typing import Any

import click

from pushd.lib.text import printable
from pushd.pushctl import terminal
from pushd.pushctl.api import AdminClient
from pushd.pushctl.exit_codes import ExitCode, exit_code_help
from pushd.pushctl.options import EXAMPLE_COMMAND, CommandWithWait, json_option, seconds, verbatim, wait_option
from pushd.pushctl.output import print_json, print_outcome
from pushd.pushctl.session import with_client
from pushd.pushctl.wait import wait_and_print


@click.command(epilog=verbatim(f"Example:\n  pushctl explain {EXAMPLE_COMMAND}"))
@click.argument("command_id", metavar="COMMAND")
@json_option("Print the explanation as a line of JSON.")
@with_client
async def explain(client: AdminClient, /, *, command_id: str, as_json: bool) -> None:
    """Explain the state of a command.

    One sentence says why it has not run yet, or how it ended.
    """
    explanation = await client.explain(command_id)
    if as_json:
        print_json(explanation)
    else:
        terminal.echo(printable(str(explanation.get("sentence", ""))))


@click.command(
    epilog=verbatim(
        f"Example, after the door was seen to open:\n  pushctl resolve {EXAMPLE_COMMAND} succeeded --note 'seen'"
    )
)
@click.argument("command_id", metavar="COMMAND")
@click.argument("state", type=click.Choice(["succeeded", "failed"]))
@click.option("--note", help="How you know. It is recorded in the event, and as the error of a failed command.")
@json_option("Print the command as a line of JSON.")
@with_client
async def resolve(client: AdminClient, /, *, command_id: str, state: str, note: str | None, as_json: bool) -> None:
    """Record the outcome of a command whose outcome is unknown.

    The command shows that an operator reported it, not the device.
    """
    command = await client.resolve(command_id, state, note)
    (print_json if as_json else print_outcome)(command)


@click.command(
    cls=CommandWithWait,
    epilog=verbatim(
        f"Example, once more, but only within the next minute:\n  pushctl resend {EXAMPLE_COMMAND} --ttl 60 --wait",
        f"Exit codes with --wait:\n{exit_code_help()}",
    ),
)
@click.argument("command_id", metavar="COMMAND")
@click.option("--ttl", type=seconds, metavar="DURATION", help="Time to live of the new command.")
@click.option("--queue", is_flag=True, help="Queue it even if the device has signed off.")
@wait_option
@json_option("Print the new command as a line of JSON.")
@with_client
async def resend(
    client: AdminClient, /, *, command_id: str, ttl: float | None, queue: bool, wait: float | None, as_json: bool
) -> ExitCode | None:
    """Send a command again, as a new command.

    It must have failed, expired, been cancelled, or have an unknown outcome. It is sent again only once: a second call
    shows the command that the first one made.
    """
    options: dict[str, Any] = {} if ttl is None else {"ttl": ttl}
    command = await client.resend(command_id, options, queue=queue)
    if wait is not None:
        return await wait_and_print(client, command, wait, as_json=as_json)
    (print_json if as_json else print_outcome)(command)
    return None
