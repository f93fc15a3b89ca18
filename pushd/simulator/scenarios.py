"""Outages: which devices go offline, when and for how long, as one option says it: ``offline=300@20+60``."""

import re
from collections.abc import Iterator
from enum import StrEnum
from math import ceil

from attrs import frozen

SHAPE = "KIND=DEVICES@START+SECONDS, as in offline=300@20+60"
"""What an option that cannot be read should have looked like."""

_LONGEST = 604_800.0
"""Seconds that a mood may speak of: a week."""

_MOST_FLAPS = 1000
"""Times that one mood may have a device come back."""

_NUMBER = r"\d{1,9}(?:\.\d{1,6})?"
_MOOD = re.compile(
    rf"(?P<temper>[^=]*)=(?P<who>[^@]*)@(?P<start>{_NUMBER})"
    rf"(?:\+(?P<length>{_NUMBER}))?(?:/(?P<period>{_NUMBER}))?(?:~(?P<spread>{_NUMBER}))?",
    re.ASCII,
)
_WHO = re.compile(
    r"(?P<count>[1-9]\d{0,5})|(?P<first>[1-9]\d{0,5})-(?P<last>[1-9]\d{0,5})|site(?P<site>[1-9]\d{0,5})", re.ASCII
)


class Temper(StrEnum):
    """A way to be away."""

    OFFLINE = "offline"  # gone without a word, and back later
    SIGNED_OFF = "signed-off"  # the same, with a goodbye; only a container can
    FLAPPING = "flapping"  # gone without a word and back, again and again


_RENAMED = {"silent": Temper.OFFLINE, "flap": Temper.FLAPPING}
"""Former names of outages, which are refused with the present one."""


class Change(StrEnum):
    """What becomes of a device, in the words of the journal."""

    OFFLINE = "went-offline"
    SIGNED_OFF = "signed-off"
    BACK = "came-back"


@frozen
class Some:
    """So many devices, whichever the seed picks."""

    count: int


@frozen
class Row:
    """The devices from this place to that, counted from 1."""

    first: int
    last: int


@frozen
class Site:
    """The devices behind one address, counted from 1."""

    number: int


Who = Some | Row | Site
"""Whom a mood takes."""


@frozen(kw_only=True)
class Phase:
    """What becomes of all devices of a mood, ``after`` so many seconds."""

    after: float
    change: Change


@frozen(kw_only=True)
class Mood:
    """Who is away, and when, in seconds after the start; without a ``length``, for ever.

    ``spread`` are the seconds over which they come back, ``period`` those from one flap to the next.
    """

    text: str
    temper: Temper
    who: Who
    start: float
    length: float | None = None
    period: float | None = None
    spread: float = 0.0

    def phases(self) -> Iterator[Phase]:
        """What happens, in order of time."""
        if self.length is None:
            yield self._leave(self.start)
            return
        period = self.period or 2 * self.length
        end = self.start + self.length
        for flap in range(_flaps(self.length, period)):
            start = self.start + flap * period
            yield self._leave(start)
            yield Phase(after=min(start + period / 2, end), change=Change.BACK)

    def _leave(self, after: float) -> Phase:
        return Phase(after=after, change=Change.SIGNED_OFF if self.temper is Temper.SIGNED_OFF else Change.OFFLINE)


def read_mood(text: str) -> Mood:
    """A mood as the command line says it.

    :raises ValueError: in words for whoever wrote it.
    """
    found = _MOOD.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not {SHAPE}")
    start, length, period, spread = (_seconds(found[name]) for name in ("start", "length", "period", "spread"))
    mood = Mood(
        text=text,
        temper=_temper(found["temper"]),
        who=_who(found["who"]),
        start=start or 0.0,
        length=length,
        period=period,
        spread=spread or 0.0,
    )
    wrong = _wrong(mood)
    if wrong:
        raise ValueError(f"{text}: {wrong}")
    return mood


def _temper(text: str) -> Temper:
    if text in _RENAMED:
        raise ValueError(f"{text} is now {_RENAMED[text]}")
    try:
        return Temper(text)
    except ValueError:
        raise ValueError(f"unknown outage {text!r}; must be one of {', '.join(Temper)}") from None


def _who(text: str) -> Who:
    found = _WHO.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text!r} names no devices: say how many (300), from which to which (1-300) or where (site2)"
        )
    if found["count"]:
        return Some(int(found["count"]))
    if found["site"]:
        return Site(int(found["site"]))
    return Row(int(found["first"]), int(found["last"]))


def _seconds(text: str | None) -> float | None:
    return None if text is None else float(text)


def _wrong(mood: Mood) -> str | None:
    """What contradicts itself, and how to say it better."""
    if isinstance(mood.who, Row) and mood.who.first > mood.who.last:
        return f"say {mood.who.last}-{mood.who.first}, the lower number first"
    if max(mood.start, mood.length or 0, mood.spread) > _LONGEST:
        return f"no time may be more than {_LONGEST:g} seconds, a week"
    if mood.length == 0:
        return "+SECONDS must be more than 0; leave it out for devices that never come back"
    if mood.spread and mood.length is None:
        return "~SECONDS spreads the return, so say when that is, with +SECONDS"
    return _wrong_flap(mood) if mood.temper is Temper.FLAPPING else _wrong_absence(mood)


def _flaps(length: float, period: float) -> int:
    # rounded, for 1000 * 0.009 / 0.009 is more than 1000
    return ceil(round(length / period, 6))


def _wrong_absence(mood: Mood) -> str | None:
    return (
        None if mood.period is None else f"only a flapping outage has a /PERIOD; {mood.temper} devices come back once"
    )


def _wrong_flap(mood: Mood) -> str | None:
    if mood.length is None or mood.period is None:
        return "a flapping outage needs +SECONDS and /PERIOD, as in flapping=20@30+60/10"
    if not 0 < mood.period <= mood.length:
        return "the /PERIOD of a flapping outage must be more than 0 and no more than its +SECONDS"
    if _flaps(mood.length, mood.period) > _MOST_FLAPS:
        return f"a device must not flap more than {_MOST_FLAPS} times: choose a longer /PERIOD"
    if mood.spread > mood.period / 2:
        return "the ~SECONDS of a flapping outage must be no more than half its /PERIOD"
    return None
