"""How ``pushctl`` shows values, commands, events and alerts, to people and as JSON."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import define, field
from rich.text import Text

from pushd.lib.text import duration, local_time, printable
from pushd.model.alert import AlertKind
from pushd.pushctl import terminal
from pushd.pushctl.connection import Json
from pushd.pushctl.terminal import write_line

NAMED_DEVICES = 3
"""Devices of an alert that are named; there may be a thousand."""

FULL_TIMES_FROM = 120
"""In a terminal of fewer columns, events have no date of their own; it stands on a line above them, once a day."""

UNAUTHENTICATED = (
    "unauthenticated: anyone who can reach the device port can pose as this device;"
    " give it a secret, an API key or allow_from"
)

_STYLES = {
    "online": "green",
    "offline": "red",
    "site_offline": "red",
    "fleet_offline": "red",
    "signed_off": "yellow",
    "never_seen": "dim",
    "pending": "yellow",
    "blocked": "red",
    "succeeded": "green",
    "failed": "red",
    "unknown": "red",
    "expired": "yellow",
    "cancelled": "yellow",
    "open": "red",
    "unauthenticated": "yellow",
}

_COMMAND_SUMMARY = "endpoint endpoints state error device created_by trace id".split()
_COMMAND_FIELDS = (
    "evidence late attempts max_attempts delivery priority matched_by created_at"
    " not_before expires_at sent_at acknowledged_at finished_at ttl lease deadline resend_of resent_as idempotency_key"
).split()

_DEVICE_FIELDS = (
    "id name site tags admission presence polling poll_gap last_seen_at last_address queue in_flight proof allow_from"
    " hold learned_hold batch heartbeat_timeout muted_until created_at"
).split()

_TIME_FIELDS = (
    "started_at created_at not_before expires_at sent_at acknowledged_at finished_at last_seen_at muted_until".split()
)


# single values


def field_text(value: object) -> str:
    """A field of the API in one line; a missing or empty one is a dash."""
    if value is None or value in ("", [], {}):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return printable(", ".join(map(str, value)))
    if isinstance(value, dict):
        return printable(", ".join(f"{name}={item}" for name, item in value.items()))
    return printable(f"{value:g}" if isinstance(value, float) else str(value))


def styled(value: object) -> Text:
    """A field in the colour that its value has everywhere."""
    return Text(field_text(value), style=_STYLES.get(str(value), ""))


def compact(value: object) -> str:
    """JSON in one line of ASCII."""
    return json.dumps(value, separators=(",", ":"))


def pretty(value: object) -> str:
    """JSON over several lines, for people."""
    lines = json.dumps(value, indent=2, ensure_ascii=False).splitlines()
    return "\n".join(map(printable, lines))


def parse_time(text: object) -> datetime | None:
    """A time of the API; None if there is none."""
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def time_text(text: object) -> str:
    """A time of the API in the local time zone, with its offset."""
    time = parse_time(text)
    return "-" if time is None else local_time(time, "milliseconds")


def age(text: object, now: float) -> str:
    """How long ago a time of the API was; ``now`` is in seconds since the epoch."""
    time = parse_time(text)
    return "-" if time is None else duration(now - time.timestamp())


def duration_text(seconds: object) -> str:
    """A duration of the API; a missing one is a dash."""
    return duration(seconds) if isinstance(seconds, int | float) else "-"


def sent_after_ms(command: Mapping[str, Any]) -> int | None:
    """Milliseconds from when a command was accepted until it was last sent; None if it was not sent."""
    created, sent = parse_time(command.get("created_at")), parse_time(command.get("sent_at"))
    if created is None or sent is None:
        return None
    return round((sent - created) / timedelta(milliseconds=1))


def print_json(value: object) -> None:
    """Print JSON in one line."""
    write_line(compact(value))


def print_answer(answer: Json, sentence: str, *, as_json: bool) -> None:
    """Print what the server answered, or a sentence about it."""
    if as_json:
        print_json(answer)
    else:
        terminal.echo(sentence)


# devices


def print_device(device: Json) -> None:
    """Print everything about one device, its facts below the other fields."""
    print_fields(_DEVICE_FIELDS, device)
    facts = device.get("facts") or {}
    if facts:
        write_line("facts")
        print_fields(sorted(facts), facts, indent=terminal.GAP)
    if not device.get("proof"):
        terminal.echo(UNAUTHENTICATED, err=True)


def print_fields(names: Iterable[str], values: Json, indent: int = 0) -> None:
    """Print each field that is set, beside its name."""
    screen = terminal.console()
    names = [name for name in names if values.get(name) not in (None, "", [], {})]
    label_width = max(map(len, names), default=0) + terminal.GAP
    for name in names:
        value = styled(time_text(values[name]) if name in _TIME_FIELDS else values[name])
        for line in _labelled(printable(name), value, label_width, screen.width - indent):
            screen.print(Text(" " * indent) + line, soft_wrap=True)


# commands


def endpoints_text(command: Json) -> str:
    """What a command calls: an endpoint, a control, or the different ones of a batch."""
    return field_text(command.get("endpoint") or command.get("endpoints"))


def print_command(command: Json) -> None:
    """Print everything about one command: first what it called and what came of it."""
    print_fields(_COMMAND_SUMMARY, command)
    _print_large("result", command)
    print_fields(_COMMAND_FIELDS, command)
    _print_large("payload", command)


def _print_large(name: str, command: Json) -> None:
    if command.get(name) is not None:
        write_line(f"{name}\n{pretty(command[name])}")


def _labelled(name: str, value: Text, label_width: int, width: int) -> Iterator[Text]:
    """A field beside its name, or below it if one of its words does not fit beside it."""
    longest = max((Text(word).cell_len for word in value.plain.split()), default=0)
    label = Text.assemble((name, "bold"))
    if label_width + longest <= width:
        label.pad_right(label_width - len(name))
        yield from terminal.broken(label + value, width, label_width)
    else:
        yield label
        yield from terminal.broken(Text(" " * terminal.GAP) + value, width, terminal.GAP)


def print_accepted(command: Json) -> None:
    """Print that a command was accepted."""
    expires = time_text(command.get("expires_at"))
    terminal.echo(f"{field_text(command['id'])} {field_text(command['state'])}; expires if not sent by {expires}")


def print_outcome(command: Json) -> None:
    """Print the state of a command, and the device's result."""
    milliseconds = sent_after_ms(command)
    sent = "" if milliseconds is None else f", sent after {milliseconds} ms"
    error = f": {field_text(command['error'])}" if command.get("error") else ""
    terminal.echo(f"{field_text(command['id'])} {field_text(command['state'])}{sent}{error}")
    if command.get("result") is not None:
        write_line(pretty(command["result"]))


# alerts and events


def alert_subject(alert: Json) -> str:
    """What an alert is about: the first few devices and the number of the others, a webhook, or the database."""
    if alert.get("kind") in (AlertKind.RESTORED, AlertKind.NOTIFICATION_QUEUE):
        return "the database"
    devices = alert.get("devices") or []
    named = ", ".join(map(str, devices[:NAMED_DEVICES])) or field_text(alert.get("webhook"))
    count = alert.get("count") or len(devices)
    more = f" and {count - NAMED_DEVICES} more" if count > NAMED_DEVICES else ""
    site = f" of {alert['site']}" if alert.get("site") else ""
    behind = f" behind {alert['address']}" if alert.get("address") else ""
    return printable(f"{named}{more}{site}{behind}")


@define(eq=False)
class EventPrinter:
    """Prints events, each in one line, or in several if the terminal is too narrow for it."""

    _day: str = field(default="", init=False)

    def print(self, event: Json) -> None:
        """Print one event."""
        width = terminal.console().width
        time = time_text(event.get("at"))
        if width < FULL_TIMES_FROM:
            day, _, time = time.rpartition(" ")
            if day and day != self._day:
                write_line(day)
            self._day = day
        for line in terminal.joined([time, field_text(event.get("type")), *_event_details(event)], width):
            write_line(line)


def _event_details(event: Json) -> list[str]:
    """The device and the command of an event, its data, and who caused it; data in words for the types in
    :data:`_WORDS`, else as JSON.
    """
    by = [f"by {field_text(event['by'])}"] if event.get("by") else []
    return [*_about(event), *by]


def _about(event: Json) -> list[str]:
    kind, data = str(event.get("type")), event.get("data")
    if not isinstance(data, dict):
        data = {}
    if kind.startswith("alert."):
        return _alert_details(data)
    ids = [field_text(event[name]) for name in ("device", "command") if event.get(name)]
    if kind.startswith("command."):
        return _command_details(ids, data)
    if kind.startswith("device."):
        ids += [field_text(data["name"])] if data.get("name") else []
        data = {name: value for name, value in data.items() if name not in _KNOWN_BY}
    words = printable(_WORDS.get(kind, _json_words)(data)) if data else ""
    return [*ids, words] if words else ids


_KNOWN_BY = ("name", "site", "tags")
"""Data of every event of a device."""


def _alert_details(alert: Json) -> list[str]:
    details = [field_text(alert.get("alert")), field_text(alert.get("kind")), alert_subject(alert)]
    if "duration" in alert:
        details.append(f"after {duration_text(alert['duration'])}")
    return details


def _command_details(ids: Sequence[str], data: Json) -> list[str]:
    """What a command calls and what went wrong first; then the ids, other data, and the trace."""
    first = [endpoints_text(data)] if data.get("endpoint") or data.get("endpoints") else []
    first += [printable(str(data["error"]))] if data.get("error") else []
    rest = {name: value for name, value in data.items() if name not in _NAMED_DATA}
    last = [printable(_json_words(rest))] if rest else []
    last += [f"trace {field_text(data['trace'])}"] if data.get("trace") else []
    return [*first, *ids, *last]


_NAMED_DATA = ("endpoint", "endpoints", "error", "trace")


def _json_words(data: Json) -> str:
    """JSON that can be broken into lines after its commas."""
    return json.dumps(data, separators=(", ", ":"))


def _was(data: Json) -> str:
    return f"was {field_text(data.get('after'))}"


def _no_report(data: Json) -> str:
    return f"no report for more than {duration_text(data.get('heartbeat_timeout'))}"


_WORDS: Mapping[str, Callable[[Json], str]] = {
    "device.online": _was,
    "device.offline": _no_report,
    "device.signed_off": _was,
}
