"""``pushctl send``."""

from typing import Any
from uuid import uuid4

import click
from attrs import frozen
from twisted.internet.defer import CancelledError

from pushd.pushctl.api import AdminClient
from pushd.pushctl.commands.payloads import Words, build_payload
from pushd.pushctl.connection import Json
from pushd.pushctl.errors import Unreachable
from pushd.pushctl.exit_codes import Outcome, explained
from pushd.pushctl.following import settle
from pushd.pushctl.options import seconds, several, verbatim, wait_option
from pushd.pushctl.output import tell_accepted, tell_json
from pushd.pushctl.session import Session, complain

_EXAMPLES = """\
Examples:
  pushctl send controlid:4408801109440198 load_objects '{"object": "users"}' --wait
  pushctl send controlid:4408801109440198 user_set_image @face.jpg \\
      --content-type application/octet-stream --query-string 'user_id=7&match=0'
  pushctl send servereye:4f1c2d REFRESH_AGENT --data '{"agent": 3}' --wait 10"""

_WORDS = ("payload", "verb", "query_string", "content_type", "data", "message")
_TERMS = ("ttl", "priority", "delivery", "not_before", "lease", "deadline", "max_attempts")


@frozen(kw_only=True)
class Order:
    """A command to be sent, and how."""

    device: str
    draft: Json
    key: str
    queue: bool
    wait: float | None
    as_json: bool


_payload_options = several(
    click.option("--payload", metavar="JSON", help="The whole payload: JSON, @FILE, or - for standard input."),
    click.option("--verb", type=click.Choice(["GET", "POST"]), help="Control iD: how the device calls itself."),
    click.option("--query-string", metavar="TEXT", help="Control iD: for example 'user_id=7&match=0'."),
    click.option("--content-type", metavar="TYPE", help="Control iD: of BODY, if it is not JSON."),
    click.option("--data", metavar="TEXT", help="Server-Eye: the data; TEXT, @FILE, or - for standard input."),
    click.option("--message", metavar="TEXT", help="Server-Eye: a message for people."),
)

_term_options = several(
    click.option("--ttl", type=seconds, metavar="SECONDS", help="Never send it later than this (300)."),
    click.option("--priority", type=click.IntRange(0, 9), metavar="0-9", help="Higher goes first (5)."),
    click.option(
        "--delivery",
        type=click.Choice(["at_most_once", "at_least_once"]),
        help="Whether it may run again if no result comes (at_most_once).",
    ),
    click.option("--not-before", metavar="TIME", help="Not before this time, as in 2030-01-02T03:04:05Z."),
    click.option("--lease", type=seconds, metavar="SECONDS", help="How long the device may be silent about it."),
    click.option("--deadline", type=seconds, metavar="SECONDS", help="How long one attempt may work (3600)."),
    click.option("--max-attempts", type=int, metavar="N", help="With at_least_once, how often at most (5)."),
    click.option("--queue", is_flag=True, help="Queue it even if the device has signed off."),
    click.option("--idempotency-key", "key", metavar="KEY", help="The same key sends the same command only once."),
)


@click.command(epilog=verbatim(_EXAMPLES, f"Exit codes:\n{explained()}"))
@click.argument("device", metavar="DEVICE")
@click.argument("what", metavar="[ENDPOINT|CONTROL]", required=False)
@click.argument("body", metavar="[BODY]", required=False)
@_payload_options
@_term_options
@wait_option
@click.option("--json", "as_json", is_flag=True, help="The command as a line of JSON.")
@click.pass_obj
def send(session: Session, /, *, device: str, what: str | None, body: str | None, **options: Any) -> None:
    """Send a device a command.

    A Control iD device takes an ENDPOINT of its own API, and a BODY: a JSON object. With --content-type
    application/octet-stream BODY is base64. A Server-Eye container takes a CONTROL, and --data.

    BODY, --data and --payload also take @FILE, or - for standard input; what a file or standard input holds for an
    octet-stream BODY is put into base64 for you.

    A command is delivered at most once, unless you say --delivery at_least_once, and never after its --ttl.
    """
    words = Words(what=what, body=body, **{name: options[name] for name in _WORDS})
    terms = {name: options[name] for name in _TERMS if options[name] is not None}
    order = Order(
        device=device,
        draft={"payload": build_payload(device, words), **terms},
        key=options["key"] or str(uuid4()),
        queue=options["queue"],
        wait=options["wait"],
        as_json=options["as_json"],
    )
    session.perform(lambda client: _carry_out(client, order))


async def _carry_out(client: AdminClient, order: Order) -> Outcome:
    try:
        command = await client.send(order.device, order.draft, key=order.key, queue=order.queue)
    except (Unreachable, CancelledError) as error:
        if not (isinstance(error, Unreachable) and error.never_sent):
            complain(f"the command may have been accepted; --idempotency-key {order.key} asks again, sending it once")
        raise
    if order.wait is not None:
        return await settle(client, command, order.wait, as_json=order.as_json)
    if order.as_json:
        tell_json(command)
    else:
        tell_accepted(command)
    return Outcome.SUCCEEDED
