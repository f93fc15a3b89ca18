"""Tests of how values and events are shown."""

import json
import sys
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.pushctl.output import age, compact, field_text, pretty, sent_after_ms, time_text
from pushd.pushctl.progress import reading_progress

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON)
def test_pretty_json_is_safe_line_by_line(value: Any) -> None:
    """No line of JSON contains a character that could move the cursor."""
    assert all(line.isprintable() for line in pretty(value).split("\n"))


@given(JSON)
def test_compact_json_is_the_same_value(value: Any) -> None:
    """JSON for programs is one line of ASCII that has the same value."""
    line = compact(value)
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line) == value


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), ("", "-"), ([], "-"), (0, "0"), (True, "yes"), (False, "no"), (["a", "b"], "a, b"), (300.0, "300")],
)
def test_field_in_words(value: object, shown: str) -> None:
    """Missing and empty fields are a dash, booleans yes or no, lists separated by commas."""
    assert field_text(value) == shown


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
def test_age(text: object, shown: str) -> None:
    """The age of a time is a duration; a time in the future has the age 0."""
    assert age(text, 1767323045.0) == shown


def test_time_is_local_to_the_operator() -> None:
    """Times are shown in local time, to the millisecond; a missing one is a dash."""
    assert time_text("2026-01-02T04:04:05.678+01:00") == "2026-01-02 03:04:05.678+00:00"
    assert time_text(None) == "-"


def test_sent_after() -> None:
    """The time until a command was sent is counted from when it was accepted."""
    command = {"created_at": "2026-01-02T03:04:05.990Z", "sent_at": "2026-01-02T03:04:06.002Z"}
    assert sent_after_ms(command) == 12
    assert sent_after_ms({**command, "sent_at": None}) is None


class _Stderr(StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(("counts", "shown"), [([500, 1000], True), ([], False)])
def test_long_lists_show_progress(monkeypatch: pytest.MonkeyPatch, counts: list[int], shown: bool) -> None:
    """In a terminal, reading a list of several pages shows how many items were read; one page shows nothing."""
    stderr = _Stderr(True)
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    with reading_progress() as show:
        for count in counts:
            show(count)
    assert ("1000 read" in stderr.getvalue()) is shown
    assert bool(stderr.getvalue()) is shown


def test_no_progress_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file or a pipe there is no progress."""
    stderr = _Stderr(False)
    monkeypatch.setattr(sys, "stderr", stderr)
    with reading_progress() as show:
        show(500)
    assert stderr.getvalue() == ""
