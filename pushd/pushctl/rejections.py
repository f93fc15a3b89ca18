"""Rejections of the device port, as ``pushctl rejections`` and ``pushctl doctor`` show them."""

from collections.abc import Sequence

from rich.text import Text

from pushd.pushctl import terminal
from pushd.pushctl.connection import Json
from pushd.pushctl.output import age, field_text, parse_time
from pushd.pushctl.terminal import write_line

RECENT = 900.0
"""Seconds for which a rejection says something about the present."""


def is_recent(rejection: Json, now: float, within: float = RECENT) -> bool:
    """Whether something was refused in the last ``within`` seconds; ``now`` is in seconds since the epoch."""
    last = parse_time(rejection.get("last_at"))
    return last is not None and now - last.timestamp() <= within


def is_mended(rejection: Json, device: Json | None) -> bool:
    """Whether the device was served since."""
    served = parse_time((device or {}).get("last_seen_at"))
    refused = parse_time(rejection.get("last_at"))
    return served is not None and refused is not None and served > refused


def print_rejections(rejections: Sequence[Json], now: float, indent: int = 0) -> None:
    """Print each rejection in a line, or several if the terminal is too narrow, and below it what to do."""
    width = terminal.console().width - indent
    for rejection in rejections:
        for line in terminal.joined(rejection_pieces(rejection, now), width):
            write_line(" " * indent + line)
        remedy = Text(" " * terminal.INDENT + field_text(rejection.get("remedy")))
        for text in terminal.broken(remedy, width):
            write_line(" " * indent + text.plain)


def rejection_pieces(rejection: Json, now: float) -> list[str]:
    """A rejection in a few words; what is not known is left out."""
    count = rejection.get("count")
    times = f"{field_text(count)} times" if isinstance(count, int) and count > 1 else "once"
    known = [field_text(rejection[name]) for name in ("address", "path", "device") if rejection.get(name)]
    when = f"{times}, {age(rejection.get('last_at'), now)} ago"
    where = [f"at {field_text(node)}"] if (node := rejection.get("node")) else []
    return [field_text(rejection.get("reason")), *known, when, *where]
