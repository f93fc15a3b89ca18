"""Text for people, made safe for a terminal: what a device said may contain anything."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any


def printable(text: str) -> str:
    """The text with everything that could move a cursor, or cannot be encoded, escaped."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def words(value: object) -> str:
    """A field of the API in one line; what is absent shows as a dash."""
    if value is None or value in ("", []):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return printable(", ".join(map(str, value)))
    return printable(f"{value:g}" if isinstance(value, float) else str(value))


def compact(value: object) -> str:
    """JSON in one line that is the same on every terminal."""
    return json.dumps(value, separators=(",", ":"))


def pretty(value: object) -> str:
    """JSON over several lines, for reading."""
    lines = json.dumps(value, indent=2, ensure_ascii=False).splitlines()
    return "\n".join(map(printable, lines))


def shortened(text: str, limit: int) -> str:
    """At most ``limit`` characters in one line, the last one an ellipsis if anything was cut."""
    line = printable(text[: limit + 1])
    return line if len(line) <= limit else line[: limit - 1] + "…"


def moment(text: object) -> datetime | None:
    """A time of the API; None if there is none."""
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def local_time(text: object) -> str:
    """A time of the API in the operator's own time zone."""
    stamp = moment(text)
    return "-" if stamp is None else stamp.astimezone().replace(tzinfo=None).isoformat(" ", "milliseconds")


def ago(text: object, now: float) -> str:
    """How long ago a time of the API was, in its largest unit; ``now`` is seconds since the epoch."""
    stamp = moment(text)
    if stamp is None:
        return "-"
    return lasting(max(now - stamp.timestamp(), 0))


def lasting(seconds: object) -> str:
    """A duration of the API in its largest unit."""
    if not isinstance(seconds, int | float):
        return "-"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


def under_way_ms(command: Mapping[str, Any]) -> int | None:
    """Milliseconds from the acceptance of a command until it was last set on its way; None if it was not."""
    created, sent = moment(command.get("created_at")), moment(command.get("sent_at"))
    if created is None or sent is None:
        return None
    return round((sent - created) / timedelta(milliseconds=1))
