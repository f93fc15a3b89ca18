"""Events and alerts as sentences for people. Pure.

Names and errors are untrusted; they are shown in one line each.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pushd.lib.text import duration, one_line
from pushd.model.alert import AlertKind

NAME = 60
"""Characters of a name, an endpoint or a trace at most."""

REASON = 200
"""Characters of an error or a reason at most."""

Data = Mapping[str, Any]


def safe(text: object, limit: int = NAME) -> str:
    """Untrusted text in one line of printable characters."""
    return one_line(str(text), limit, placeholder="?", ellipsis="...")


def device_name(device: str, name: str) -> str:
    """What a device is called: its name and its id, or its id alone."""
    return f"{safe(name)} ({device})" if name else device


def alert_summary(kind: str, about: Data, device: str) -> str:
    """What an alert is about; ``device`` is what its device is called, if it is about one."""
    if kind == AlertKind.WEBHOOK:
        return f"webhook {safe(about.get('webhook') or '')} was disabled"
    if kind == AlertKind.RESTORED:
        return "the database lacks events, nothing is sent: pushctl after-restore"
    if kind == AlertKind.NOTIFICATION_QUEUE:
        return "PostgreSQL's notification queue fills up: a session does not read it"
    count = about.get("count") or 0
    if count == 1:
        return f"{device} is {'flapping' if kind == AlertKind.FLAPPING else 'offline'}"
    site = f" of {safe(about['site'])}" if about.get("site") else ""
    behind = f" behind {safe(about['address'])}" if about.get("address") else ""
    most = "most of the fleet: " if kind == AlertKind.FLEET_OFFLINE else ""
    return f"{most}{count} devices{site}{behind} are offline"


def event_sentence(event: Data) -> str:
    """What happened, by an event as webhooks show it: with the name of its device in its data."""
    kind, data = str(event["type"]), event.get("data") or {}
    device = device_name(str(event.get("device") or "a device"), str(data.get("name") or ""))
    if kind.startswith("command."):
        words = f"{_command(data)} for {device} {_COMMAND.get(kind, _plain(kind))(data)}"
    elif kind.startswith("alert."):
        words = _ALERT.get(kind, _raised)(alert_summary(str(data.get("kind")), data, device), data)
    else:
        words = _OTHER.get(kind, lambda device, _: f"{kind}: {device}")(device, data)
    by = event.get("by")
    added = [f"by {safe(by)}"] if by else []
    added += [f"trace {safe(data['trace'])}"] if data.get("trace") else []
    return f"{words} ({', '.join(added)})." if added else f"{words}."


def _command(data: Data) -> str:
    """The name of a command: its endpoint, or those of a batch."""
    names = data.get("endpoint") or data.get("endpoints") or "a command"
    return safe(names if isinstance(names, str) else ", ".join(map(str, names)))


def _plain(kind: str) -> Callable[[Data], str]:
    word = kind.partition(".")[2]
    return lambda _: f"was {word}"


def _because(reason: object) -> str:
    return f": {safe(reason, REASON)}" if reason else ""


_COMMAND: Mapping[str, Callable[[Data], str]] = {
    "command.queued": lambda data: "was queued again" if data.get("reason") else "was queued",
    "command.succeeded": lambda _: "succeeded",
    "command.failed": lambda data: f"failed{_because(data.get('error'))}",
    "command.expired": lambda _: "expired before it was sent",
    "command.unknown": lambda data: f"has an unknown outcome: it may have run{_because(data.get('error'))}",
    "command.resolved": lambda data: f"was resolved as {safe(data.get('state') or 'ended')}",
}


def _raised(summary: str, _data: Data) -> str:
    return f"Alert: {summary}"


def _cleared(summary: str, data: Data) -> str:
    return f"Resolved after {duration(data.get('duration') or 0.0)}: {summary}"


_ALERT: Mapping[str, Callable[[str, Data], str]] = {
    "alert.raised": _raised,
    "alert.cleared": _cleared,
    "alert.acknowledged": lambda summary, _: f"Acknowledged: {summary}",
}


def _offline(device: str, data: Data) -> str:
    timeout = data.get("heartbeat_timeout")
    return f"{device} is offline" + (f": no report for more than {duration(timeout)}" if timeout else "")


_OTHER: Mapping[str, Callable[[str, Data], str]] = {
    "device.registered": lambda device, _: f"{device} was registered",
    "device.pending": lambda device, _: f"{device} polled for the first time and waits for approval",
    "device.approved": lambda device, _: f"{device} was approved",
    "device.blocked": lambda device, _: f"{device} was blocked",
    "device.deleted": lambda device, _: f"{device} was deleted",
    "device.changed": lambda device, data: f"{device} was changed{_because(', '.join(data.get('fields', ())))}",
    "device.online": lambda device, data: f"{device} is online{' again' if data.get('after') == 'offline' else ''}",
    "device.offline": _offline,
    "device.signed_off": lambda device, _: f"{device} signed off",
    "device.conflict": lambda device, _: f"Two devices may share the id of {device}: their polls replace each other",
    "result.orphaned": lambda device, data: f"A result of {device} was not used{_because(data.get('reason'))}",
    "webhook.failed": lambda _, data: (
        f"Webhook {safe(data.get('webhook') or '')} was disabled{_because(data.get('reason'))}"
    ),
    "pushd.test": lambda _device, _data: "This is a test message from pushd; webhooks to this address work",
}
