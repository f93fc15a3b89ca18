"""Tests of :mod:`pushd.notifications.webhooks.formats`."""

import json
from email.header import decode_header, make_header
from typing import Any

import pytest

from pushd.model.webhook import WebhookFormat
from pushd.notifications.webhooks.formats import NTFY_TEXT, SLACK_TEXT, Message, write_message

EVENT: dict[str, Any] = {
    "seq": "42",
    "type": "command.failed",
    "at": "2027-01-15T08:00:00.678Z",
    "device": "controlid:1",
    "command": "c",
    "data": {"name": "Hintertür", "site": None, "tags": [], "endpoint": "door", "error": "a < b & c"},
}
WORDS = "door for Hintertür (controlid:1) failed: a < b & c."


def text_of(message: Message) -> str:
    """The text of a message for Slack."""
    assert message.headers == {"content-type": "application/json"}
    text: str = json.loads(message.body)["text"]
    return text


def test_standard() -> None:
    """The standard format has the whole event."""
    message = write_message(WebhookFormat.STANDARD, EVENT, "yesterday")
    assert json.loads(message.body) == {"type": EVENT["type"], "timestamp": EVENT["at"], "data": EVENT}
    assert message.headers == {"content-type": "application/json"}


def test_slack() -> None:
    """Slack gets one sentence in ``text``, in which its control characters are escaped."""
    message = write_message(WebhookFormat.SLACK, EVENT)
    assert json.loads(message.body) == {"text": "door for Hintertür (controlid:1) failed: a &lt; b &amp; c."}


def test_no_member_is_notified_in_slack() -> None:
    """The name of a device cannot notify all members of a channel, or pass for a link."""
    for name in ("<!channel>", "<https://evil.example|Sign in>"):
        text = text_of(write_message(WebhookFormat.SLACK, EVENT | {"data": {"name": name}}))
        assert "<" not in text
        assert ">" not in text


def test_ntfy() -> None:
    """Ntfy gets the sentence as text, with the device as the title, which is encoded unless it is ASCII."""
    message = write_message(WebhookFormat.NTFY, EVENT)
    assert message.body.decode() == WORDS
    assert message.headers["content-type"] == "text/plain; charset=utf-8"
    assert str(make_header(decode_header(message.headers["title"]))) == "Hintertür (controlid:1)"
    assert all(value.isascii() and value.isprintable() for value in message.headers.values())
    plain = write_message(WebhookFormat.NTFY, EVENT | {"data": {"name": "Gate"}})
    assert plain.headers["title"] == "Gate (controlid:1)"
    lookalike = write_message(WebhookFormat.NTFY, EVENT | {"data": {"name": "=?UTF-8?Q?x?="}})
    assert str(make_header(decode_header(lookalike.headers["title"]))) == "=?UTF-8?Q?x?= (controlid:1)"


@pytest.mark.parametrize(
    ("kind", "priority", "tags"),
    [
        ("alert.raised", "high", "rotating_light"),
        ("webhook.failed", "high", "warning"),
        ("alert.cleared", None, "white_check_mark"),
        ("device.online", None, None),
    ],
)
def test_priorities(kind: str, priority: str | None, tags: str | None) -> None:
    """What needs attention is of high priority."""
    headers = write_message(WebhookFormat.NTFY, {"type": kind, "data": {}}).headers
    assert (headers.get("priority"), headers.get("tags"), headers["title"]) == (priority, tags, "pushd")


def test_when_it_happened() -> None:
    """A sentence about something earlier says when it was."""
    late = write_message(WebhookFormat.NTFY, EVENT, "2027-01-15 09:00:00+01:00")
    assert late.body.decode() == f"{WORDS} (2027-01-15 09:00:00+01:00)"


def test_results_and_limits() -> None:
    """A result is below the sentence, and cut to what the service takes."""
    short = EVENT | {"data": EVENT["data"] | {"result": {"error": "no"}}}
    assert write_message(WebhookFormat.NTFY, short).body.decode() == f'{WORDS}\n{{"error":"no"}}'
    long = EVENT | {"data": EVENT["data"] | {"result": "ü" * 5000}}
    body = write_message(WebhookFormat.NTFY, long).body
    assert NTFY_TEXT - 2 < len(body) <= NTFY_TEXT
    body.decode()
    assert text_of(write_message(WebhookFormat.SLACK, long)).count("ü") > SLACK_TEXT - len(WORDS) - 10


def test_links() -> None:
    """If the server knows its URL, a message links to the page of the device or alert."""
    link = "https://pushd.example.org/devices/controlid:1"
    assert text_of(write_message(WebhookFormat.SLACK, EVENT, link=link)).endswith(f"\n<{link}>")
    assert write_message(WebhookFormat.NTFY, EVENT, link=link).headers["click"] == link
    assert "click" not in write_message(WebhookFormat.NTFY, EVENT).headers
