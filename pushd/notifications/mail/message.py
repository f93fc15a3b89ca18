"""Writes the mail about an alert: from values to the bytes of a message (RFC 5322), in plain text.

Names of devices, operators and webhooks are untrusted: they may contain line breaks, control characters, and text that
looks like an encoded word (RFC 2047), which must be shown as it is.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.header import Header
from email.headerregistry import Address, BaseHeader, HeaderRegistry, MessageIDHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from typing import Any, cast

from attrs import asdict, frozen

from pushd.lib.text import duration, local_time
from pushd.model.alert import Alert, AlertKind
from pushd.model.device import Device
from pushd.model.links import NO_LINKS, Links
from pushd.model.timestamps import Now
from pushd.notifications.known_devices import FindDevice
from pushd.notifications.sentences import alert_summary, device_name, safe

LISTED = 100
"""Devices listed in a mail at most; the number of all is in the mail, too."""


class TextHeader:
    """A header of any text in one line. The registry's own type decodes encoded words in what it is given."""

    max_count = 1

    @staticmethod
    def parse(value: str, parsed: dict[str, Any]) -> None:
        """Take the value as it is."""
        parsed["decoded"] = value
        parsed["parse_tree"] = None

    def fold(self, *, policy: Policy) -> str:
        """The header as it is sent: encoded, unless it is ASCII that no mail program takes for an encoded word."""
        text, name = str(self), cast(BaseHeader, self).name
        charset = "us-ascii" if text.isascii() and "=?" not in text else "utf-8"
        encoded = Header(text, charset, header_name=name).encode(linesep=policy.linesep)
        return f"{name}: {encoded}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("subject", cast("type[BaseHeader]", TextHeader))
for _name in ("in-reply-to", "references"):
    _HEADERS.map_to_type(
        _name, cast("type[BaseHeader]", MessageIDHeader)
    )  # a type that is never folded or encoded, however long the value is
_POLICY = SMTP.clone(header_factory=_HEADERS)


@frozen(kw_only=True)
class Envelope:
    """Sender and recipients of a mail, as plain addresses."""

    sender: str
    recipients: tuple[str, ...]


def write_mail(alert: Alert, find_device: FindDevice, envelope: Envelope, now: Now, links: Links = NO_LINKS) -> bytes:
    """The mail about an alert, with CRLF line endings.

    Writing it again gives the same Message-ID, so that duplicates can be recognized. Reminders, and the mail that says
    that the alert was cleared, refer to the first mail in In-Reply-To.
    """
    first = _message_id(f"alert-{alert.public_id}.{alert.raised_at}", envelope.sender)
    subject = f"[pushd] {_subject(alert, find_device)}"
    if alert.mailed_at is None and alert.cleared_at is None:
        headers = {"Subject": subject, "Message-ID": first}
    else:
        suffix = "cleared" if alert.cleared_at is not None else str(alert.mailed_at)
        message_id = _message_id(f"alert-{alert.public_id}.{alert.raised_at}.{suffix}", envelope.sender)
        reply = "" if alert.mailed_at is None else "Re: "
        headers = {"Subject": reply + subject, "Message-ID": message_id, "In-Reply-To": first, "References": first}
    return _write(envelope, now, headers, _lines(alert, find_device, now, links))


def write_test_mail(envelope: Envelope, now: Now, links: Links = NO_LINKS) -> bytes:
    """A mail that is about no alert, with CRLF line endings."""
    headers = {"Subject": "[pushd] test", "Message-ID": _message_id(f"test.{now.wall}", envelope.sender)}
    server = f" at {links.base_url}" if links.base_url else ""
    text = f"This is a test mail from the pushd server{server}. Alerts are mailed in the same way."
    return _write(envelope, now, headers, [text])


def _write(envelope: Envelope, now: Now, headers: Mapping[str, str], lines: Iterable[str]) -> bytes:
    mail = EmailMessage(_POLICY)
    mail["From"] = _address(envelope.sender)
    mail["To"] = [_address(recipient) for recipient in envelope.recipients]
    for name, value in headers.items():
        mail[name] = value
    mail["Date"] = _datetime(now.wall)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies
    body = "\n".join(lines) + "\n"
    mail.set_content(body, cte="7bit" if body.isascii() else "quoted-printable")
    return mail.as_bytes()


def _address(address: str) -> Address:
    return Address(addr_spec=address)


def _message_id(name: str, sender: str) -> str:
    return f"<{name}@{sender.rpartition('@')[2]}>"


def _subject(alert: Alert, find_device: FindDevice) -> str:
    resolved = "" if alert.cleared_at is None else " (resolved)"
    return f"{_summary(alert, find_device)}{resolved}"


def _summary(alert: Alert, find_device: FindDevice) -> str:
    device = ""
    if alert.count == 1:
        found = find_device(alert.devices[0])
        device = device_name(alert.devices[0], "" if found is None else found.name)
    return alert_summary(alert.kind, asdict(alert, recurse=False), device)


def _lines(alert: Alert, find_device: FindDevice, now: Now, links: Links) -> Iterator[str]:
    status = list(_status_lines(alert, now))
    if status:
        yield from (*status, "")
    if alert.kind is AlertKind.WEBHOOK:
        yield f"Webhook {safe(alert.webhook or '')} was disabled, because its receiver did not accept an event."
    elif alert.kind is AlertKind.RESTORED:
        yield "The database lacks events that a server has seen: it was restored, or a standby has taken over."
        yield 'Nothing is sent until "pushctl after-restore" has ended what was open in it.'
    elif alert.kind is AlertKind.NOTIFICATION_QUEUE:
        yield "PostgreSQL's notification queue fills up: a session that listens does not read on."
        yield "When the queue is full, nothing is stored any more. End the session: pg_stat_activity shows it."
    else:
        yield f"{_summary(alert, find_device)}:"
        yield ""
        yield from (_device_line(device, find_device(device), now) for device in alert.devices[:LISTED])
    if alert.count > LISTED:
        yield f"  and {alert.count - LISTED} more"
    yield ""
    yield f"This is alert {alert.public_id}, raised on {_time(alert.raised_at)}."
    if alert.cleared_at is None and alert.acknowledged_at is None:
        yield f'To acknowledge it and stop reminders: "pushctl acknowledge {alert.public_id}".'
    if links.base_url is not None:
        yield from ("", f"Server: {links.base_url}", f"Alert:  {links.alert(alert.public_id)}")
        if alert.count == 1:
            yield f"Device: {links.device(alert.devices[0])}"


def _status_lines(alert: Alert, now: Now) -> Iterator[str]:
    """Whether the alert is resolved, acknowledged, or was mailed before."""
    if alert.cleared_at is not None:
        lasted = duration(alert.duration or 0.0)
        late = "" if alert.mailed_at is not None else "; this mail could not be sent earlier"
        yield f"Resolved on {_time(alert.cleared_at)}, after {lasted}{late}."
    elif alert.mailed_at is not None:
        yield f"Reminder: this alert has been open for {duration((now.elapsed - alert.raised_elapsed) / 1000)}."
    if alert.acknowledged_at is not None:
        yield f"Acknowledged by {safe(alert.acknowledged_by or '')} on {_time(alert.acknowledged_at)}."


def _device_line(device: str, found: Device | None, now: Now) -> str:
    if found is None:
        return f"  {device}  deleted"
    name = f"  {safe(found.name)}" if found.name else ""
    if found.last_seen_at is None:
        return f"  {device}{name}  never seen"
    address = "" if found.last_address is None else f" from {safe(found.last_address)}"
    ago = duration(max(now.wall - found.last_seen_at, 0) / 1000)
    return f"  {device}{name}  last seen on {_time(found.last_seen_at)}{address}, {ago} ago"


def _datetime(wall: int) -> datetime:
    return datetime.fromtimestamp(wall / 1000, UTC)


def _time(wall: int) -> str:
    return local_time(_datetime(wall))
