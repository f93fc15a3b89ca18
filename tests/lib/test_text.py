"""Tests of text for people."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.lib.text import caseless, duration, local_time, one_line, parse_duration, printable, shortened

TEXT = st.text(st.characters())


@given(TEXT)
def test_nothing_unprintable_reaches_a_terminal(text: str) -> None:
    """Whatever a device sends, the terminal gets printable text that can be encoded."""
    shown = printable(text)
    assert shown.isprintable()
    shown.encode("utf-8")


def test_escapes_show_what_was_there() -> None:
    """An escaped character can still be recognised, and printable text is left as it is."""
    assert printable("\x1b[2J\n") == "\\x1b[2J\\n"
    assert printable("Zoë, 門") == "Zoë, 門"


@given(TEXT, st.integers(min_value=1, max_value=60))
def test_shortened_text_fits(text: str, limit: int) -> None:
    """Shortened text fits, and is whole if it fitted before."""
    short = shortened(text, limit)
    assert len(short) <= limit
    assert short == printable(text) or short.endswith("…")


@given(TEXT, st.sampled_from(["?", " ", ""]), st.integers(min_value=3, max_value=60))
def test_one_line_is_safe_and_fits(text: str, placeholder: str, limit: int) -> None:
    """One line never breaks a line, a screen or an encoder, and is no longer than asked for."""
    line = one_line(text, limit, placeholder=placeholder, ellipsis="...")
    assert line.encode().decode() == line
    assert line.isprintable()
    assert len(line) <= limit


def test_one_line_replaces_what_is_not_printable() -> None:
    """Spaces are single, and the placeholder stands for what cannot be shown; what is cut ends with the ellipsis."""
    assert one_line("  a\r\nb\tc  ", 60) == "a b c"
    assert one_line("a\r\nb", 60, placeholder="?") == "a??b"
    assert one_line("x" * 61, 60) == "x" * 59 + "…"
    assert one_line("x" * 61, 60, ellipsis="...") == "x" * 57 + "..."


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1, "0 s"),
        (0.9, "0 s"),
        (119.9, "119 s"),
        (120, "2 min"),
        (300.5, "5 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (172_799, "47 h"),
        (172_800, "2 days"),
        (86_400 * 3.9, "3 days"),
    ],
)
def test_duration_has_one_unit(seconds: float, shown: str) -> None:
    """A duration is shown in its largest unit, rounded down; below two of a unit the smaller one says more."""
    assert duration(seconds) == shown


def test_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time is shown in the local time zone, with its offset."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert local_time(datetime(2027, 1, 15, 8, tzinfo=UTC)) == "2027-01-15 09:00:00+01:00"
        assert local_time(datetime(2027, 7, 15, 8, tzinfo=UTC), "milliseconds") == "2027-07-15 10:00:00.000+02:00"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("1.5", 1.5),
        ("90s", 90),
        ("5m", 300),
        ("24h", 86400),
        ("7d", 604800),
        ("1h30m", 5400),
        ("0.5h", 1800),
    ],
)
def test_a_duration_may_have_units(text: str, seconds: float) -> None:
    """Durations are written as people write them; a number alone is seconds, or what else the option says."""
    assert parse_duration(text) == seconds
    assert parse_duration("2", 3600) == 7200


@pytest.mark.parametrize("text", ["", "m", "5 m", "5min", "m5", "5m3", "5M", "-5m", "1e3h", "\u0665m"])
def test_text_that_is_no_duration(text: str) -> None:
    """A text that could mean something else is refused."""
    with pytest.raises(ValueError, match="could not convert"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "other"), [("portão", "PORTÃO"), ("straße", "STRASSE"), ("portão", "porta\u0303o"), ("ΟΔΟΣ", "οδος")]
)
def test_text_that_differs_by_case_alone(text: str, other: str) -> None:
    """A search finds a text however its case is, in any alphabet, and however its accents are encoded."""
    assert caseless(text) == caseless(other)
    assert caseless("portão") != caseless("portao")
