"""Text for people: one safe line from untrusted text, durations and times."""

import re
import unicodedata
from datetime import datetime

WHITE_SPACE = r"\t-\r\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""The characters that :meth:`str.strip` takes off, for a character class of a regular expression; that of JSON Schema
has others as ``\\s``.
"""

_UNITS = (("days", 86400), ("h", 3600), ("min", 60))
_UNIT_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhd])", re.ASCII)


def printable(text: str) -> str:
    """``text`` with every character escaped that could move a terminal's cursor or cannot be encoded."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def shortened(text: str, limit: int) -> str:
    """``text`` as :func:`printable` gives it, cut to ``limit`` characters; an ellipsis shows that it was cut."""
    return _cut(printable(text[: limit + 1]), limit, "…")


def one_line(text: str, limit: int, *, placeholder: str = " ", ellipsis: str = "…") -> str:
    """``text`` in one line of at most ``limit`` characters, with single spaces, that any encoding and screen can take.

    ``placeholder`` replaces each character that is not printable; ``ellipsis`` stands for what was cut.
    """
    clean = text[: 2 * limit].encode("utf-8", "replace").decode("utf-8")
    line = " ".join("".join(char if char.isprintable() else placeholder for char in clean).split())
    return _cut(line, limit, ellipsis)


def duration(seconds: float) -> str:
    """A duration in the largest unit of which there are at least two, rounded down: "90 s", "2 min", "3 days"."""
    for unit, size in _UNITS:
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(max(seconds, 0))} s"


def parse_duration(text: str, unit: float = 1.0) -> float:
    """The seconds of a duration such as "90s", "5m", "24h", "7d" or "1h30m"; of a number alone, that many times
    ``unit``.

    :raises ValueError: if the text is none; of a number alone, it may still be negative or NaN.
    """
    parts = _PART.findall(text)
    if parts and "".join(number + name for number, name in parts) == text:
        return sum(float(number) * _UNIT_SECONDS[name] for number, name in parts)
    return float(text) * unit


def caseless(text: str) -> str:
    """A form of ``text`` that is the same for texts which differ by case alone, or by how accents are encoded."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def local_time(moment: datetime, timespec: str = "seconds") -> str:
    """A time in the local time zone with its offset from UTC: "2027-01-15 09:00:00+01:00"."""
    return moment.astimezone().isoformat(" ", timespec)


def _cut(line: str, limit: int, ellipsis: str) -> str:
    return line if len(line) <= limit else line[: limit - len(ellipsis)] + ellipsis


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
