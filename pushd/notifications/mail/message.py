"""The mail about an alert: from values to the bytes of a message (RFC 5322), in plain text.

What devices and operators call things is hostile here: it may hold line breaks, or move the cursor.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, MessageIDHeader
from email.message import EmailMessage
from email.policy import SMTP
from typing import cast

from attrs import frozen

from pushd.lib.text import duration, one_line
from pushd.model.alert import Alert, AlertKind
from pushd.model.device import Device

LISTED = 100
"""Devices that a mail lists at most; it tells how many there are."""

NAME = 60
"""Characters of a name that are shown at most."""

_HEADERS = HeaderRegistry()
for _name in ("in-reply-to", "references"):
    _HEADERS.map_to_type(
        _name, cast("type[BaseHeader]", MessageIDHeader)
    )  # which is never folded or encoded, however long it is
_POLICY = SMTP.clone(header_factory=_HEADERS)

LookUp = Callable[[str], Device | None]
"""What is known of a device."""


@frozen(kw_only=True)
class Envelope:
    """From whom a mail comes, and to whom it goes: plain addresses."""

    sender: str
    recipients: tuple[str, ...]


def write_mail(alert: Alert, look_up: LookUp, envelope: Envelope, now: int) -> bytes:
    """The mail about an alert, its lines ending as SMTP wants them; ``now`` is wall milliseconds.

    Its Message-ID is the same each time it is written, so that one that came twice can be known for one. Reminders
    name the first in In-Reply-To.
    """
    mail = EmailMessage(_POLICY)
    mail["From"] = _address(envelope.sender)
    mail["To"] = [_address(recipient) for recipient in envelope.recipients]
    first = _message_id(alert, envelope.sender)
    if alert.mailed_at is None:
        mail["Subject"] = f"[pushd] {_subject(alert, look_up)}"
        mail["Message-ID"] = first
    else:
        mail["Subject"] = f"Re: [pushd] {_subject(alert, look_up)}"
        mail["Message-ID"] = _message_id(alert, envelope.sender, f".{alert.mailed_at}")
        mail["In-Reply-To"] = mail["References"] = first
    mail["Date"] = _moment(now)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday answers this
    body = "\n".join(_lines(alert, look_up, now)) + "\n"
    mail.set_content(body, cte="7bit" if body.isascii() else "quoted-printable")
    return mail.as_bytes()


def _address(address: str) -> Address:
    return Address(addr_spec=address)


def _message_id(alert: Alert, sender: str, which: str = "") -> str:
    return f"<alert-{alert.id}.{alert.raised_at}{which}@{sender.rpartition('@')[2]}>"


def _subject(alert: Alert, look_up: LookUp) -> str:
    over = "" if alert.cleared_at is None else " (over)"
    return f"{_what(alert, look_up)}{over}"


def _what(alert: Alert, look_up: LookUp) -> str:
    if alert.kind is AlertKind.WEBHOOK:
        return f"webhook {_shown(alert.webhook or '')} was disabled"
    if len(alert.devices) == 1:
        device = alert.devices[0]
        found = look_up(device)
        name = f"{_shown(found.name)} ({device})" if found is not None and found.name else device
        return f"{name} {'comes and goes' if alert.kind is AlertKind.FLAPPING else 'is offline'}"
    behind = "" if alert.address is None else f" behind {_shown(alert.address)}"
    return f"{len(alert.devices)} devices{behind} are offline"


def _lines(alert: Alert, look_up: LookUp, now: int) -> Iterator[str]:
    standing = list(_standing(alert, now))
    if standing:
        yield from (*standing, "")
    if alert.kind is AlertKind.WEBHOOK:
        yield f"The webhook {_shown(alert.webhook or '')} could not be delivered for so long that it was disabled."
    else:
        yield f"{_what(alert, look_up)}:"
        yield ""
        yield from (_line(device, look_up(device), now) for device in alert.devices[:LISTED])
    if len(alert.devices) > LISTED:
        yield f"  and {len(alert.devices) - LISTED} more"
    yield ""
    yield f"This is alert {alert.id}, raised on {_time(alert.raised_at)}."
    if alert.cleared_at is None and alert.acknowledged_at is None:
        yield f'To say that you take care of it, and to be reminded no more: "pushctl acknowledge {alert.id}".'


def _standing(alert: Alert, now: int) -> Iterator[str]:
    """What goes before all else: it is over, somebody takes care of it, or it was told before."""
    if alert.cleared_at is not None:
        lasted = duration((alert.cleared_at - alert.raised_at) / 1000)
        yield f"This is over since {_time(alert.cleared_at)}, after {lasted}; no mail could be sent before."
    elif alert.mailed_at is not None:
        yield f"A reminder: this has been open for {duration((now - alert.raised_at) / 1000)}."
    if alert.acknowledged_at is not None:
        yield f"{_shown(alert.acknowledged_by or '')} takes care of it since {_time(alert.acknowledged_at)}."


def _line(device: str, found: Device | None, now: int) -> str:
    if found is None:
        return f"  {device}  no longer known"
    name = f"  {_shown(found.name)}" if found.name else ""
    if found.last_seen_at is None:
        return f"  {device}{name}  never seen"
    address = "" if found.last_address is None else f" from {_shown(found.last_address)}"
    silent = duration((now - found.last_seen_at) / 1000)
    return f"  {device}{name}  last seen on {_time(found.last_seen_at)}{address}, {silent} ago"


def _shown(text: str) -> str:
    """At most :data:`NAME` characters in one line, of those that show as themselves."""
    return one_line(text, NAME, placeholder="?", ellipsis="...")


def _moment(wall: int) -> datetime:
    return datetime.fromtimestamp(wall / 1000, UTC)


def _time(wall: int) -> str:
    return f"{_moment(wall):%Y-%m-%d %H:%M:%S} UTC"
