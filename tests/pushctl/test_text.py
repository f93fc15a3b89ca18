"""Tests of text for people."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.pushctl.text import ago, compact, local_time, pretty, under_way_ms, words

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON)
def test_pretty_json_is_safe_line_by_line(value: Any) -> None:
    """JSON over several lines is as safe as one line."""
    assert all(line.isprintable() for line in pretty(value).split("\n"))


@given(JSON)
def test_compact_json_is_the_same_value(value: Any) -> None:
    """JSON for programs is one line of ASCII with the same value."""
    line = compact(value)
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line) == value


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), ("", "-"), ([], "-"), (0, "0"), (True, "yes"), (False, "no"), (["a", "b"], "a, b"), (300.0, "300")],
)
def test_words_for_a_field(value: object, shown: str) -> None:
    """Each kind of field has its words; nothing is a dash, and zero is not nothing."""
    assert words(value) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-01-02T03:04:05.000Z", "0 s"),
        ("2026-01-02T03:04:59.000Z", "0 s"),
        ("2026-01-02T03:03:06.000Z", "59 s"),
        ("2026-01-02T03:03:05.000Z", "60 s"),
        ("2026-01-02T01:04:05.000Z", "2 h"),
        ("2025-12-30T03:04:05.000Z", "3 days"),
        (None, "-"),
        ("long ago", "-"),
    ],
)
def test_ago_has_one_unit(text: object, shown: str) -> None:
    """How long ago something was is told in its largest unit; a clock that runs ahead is not believed."""
    assert ago(text, 1767323045.0) == shown


def test_time_is_local_to_the_operator() -> None:
    """Times are shown to the millisecond without a zone, and none as a dash."""
    assert local_time("2026-01-02T03:04:05.678Z")[-9:] == "04:05.678"
    assert local_time(None) == "-"


def test_delivery_is_measured_from_acceptance_to_sending() -> None:
    """The delivery of a command took the milliseconds from its acceptance to its sending."""
    command = {"created_at": "2026-01-02T03:04:05.990Z", "sent_at": "2026-01-02T03:04:06.002Z"}
    assert under_way_ms(command) == 12
    assert under_way_ms({**command, "sent_at": None}) is None
