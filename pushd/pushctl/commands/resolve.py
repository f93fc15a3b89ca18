"""``pushctl explain``, ``pushctl resolve`` and ``pushctl resend``."""

import click

from pushd.lib.text import printable
from pushd.model.lifecycle import State
from pushd.pushctl.api import AdminClient
from pushd.pushctl.completion import COMMAND, UNKNOWN_COMMAND
from pushd.pushctl.exit_codes import ExitCode, exit_code_help
from pushd.pushctl.options import EXAMPLE_ID, CommandWithWait, choice, json_option, seconds, verbatim, wait_option
from pushd.pushctl.output import print_answer, print_json, print_outcome
from pushd.pushctl.session import in_doubt, with_client
from pushd.pushctl.wait import wait_and_print


@click.command(epilog=verbatim(f"Example:\n  pushctl explain {EXAMPLE_ID}"))
@click.argument("command_id", metavar="COMMAND", type=COMMAND)
@json_option("Print the explanation as a line of JSON.")
@with_client
async def explain(client: AdminClient, /, *, command_id: str, as_json: bool) -> None:
    """Explain the state of a command.

    One sentence says why it has not run yet, or how it ended.
    """
    explanation = await client.explain(command_id)
    print_answer(explanation, printable(str(explanation.get("sentence", ""))), as_json=as_json)


@click.command(
    epilog=verbatim(
        f"Example, after the door was seen to open:\n  pushctl resolve {EXAMPLE_ID} succeeded --note 'seen'"
    )
)
@click.argument("command_id", metavar="COMMAND", type=UNKNOWN_COMMAND)
@click.argument("state", type=choice([State.SUCCEEDED, State.FAILED]))
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
        f"Example, once more, but only within the next minute:\n  pushctl resend {EXAMPLE_ID} --ttl 60 --wait",
        f"Exit codes with --wait:\n{exit_code_help()}",
    ),
)
@click.argument("command_id", metavar="COMMAND", type=COMMAND)
@click.option("--ttl", type=seconds, metavar="DURATION", help="Time to live of the new command.")
@click.option("--trace", metavar="TEXT", help="Another note than that of the command, such as the number of a ticket.")
@click.option("--queue", is_flag=True, help="Queue it even if the device has signed off.")
@click.option("--unchecked", is_flag=True, help="Send it even if the device is known to reject it.")
@wait_option
@json_option("Print the new command as a line of JSON.")
@with_client
async def resend(
    client: AdminClient,
    /,
    *,
    command_id: str,
    ttl: float | None,
    trace: str | None,
    queue: bool,
    unchecked: bool,
    wait: float | None,
    as_json: bool,
) -> ExitCode | None:
    """Send a command again, as a new command.

    It must have failed, expired, been cancelled, or have an unknown outcome. It is sent again only once: a second call
    shows the command that the first one made.
    """
    given = {"ttl": ttl, "trace": trace}
    options = {name: value for name, value in given.items() if value is not None}
    with in_doubt("it may have been sent again; the same call shows the new command, and does not send it twice"):
        command = await client.resend(command_id, options, queue=queue, unchecked=unchecked)
    if wait is not None:
        return await wait_and_print(client, command, wait, as_json=as_json)
    (print_json if as_json else print_outcome)(command)
    return None
