"""Tests of timestamps in RFC 3339."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.model.timestamps import MAX_MOMENT, MIN_MOMENT, from_rfc3339, milliseconds, to_rfc3339

MOMENT = 1_767_323_045_678
WRITTEN = "2026-01-02T03:04:05.678Z"


def test_a_timestamp_is_written_in_utc_with_milliseconds() -> None:
    """A time is shown in UTC with three digits of a second."""
    assert to_rfc3339(MOMENT) == WRITTEN


def test_milliseconds_are_written_even_when_zero() -> None:
    """A time at the full second has its three digits too, so that texts sort as times do."""
    assert to_rfc3339(0) == "1970-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (MIN_MOMENT, "0001-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (MAX_MOMENT, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_the_first_and_last_timestamp_can_be_written_and_read(moment: int, text: str) -> None:
    """From the first to the last moment that the form allows, a time is written with four digits of a year."""
    assert to_rfc3339(moment) == text
    assert from_rfc3339(text) == moment


@given(st.integers(MIN_MOMENT, MAX_MOMENT))
def test_a_timestamp_survives_writing_and_reading(moment: int) -> None:
    """A program that sends back a time that it was given means the same moment."""
    assert from_rfc3339(to_rfc3339(moment)) == moment


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T03:04:05.678+00:00",
        "2026-01-02T03:04:05.678-00:00",
        "2026-01-02T00:04:05.678-03:00",
        "2026-01-02T08:34:05.678+05:30",
        "2026-01-02t03:04:05.678z",
        "2026-01-02 03:04:05.678Z",
        "2026-01-02T03:04:05.6789999999Z",
    ],
)
def test_every_form_of_rfc_3339_is_read(text: str) -> None:
    """Offsets, small letters, a space and finer fractions are understood."""
    assert from_rfc3339(text) == MOMENT


def test_a_time_without_fraction_is_read() -> None:
    """The fraction of a second may be left out."""
    assert from_rfc3339("2026-01-02T03:04:05Z") == MOMENT - 678


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "1767323045",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04Z",
        "2026-01-02T03:04+00:00",
        "2026-01-02T030405.000Z",
        "20260102T030405.0000Z",
        "2026-W01-1T00:00:00Z",
        "2026-01-02T03:04:05,678Z",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05+00",
        "2026-01-02T03:04:05+00:00:30",
        "2026-01-02T03:04:05 Z",
        "2026-01-02T03:04:05Z\n",
        "2026-02-30T03:04:05Z",
        "2026-01-02T25:04:05Z",
        "2026-01-02T03:04:05+24:00",
        "٢٠٢٦-01-02T03:04:05Z",
    ],
)
def test_what_is_no_rfc_3339_time_is_refused(text: str) -> None:
    """A time that leaves something open, or does not exist, is refused."""
    with pytest.raises(ValueError, match=r".+"):
        from_rfc3339(text)


def test_offset_that_leads_out_of_the_years() -> None:
    """A time whose offset leads before the year 1 or after 9999 is the first or the last moment."""
    assert from_rfc3339("0001-01-01T00:00:00+00:01") == MIN_MOMENT
    assert from_rfc3339("9999-12-31T23:59:59-00:01") == MAX_MOMENT


@given(st.text(alphabet="0123456789-:.+TZtz ٢", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Any text is either read, and can then be written again, or refused with ValueError."""
    try:
        moment = from_rfc3339(text)
    except ValueError:
        return
    assert from_rfc3339(to_rfc3339(moment)) == moment


@pytest.mark.parametrize(("seconds", "expected"), [(0, 0), (0.001, 1), (0.0004, 0), (1.5, 1500), (86_400, 86_400_000)])
def test_durations_become_whole_milliseconds(seconds: float, expected: int) -> None:
    """Seconds are kept to the millisecond."""
    assert milliseconds(seconds) == expected
