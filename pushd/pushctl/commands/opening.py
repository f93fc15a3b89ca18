"""``pushctl open``."""

from uuid import uuid4

import click

from pushd.lib.text import printable
from pushd.model.opening import MAX_DOOR, Direction, Outcome
from pushd.pushctl import terminal
from pushd.pushctl.api import AdminClient
from pushd.pushctl.completion import DEVICE
from pushd.pushctl.connection import Json
from pushd.pushctl.exit_codes import ExitCode, exit_code, exit_code_help
from pushd.pushctl.options import choice, given, json_option, verbatim
from pushd.pushctl.output import print_json
from pushd.pushctl.session import names_key, with_client

_EXAMPLES = """\
Examples:
  pushctl open controlid:4408801109440198
  pushctl open controlid:4408801109440198 --trace 'ticket 7'
  pushctl open controlid:4408801109440198 --door 2
  pushctl open controlid:4408801109440198 --direction both"""

_EXIT_CODES = f"""\
Exit codes:
  0    the device reported success
{exit_code_help(ExitCode.SUCCEEDED, ExitCode.OPEN)}"""


@click.command("open", epilog=verbatim(_EXAMPLES, _EXIT_CODES))
@click.argument("device", metavar="DEVICE", type=DEVICE)
@click.option(
    "--door",
    type=click.IntRange(1, MAX_DOOR),
    metavar="N",
    help="Which door of a model with several (iDAccess, iDFit, iDBox).  [default: 1]",
)
@click.option(
    "--direction",
    type=choice(Direction),
    help="In which direction a turnstile (iDBlock) may turn.  [default: clockwise]",
)
@click.option("--trace", metavar="TEXT", help="A note that is kept with the command, such as the number of a ticket.")
@click.option("--idempotency-key", "key", metavar="KEY", help="Calls with the same key open once only.")
@json_option("Print the outcome and the command as a line of JSON.")
@with_client
async def open_device(
    client: AdminClient, /, *, device: str, key: str | None, as_json: bool, **options: str | int | None
) -> ExitCode:
    """Open the door, or release the turnstile, of a device.

    It opens within ten seconds, or not at all. The model of the device decides how; set it once:
    pushctl devices set DEVICE --model iDFlex. A door or a direction that it does not have is refused.
    """
    key = key or str(uuid4())
    with names_key(key):
        opening = await client.open(device, given(options), key=key)
    if as_json:
        print_json(opening)
    else:
        _print(opening)
    return ExitCode.UNKNOWN if opening["outcome"] == Outcome.UNKNOWN else exit_code(opening["command"])


def _print(opening: Json) -> None:
    terminal.echo(printable(str(opening.get("detail", ""))))
    if opening["outcome"] == Outcome.UNKNOWN:
        name = printable(str(opening["command"].get("id", "")))
        terminal.echo(f"What the device reports later:  pushctl show {name} --wait")
        terminal.echo(f"To record what you have seen:   pushctl resolve {name} succeeded")
