"""The messages of webhooks in each format. Pure.

Slack: a JSON object with ``text``, in which ``&``, ``<`` and ``>`` are escaped, as the documentation of incoming
webhooks says. ntfy: the text is the body, and the title, priority and tags are headers; titles that are not ASCII are
encoded words (RFC 2047).
"""

from base64 import b64encode
from collections.abc import Mapping

from attrs import frozen

from pushd.lib import strict_json
from pushd.lib.webhook_message import CONTENT_TYPE, Shown, write_body
from pushd.model.webhook import WebhookFormat
from pushd.notifications.sentences import device_name, event_sentence

SLACK_TEXT = 3000
"""Characters of a text for Slack at most, which cuts longer ones."""

NTFY_TEXT = 4096
"""Bytes of a text for ntfy at most; it would make an attachment of a longer one."""

_TEXT = "text/plain; charset=utf-8"
_NTFY: Mapping[str, Mapping[str, str]] = {
    "alert.raised": {"priority": "high", "tags": "rotating_light"},
    "alert.cleared": {"tags": "white_check_mark"},
    "webhook.failed": {"priority": "high", "tags": "warning"},
}


@frozen(kw_only=True)
class Message:
    """A message without its signature."""

    headers: Mapping[str, str]
    body: bytes


def write_message(
    format: WebhookFormat,  # noqa: A002 - the field's name
    event: Shown,
    happened: str = "",
    link: str | None = None,
) -> Message:
    """The message about an event. ``happened`` is when, for people, if it was not just now; ``link`` is the page about
    it, if the URL of this server is known.
    """
    if format is WebhookFormat.STANDARD:
        return Message(headers={"content-type": CONTENT_TYPE}, body=write_body(event))
    text = event_sentence(event) + (f" ({happened})" if happened else "")
    if "result" in (event.get("data") or {}):
        text += f"\n{strict_json.write(event['data']['result'])}"
    return _slack(text, link) if format is WebhookFormat.SLACK else _ntfy(text, event, link)


def _slack(text: str, link: str | None) -> Message:
    escaped = text[:SLACK_TEXT].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if link is not None:
        escaped += f"\n<{link}>"
    return Message(headers={"content-type": CONTENT_TYPE}, body=strict_json.write({"text": escaped}).encode())


def _ntfy(text: str, event: Shown, link: str | None) -> Message:
    data = event.get("data") or {}
    title = device_name(str(event.get("device") or "pushd"), str(data.get("name") or ""))
    headers = {
        "content-type": _TEXT,
        "title": _header(title),
        **_NTFY.get(str(event["type"]), {}),
    }
    if link is not None:
        headers["click"] = link
    return Message(headers=headers, body=text.encode()[:NTFY_TEXT].decode("utf-8", "ignore").encode())


def _header(text: str) -> str:
    if text.isascii() and "=?" not in text:
        return text
    return f"=?UTF-8?B?{b64encode(text.encode()).decode('ascii')}?="
