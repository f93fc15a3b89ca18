"""``pushctl webhooks``: the URLs to which the server sends events."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from pushd.lib.webhook_message import RECEIVER_TIMEOUT
from pushd.model.webhook import WebhookFormat
from pushd.pushctl import terminal
from pushd.pushctl.api import AdminClient
from pushd.pushctl.commands.device_credentials import check_out, write_secret
from pushd.pushctl.completion import WEBHOOK
from pushd.pushctl.connection import Json
from pushd.pushctl.exit_codes import ExitCode
from pushd.pushctl.lists import ListColumn, field, print_list, time_of
from pushd.pushctl.options import (
    EXAMPLE_ID,
    choice,
    given,
    json_option,
    option_group,
    out_option,
    overlap_option,
    verbatim,
)
from pushd.pushctl.output import field_text, print_answer, print_fields, print_json
from pushd.pushctl.selectors import limiting_options, types_option
from pushd.pushctl.session import for_each, with_client
from pushd.pushctl.terminal import Fit

_FIELDS = (
    "id url format types devices sites tags include_result parallel created_at cursor disabled_at disabled_reason"
    " failing_since next_attempt_at"
).split()

_RESETTABLE = ("types", "devices", "sites", "tags")
"""Fields that are lists, and select everything if they are empty."""

_COLUMNS = (
    ListColumn("id"),
    ListColumn("url", 1, Fit.WRAP),
    ListColumn("format", 4),
    ListColumn("types", 5, Fit.WRAP, lambda webhook: field_text(webhook.get("types") or "all")),
    ListColumn("devices", 6, Fit.WRAP, lambda webhook: _selected(webhook)),
    ListColumn("state", 2, show=lambda webhook: webhook_state(webhook)),
    ListColumn("problem", 3, Fit.WRAP, field("disabled_reason")),
)

_DELIVERIES = (
    ListColumn("seq"),
    ListColumn("at", 3, show=time_of("at")),
    ListColumn("took", 4, show=lambda attempt: _took(attempt)),
    ListColumn("status", 1),
    ListColumn("error", 2, Fit.WRAP),
)

_ID = click.argument("webhook", metavar="WEBHOOK", type=WEBHOOK)
_IDS = click.argument("ids", metavar="WEBHOOK...", type=WEBHOOK, nargs=-1, required=True)


@click.group(
    invoke_without_command=True,
    epilog=verbatim("Examples:\n  pushctl webhooks\n  pushctl webhooks add https://example.com/events --site Lisbon"),
)
@json_option("Print one JSON array instead of a table.")
@with_client
async def webhooks(client: AdminClient, /, *, as_json: bool) -> None:
    """List webhooks, or change them.

    Of each URL, which is a secret, its host and its last four characters are shown. STATE is ok, failing or disabled.
    """
    print_list(await client.items("webhooks"), _COLUMNS, as_json=as_json, empty="No webhooks.")


_subscription_options: Callable[[Any], Any] = option_group(
    click.option("--format", type=choice(WebhookFormat), help="standard is JSON, signed; the others are sentences."),
    types_option,
    limiting_options("events of "),
    click.option(
        "--include-result/--no-result", default=None, help="Whether messages about ended commands have the result."
    ),
    click.option("--parallel", type=int, metavar="N", help="How many events may be in flight at once, 1 to 16."),
    json_option("Print the webhook as a line of JSON."),
)
"""The fields of a webhook that ``add`` and ``set`` share."""


@webhooks.command(
    epilog=verbatim(
        "Examples:\n"
        "  pushctl webhooks add https://example.com/events \\\n"
        "      --type command.failed --type command.unknown\n"
        "  pushctl webhooks add - --format slack --type alert.raised \\\n"
        "      --type alert.cleared --site Lisbon < slack-url"
    )
)
@click.argument("url")
@_subscription_options
@out_option
@with_client
async def add(client: AdminClient, /, *, url: str, out: Path | None, as_json: bool, **fields: Any) -> None:
    """Send events to a URL, from the next one on.

    The URLs of Slack and ntfy are secrets, and other users can see command lines: with "-" as URL it is read from
    standard input. The secret that is printed verifies signatures; it is shown only here, or in the file of --out.
    """
    check_out(out, as_json=as_json)
    made = await client.call("POST", "webhooks", body={"url": _read(url), **given(fields)})
    if not as_json:
        terminal.echo(f"{field_text(made.get('id'))} added")
    if as_json or out is not None or made.get("format") == "standard":
        _hand_over(made, out, as_json=as_json)


def _hand_over(made: Json, out: Path | None, *, as_json: bool) -> None:
    """Print a new secret, or write it to a file."""
    if out is None:
        terminal.echo(f"secret {field_text(made.get('secret'))}")
    else:
        print_answer(write_secret(made, "secret", out), f"its secret is in {out}", as_json=as_json)


@webhooks.command(
    name="set",
    epilog=verbatim(
        "Examples:\n"
        f"  pushctl webhooks set {EXAMPLE_ID} --tag door\n"
        f"  pushctl webhooks set {EXAMPLE_ID} \\\n      --all types --all tags"
    ),
)
@_ID
@click.option("--url", metavar="URL", help='Another URL; "-" reads it from standard input.')
@click.option(
    "--all",
    "unselected",
    type=click.Choice(_RESETTABLE),
    multiple=True,
    help="Select all of these again. May be repeated.",
)
@_subscription_options
@with_client
async def change(
    client: AdminClient,
    /,
    *,
    webhook: str,
    url: str | None,
    unselected: Sequence[str],
    as_json: bool,
    **fields: Any,
) -> None:
    """Change a webhook.

    A list that is given replaces the earlier one.
    """
    body = dict.fromkeys(unselected) | ({} if url is None else {"url": _read(url)}) | given(fields)
    if not body:
        raise click.UsageError("Say what to change: see --help.")
    changed = await client.call("PATCH", "webhooks", webhook, body=body)
    print_answer(changed, f"{webhook} changed", as_json=as_json)


@webhooks.command(epilog=verbatim(f"Example:\n  pushctl webhooks show {EXAMPLE_ID}"))
@_ID
@json_option("Print the webhook as a line of JSON.")
@with_client
async def show(client: AdminClient, /, *, webhook: str, as_json: bool) -> None:
    """Show a webhook with its whole URL, which is a secret."""
    found = await client.call("GET", "webhooks", webhook)
    if as_json:
        print_json(found)
    else:
        print_fields(_FIELDS, found)


@webhooks.command(epilog=verbatim(f"Example:\n  pushctl webhooks test {EXAMPLE_ID}"))
@_IDS
@json_option("Print what each receiver answered as a line of JSON.")
@with_client
async def test(client: AdminClient, /, *, ids: tuple[str, ...], as_json: bool) -> ExitCode:
    """Send a test message now, and show what the receiver answered.

    The exit code is 0 if each receiver accepted it (2xx), else 1. A webhook can be tested ten times a minute.
    """
    accepted = []

    async def send_test(webhook: str) -> Json:
        answer = await client.call("POST", "webhooks", webhook, "test", wait=RECEIVER_TIMEOUT)
        accepted.append(_is_accepted(answer))
        return answer

    code = await for_each(ids, send_test, answered, as_json=as_json)
    return code if all(accepted) else ExitCode.REFUSED


@webhooks.command(
    epilog=verbatim(
        f"Example, the attempts of the last hours:\n  pushctl webhooks deliveries {EXAMPLE_ID} \\\n      --limit 200"
    )
)
@_ID
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, metavar="N", help="How many.")
@json_option("Print one JSON array instead of a table.")
@with_client
async def deliveries(client: AdminClient, /, *, webhook: str, limit: int, as_json: bool) -> None:
    """List delivery attempts, newest first.

    SEQ is the event's; STATUS is that of the receiver's answer; ERROR is what went wrong.
    """
    found = await client.items("webhooks", webhook, "deliveries", limit=limit)
    print_list(found, _DELIVERIES, as_json=as_json, empty="No deliveries.")


@webhooks.command(
    epilog=verbatim(
        "Examples:\n"
        f"  pushctl webhooks redeliver {EXAMPLE_ID}\n"
        f"  pushctl webhooks redeliver {EXAMPLE_ID} \\\n"
        "      --after 5f0c8a41e7d2-4711"
    )
)
@_ID
@click.option("--after", metavar="SEQ", help='Start again after this event; "0": with the oldest that is kept.')
@json_option("Print the webhook as a line of JSON.")
@with_client
async def redeliver(client: AdminClient, /, *, webhook: str, after: str | None, as_json: bool) -> None:
    """Enable a webhook, and continue where it stopped.

    Events that failed are sent again at once.
    """
    body = {} if after is None else {"after": after}
    found = await client.call("POST", "webhooks", webhook, "redeliver", body=body)
    sentence = f"{webhook} continues after event {field_text(found.get('cursor'))}"
    print_answer(found, sentence, as_json=as_json)


@webhooks.command(epilog=verbatim(f"Example:\n  pushctl webhooks secret {EXAMPLE_ID} \\\n      --overlap 1h"))
@_ID
@overlap_option
@out_option
@json_option("With --out: print the webhook and the file as a line of JSON.")
@with_client
async def secret(client: AdminClient, /, *, webhook: str, overlap: float, out: Path | None, as_json: bool) -> None:
    """Make a new secret for signatures, which is shown only here.

    Messages are signed with the old one, too, as long as it is valid.
    """
    check_out(out, as_json=as_json)
    made = await client.issue("webhooks", webhook, "secret", overlap=overlap)
    _hand_over({"id": webhook, **made}, out, as_json=as_json)


@webhooks.command(epilog=verbatim(f"Example:\n  pushctl webhooks delete {EXAMPLE_ID}"))
@_IDS
@json_option("Print each deleted webhook as a line of JSON.")
@with_client
async def delete(client: AdminClient, /, *, ids: tuple[str, ...], as_json: bool) -> ExitCode:
    """Delete webhooks and their delivery logs."""
    return await for_each(
        ids, lambda webhook: client.delete("webhooks", webhook), lambda _: "deleted", as_json=as_json
    )


def _read(url: str) -> str:
    return sys.stdin.readline().strip() if url == "-" else url


def _selected(webhook: Json) -> str:
    """Of which devices the events are sent."""
    words = [*(webhook.get("devices") or [])]
    words += [f"site {site}" for site in webhook.get("sites") or []]
    words += [f"tag {tag}" for tag in webhook.get("tags") or []]
    return field_text(words or "all")


def webhook_state(webhook: Json) -> str:
    """Whether a webhook is disabled, its receiver fails, or all is well."""
    if webhook.get("disabled_at") is not None:
        return "disabled"
    return "ok" if webhook.get("failing_since") is None else "failing"


def _took(attempt: Json) -> str:
    took = attempt.get("duration")
    return f"{took:.3g} s" if isinstance(took, int | float) else "-"


def _is_accepted(answer: Json) -> bool:
    status = answer.get("status")
    return isinstance(status, int) and 200 <= status < 300


def answered(answer: Json) -> str:
    """What a receiver made of a message, in words; ``answer`` has ``status``, ``duration`` and ``error``."""
    if _is_accepted(answer):
        return f"accepted: {answer['status']} in {_took(answer)}"
    status, error = answer.get("status"), field_text(answer.get("error"))
    named = error if status is None or str(status) in error else f"{status}: {error}"
    return f"failed after {_took(answer)}: {named}"
