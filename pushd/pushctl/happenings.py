"""Happenings: what an event or an alert says, in words."""

from collections.abc import Callable, Mapping

from pushd.lib.text import printable
from pushd.pushctl.connection import Json
from pushd.pushctl.text import compact, lasting, words

SHOWN = 3
"""Devices that are named; there may be a thousand."""


def about(alert: Json) -> str:
    """Whom an alert is about: the first few devices, and how many more there are."""
    devices = alert.get("devices") or []
    named = ", ".join(map(str, devices[:SHOWN])) or words(alert.get("webhook"))
    count = alert.get("count") or len(devices)
    more = f" and {count - SHOWN} more" if count > SHOWN else ""
    behind = f" behind {alert['address']}" if alert.get("address") else ""
    return printable(f"{named}{more}{behind}")


def saying(event: Json) -> list[str]:
    """Whom an event concerns and what it says of them, in pieces; of types that we have no words for, its data."""
    kind, data = str(event.get("type")), event.get("data")
    if not isinstance(data, dict):
        data = {}
    if kind.startswith("alert."):
        return _of_alert(data)
    concerned = [words(event[name]) for name in ("device", "command") if event.get(name)]
    said = printable(_SAYINGS.get(kind, compact)(data)) if data else ""
    return [*concerned, said] if said else concerned


def _of_alert(alert: Json) -> list[str]:
    said = [words(alert.get("alert")), words(alert.get("kind")), about(alert)]
    if "duration" in alert:
        said.append(f"after {lasting(alert['duration'])}")
    if "by" in alert:
        said.append(f"by {words(alert['by'])}")
    return said


def _was(data: Json) -> str:
    return f"was {words(data.get('after'))}"


def _silent(data: Json) -> str:
    return f"silent for more than {lasting(data.get('heartbeat_timeout'))}"


_SAYINGS: Mapping[str, Callable[[Json], str]] = {
    "device.online": _was,
    "device.offline": _silent,
    "device.signed_off": _was,
}
