"""Moods as the command line says them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis.strategies import builds, decimals, integers, none, one_of, sampled_from, text

from pushd.simulator.scenarios import Change, Mood, Phase, Row, Site, Some, Temper, read_mood

COUNTS = integers(1, 999_999)
SECONDS = decimals(min_value="0.001", max_value=1000, places=3).map(float)


def changes(words: str) -> list[tuple[float, Change]]:
    """What happens in a mood, and when."""
    return [(phase.after, phase.change) for phase in read_mood(words).phases()]


def test_silence() -> None:
    """Some devices vanish after a while, and come back after another."""
    assert read_mood("offline=300@20+60~5") == Mood(
        text="offline=300@20+60~5", temper=Temper.OFFLINE, who=Some(300), start=20, length=60, spread=5
    )
    assert changes("offline=300@20+60~5") == [(20, Change.OFFLINE), (80, Change.BACK)]


def test_for_ever() -> None:
    """Without an end devices never come back."""
    assert changes("offline=1@2.5") == [(2.5, Change.OFFLINE)]
    assert changes("signed-off=1@2") == [(2, Change.SIGNED_OFF)]


def test_sign_off() -> None:
    """Containers say goodbye, and come back."""
    assert changes("signed-off=7@0+0.5") == [(0, Change.SIGNED_OFF), (0.5, Change.BACK)]


def test_flap() -> None:
    """A flap is silent for the first half of each period, and there at the end."""
    away, back = Change.OFFLINE, Change.BACK
    assert changes("flapping=2@10+20/10") == [(10, away), (15, back), (20, away), (25, back)]
    assert changes("flapping=2@10+12/10") == [(10, away), (15, back), (20, away), (22, back)]


def test_who() -> None:
    """A mood takes so many devices, those in a row, or those behind one address."""
    assert read_mood("offline=12@1").who == Some(12)
    assert read_mood("offline=3-12@1").who == Row(3, 12)
    assert read_mood("offline=site2@1").who == Site(2)


@given(
    sampled_from((Temper.OFFLINE, Temper.SIGNED_OFF)),
    one_of(
        COUNTS.map(str),
        builds("site{}".format, COUNTS),
        builds(lambda first, more: f"{first}-{first + more}", COUNTS, integers(0, 0)),
    ),
    SECONDS,
    one_of(none(), SECONDS),
    SECONDS,
)
def test_read_any(temper: Temper, who: str, start: float, length: float | None, spread: float) -> None:
    """Any devices may be away at any time for any time, and come back as slowly as is said."""
    mood = read_mood(f"{temper}={who}@{start}" + ("" if length is None else f"+{length}~{spread}"))
    assert (mood.temper, mood.start, mood.length) == (temper, start, length)
    assert mood.spread == (0 if length is None else spread)
    first, *rest = mood.phases()
    assert first.after == start
    assert rest == ([] if length is None else [Phase(after=start + length, change=Change.BACK)])


@given(COUNTS, SECONDS, integers(1, 1000), SECONDS)
def test_flap_any(count: int, start: float, flaps: int, period: float) -> None:
    """However often a device flaps, it vanishes and comes back in turn, and is there when it is over."""
    length = min(flaps * period, 600_000)
    mood = read_mood(f"flapping={count}@{start}+{length:.6f}/{period}")
    phases = list(mood.phases())
    assert [phase.change for phase in phases] == [Change.OFFLINE, Change.BACK] * (len(phases) // 2)
    assert abs(len(phases) / 2 - length / period) < 1
    moments = [phase.after for phase in phases]
    assert moments == sorted(moments)
    assert start <= moments[0] <= moments[-1] <= start + length + 1e-6


@given(text(max_size=20) | text("offlineflappingsited=@+/~-0123456789.", max_size=30))
def test_read_nonsense(words: str) -> None:
    """Whatever is said is a mood, or is refused in words."""
    with suppress(ValueError):
        assert read_mood(words).text == words


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("", "'' is not KIND=DEVICES@START"),
        ("offline=3", "as in offline=300@20"),
        ("offline=3@-1", "is not KIND"),
        ("offline=3@1e3", "is not KIND"),
        ("offline=٣@1", "names no devices"),
        ("offline=0@1", "names no devices: say how many"),
        ("nap=3@1", "unknown outage 'nap'; must be one of offline, signed-off, flapping"),
        ("silent=3@1", "silent is now offline"),
        ("flap=3@1+4/2", "flap is now flapping"),
        ("offline=9-3@1", "say 3-9"),
        ("offline=3@1+0", "more than 0"),
        ("offline=3@700000", "a week"),
        ("offline=3@1+700000", "a week"),
        ("offline=3@1~4", "say when that is"),
        ("offline=3@1+4/2", "only a flapping outage has a /PERIOD"),
        ("flapping=3@1", "as in flapping="),
        ("flapping=3@1+5", "as in flapping="),
        ("flapping=3@1+5/6", "no more than its"),
        ("flapping=3@1+5/0", "more than 0"),
        ("flapping=3@1+5000/1", "flap more than 1000 times"),
        ("flapping=3@1+50/10~6", "half its /PERIOD"),
    ],
)
def test_bad_mood(words: str, why: str) -> None:
    """What cannot be meant is refused with the remedy."""
    with pytest.raises(ValueError, match=why.replace("+", r"\+")):
        read_mood(words)
