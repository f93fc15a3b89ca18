"""Text for people: one safe line from untrusted text, durations and times."""

from datetime import datetime

_UNITS = (("days", 86400), ("h", 3600), ("min", 60))


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


def local_time(moment: datetime, timespec: str = "seconds") -> str:
    """A time in the local time zone with its offset from UTC: "2027-01-15 09:00:00+01:00"."""
    return moment.astimezone().isoformat(" ", timespec)


def _cut(line: str, limit: int, ellipsis: str) -> str:
    return line if len(line) <= limit else line[: limit - len(ellipsis)] + ellipsis


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
