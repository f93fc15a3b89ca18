"""``pushctl send``."""

from typing import Any
from uuid import uuid4

import click
from attrs import frozen

from pushd.pushctl.api import AdminClient
from pushd.pushctl.completion import DEVICE, ENDPOINT
from pushd.pushctl.connection import Json
from pushd.pushctl.exit_codes import ExitCode, exit_code_help
from pushd.pushctl.options import CommandWithWait, json_option, option_group, seconds, verbatim, wait_option
from pushd.pushctl.output import print_accepted, print_json
from pushd.pushctl.payloads import PayloadArguments, build_payload
from pushd.pushctl.session import Session, names_key
from pushd.pushctl.wait import wait_and_print

_EXAMPLES = """\
Examples:
  pushctl send controlid:4408801109440198 load_objects \\
      '{"object": "users"}' --wait
  pushctl send controlid:4408801109440198 user_set_image @face.jpg \\
      --content-type application/octet-stream \\
      --query-string 'user_id=7&match=0'
  pushctl send servereye:4f1c2d REFRESH_AGENT --data '{"agent": 3}' --wait 10"""

_PAYLOAD_OPTIONS = ("payload", "verb", "query_string", "content_type", "data", "message")
_DELIVERY_OPTIONS = ("ttl", "priority", "delivery", "not_before", "lease", "deadline", "max_attempts", "trace")


@frozen(kw_only=True)
class SendArguments:
    """A command to send, its idempotency key, and what to do afterwards."""

    device: str
    draft: Json
    key: str
    queue: bool
    unchecked: bool
    wait: float | None
    as_json: bool


_payload_options = option_group(
    click.option("--payload", metavar="JSON", help="The whole payload: JSON, @FILE, or - for standard input."),
    click.option("--verb", type=click.Choice(["GET", "POST"]), help="Control iD: HTTP method of the endpoint."),
    click.option("--query-string", metavar="TEXT", help="Control iD: for example 'user_id=7&match=0'."),
    click.option("--content-type", metavar="TYPE", help="Control iD: content type of BODY, if it is not JSON."),
    click.option("--data", metavar="TEXT", help="Server-Eye: the data: TEXT, @FILE, or - for standard input."),
    click.option(
        "--message", metavar="TEXT", help="Server-Eye: the message, for REMOTE_ACTION of the form a|b|{json}."
    ),
)

_delivery_options = option_group(
    click.option(
        "--ttl", type=seconds, metavar="DURATION", help="Time to live: never send it later. [default: see above]"
    ),
    click.option(
        "--priority", type=click.IntRange(0, 9), metavar="0-9", help="Higher ones are sent first. [default: 5]"
    ),
    click.option(
        "--delivery",
        type=click.Choice(["at_most_once", "at_least_once"]),
        help="Whether to send it again if no result comes. [default: see above]",
    ),
    click.option("--not-before", metavar="TIME", help="Do not send it earlier, as 2030-01-02T03:04:05Z."),
    click.option(
        "--lease", type=seconds, metavar="DURATION", help="Time for the device to acknowledge it or report a result."
    ),
    click.option(
        "--deadline", type=seconds, metavar="DURATION", help="Time that one attempt may take. [default: 3600]"
    ),
    click.option("--max-attempts", type=int, metavar="N", help="Attempts with at_least_once. [default: 5]"),
    click.option("--trace", metavar="TEXT", help="A note that events and lists show, such as the number of a ticket."),
    click.option("--queue", is_flag=True, help="Queue it even if the device has signed off."),
    click.option("--unchecked", is_flag=True, help="Send it even if the device is known to reject it."),
    click.option("--idempotency-key", "key", metavar="KEY", help="Calls with the same key send one command only."),
)


@click.command(cls=CommandWithWait, epilog=verbatim(_EXAMPLES, f"Exit codes:\n{exit_code_help()}"))
@click.argument("device", metavar="DEVICE", type=DEVICE)
@click.argument("what", metavar="[ENDPOINT|CONTROL]", type=ENDPOINT, required=False)
@click.argument("body", metavar="[BODY]", required=False)
@_payload_options
@_delivery_options
@wait_option
@json_option("Print the command as a line of JSON.")
@click.pass_obj
def send(session: Session, /, *, device: str, what: str | None, body: str | None, **options: Any) -> None:
    """Send a command to a device.

    A Control iD device takes an ENDPOINT of its API, and a BODY: a JSON object. With --content-type
    application/octet-stream, BODY is base64. A Server-Eye container takes a CONTROL, and --data.

    BODY, --data and --payload also take @FILE, or - for standard input; the contents of a file or of standard input
    for an octet-stream BODY are encoded in base64 for you.

    A command that only reads is sent again if no result comes (--delivery at_least_once), any other is sent at most
    once (at_most_once). None is sent after its --ttl: 15 seconds if it moves something, such as a door, else 300.
    """
    arguments = PayloadArguments(what=what, body=body, **{name: options[name] for name in _PAYLOAD_OPTIONS})
    delivery = {name: options[name] for name in _DELIVERY_OPTIONS if options[name] is not None}
    request = SendArguments(
        device=device,
        draft={"payload": build_payload(device, arguments), **delivery},
        key=options["key"] or str(uuid4()),
        queue=options["queue"],
        unchecked=options["unchecked"],
        wait=options["wait"],
        as_json=options["as_json"],
    )
    session.perform(lambda client: _send(client, request))


async def _send(client: AdminClient, request: SendArguments) -> ExitCode | None:
    with names_key(request.key):
        command = await client.send(
            request.device, request.draft, key=request.key, queue=request.queue, unchecked=request.unchecked
        )
    if request.wait is not None:
        return await wait_and_print(client, command, request.wait, as_json=request.as_json)
    (print_json if request.as_json else print_accepted)(command)
    return None
