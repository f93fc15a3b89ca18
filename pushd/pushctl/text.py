"""Text for people, made safe for a terminal: what a device said may contain anything."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pushd.lib.text import duration, printable


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
    """How long ago a time of the API was, ``now`` is seconds since the epoch."""
    stamp = moment(text)
    if stamp is None:
        return "-"
    return duration(now - stamp.timestamp())


def lasting(seconds: object) -> str:
    """A duration of the API; what is none shows as a dash."""
    return duration(seconds) if isinstance(seconds, int | float) else "-"


def under_way_ms(command: Mapping[str, Any]) -> int | None:
    """Milliseconds from the acceptance of a command until it was last set on its way; None if it was not."""
    created, sent = moment(command.get("created_at")), moment(command.get("sent_at"))
    if created is None or sent is None:
        return None
    return round((sent - created) / timedelta(milliseconds=1))
