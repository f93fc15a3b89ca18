"""``pushctl show`` and ``pushctl cancel``."""

import click

from pushd.pushctl.api import AdminClient
from pushd.pushctl.completion import COMMAND, COMMAND_OR_DEVICE
from pushd.pushctl.exit_codes import ExitCode, exit_code_help
from pushd.pushctl.options import EXAMPLE_ID, CommandWithWait, json_option, verbatim, wait_option
from pushd.pushctl.output import print_command, print_device, print_json, print_outcome
from pushd.pushctl.session import with_client
from pushd.pushctl.wait import wait_and_print


@click.command(
    cls=CommandWithWait,
    epilog=verbatim(
        f"Example, wait up to two minutes for it to end:\n  pushctl show {EXAMPLE_ID} --wait 120",
        "Example, a device:\n  pushctl show controlid:4408801109440198",
        f"Exit codes with --wait:\n{exit_code_help()}",
    ),
)
@click.argument("name", metavar="COMMAND|DEVICE", type=COMMAND_OR_DEVICE)
@wait_option
@json_option("Print the command or the device as a line of JSON.")
@with_client
async def show(client: AdminClient, /, *, name: str, wait: float | None, as_json: bool) -> ExitCode | None:
    """Show a command and its result, or a device and its facts."""
    if ":" in name:
        (print_json if as_json else print_device)(await client.device(name))
        return None
    command = await client.command(name)
    if wait is not None:
        return await wait_and_print(client, command, wait, as_json=as_json)
    (print_json if as_json else print_command)(command)
    return None


@click.command(epilog=verbatim(f"Example:\n  pushctl cancel {EXAMPLE_ID}"))
@click.argument("command_id", metavar="COMMAND", type=COMMAND)
@json_option("Print the command as a line of JSON.")
@with_client
async def cancel(client: AdminClient, /, *, command_id: str, as_json: bool) -> None:
    """Cancel a command.

    A command that was never sent becomes "cancelled". One that was sent cannot be cancelled; with at-least-once
    delivery it gets no further attempt. The exit code is 0 if the server accepted the request, else 1; the state shows
    what became of the command.
    """
    command = await client.cancel(command_id)
    (print_json if as_json else print_outcome)(command)
