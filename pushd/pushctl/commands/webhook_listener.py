"""``pushctl webhooks listen``."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import click
from hyperlink import URL
from twisted.internet.defer import CancelledError
from twisted.web.client import Agent

from pushd.lib.http_client import BoundedConnectionPool
from pushd.lib.text import printable
from pushd.lib.webhook_sender import IDLE_SECONDS, WebhookSender
from pushd.lib.webhook_signature import is_signing_secret, make_signing_secret
from pushd.model.admin_api import NOW
from pushd.pushctl import terminal
from pushd.pushctl.api import AdminClient
from pushd.pushctl.commands.webhooks import answered
from pushd.pushctl.options import json_option, verbatim
from pushd.pushctl.output import field_text, print_json
from pushd.pushctl.selectors import types_option
from pushd.pushctl.session import CONNECT_TIMEOUT, with_client
from pushd.pushctl.webhook_forwarder import Forwarded, WebhookForwarder

_EXAMPLES = """\
Examples:
  pushctl webhooks listen --forward http://localhost:3000/events
  pushctl webhooks listen --forward http://localhost:3000/events \\
      --type command.succeeded --type command.failed --print"""


def _url(_context: click.Context, _param: click.Parameter, text: str) -> str:
    try:
        url = URL.from_text(text).to_uri()
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not a URL: {error}.") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise click.BadParameter(f"{text!r} is not an http or https URL, such as http://localhost:3000/events.")
    return url.to_text()


def _secret(_context: click.Context, _param: click.Parameter, text: str | None) -> str:
    if text is None:
        return make_signing_secret()
    if not is_signing_secret(text):
        raise click.BadParameter("a secret is whsec_ and 24 to 64 bytes in base64; without --secret one is made.")
    return text


@click.command(epilog=verbatim(_EXAMPLES))
@click.option("--forward", "url", metavar="URL", required=True, callback=_url, help="Where to post events.")
@types_option
@click.option("--after", metavar="SEQ", default=NOW, help="Start after this event instead of now.")
@click.option(
    "--secret", callback=_secret, metavar="SECRET", help="Sign with this secret (whsec_...) instead of a new one."
)
@click.option("--include-result", is_flag=True, help="Messages about ended commands have the result of the device.")
@click.option("--print", "show", is_flag=True, help="Print the headers and the body of each message.")
@json_option("Print the secret, and then each message with the answer, as lines of JSON.")
@with_client
async def listen(
    client: AdminClient,
    /,
    *,
    url: str,
    types: Sequence[str],
    after: str,
    secret: str,
    include_result: bool,
    show: bool,
    as_json: bool,
) -> None:
    """Post events to a URL of this machine as webhooks do, until Ctrl-C.

    The server needs no webhook, and need not reach this machine: pushctl reads the events, and makes the same
    messages, signed with the secret that it prints first. Each event is posted once, whatever the receiver answers;
    none is missed while the server restarts. "--after" posts events again.
    """
    pool = BoundedConnectionPool(client.clock)
    pool.cachedConnectionTimeout = IDLE_SECONDS  # type: ignore[assignment]  # it is any number of seconds
    agent = Agent(client.clock, connectTimeout=CONNECT_TIMEOUT, pool=pool)
    sender = WebhookSender(agent, client.clock)
    forwarder = WebhookForwarder(client, sender, url, secret, types, include_result)
    with suppress(CancelledError):
        position = await forwarder.position(after)
        if as_json:
            print_json({"url": url, "secret": secret, "after": position})
        else:
            terminal.echo(f"secret {secret}")
            terminal.echo(f"Posting events to {url} until Ctrl-C.")
        await forwarder.run(position, partial(_print_json if as_json else _print, whole=show))


def _print(message: Forwarded, *, whole: bool) -> None:
    event = message.event
    answer = {"status": message.status, "duration": message.duration, "error": message.error}
    words = [event["type"], event["device"], message.headers["webhook-id"], answered(answer)]
    terminal.echo("  ".join(field_text(word) for word in words if word is not None))
    if whole:
        for name, value in message.headers.items():
            terminal.write_line(f"{name}: {value}")
        terminal.write_line(f"\n{printable(message.body.decode())}\n")


def _print_json(message: Forwarded, *, whole: bool) -> None:
    shown = {
        "message": message.headers["webhook-id"],
        "type": message.event["type"],
        "device": message.event["device"],
        "status": message.status,
        "duration": round(message.duration, 3),
        "error": message.error,
    }
    print_json(shown | ({"headers": message.headers, "body": message.body.decode()} if whole else {}))
