"""Tests of how lists are printed."""

import json

import pytest
from rich.text import Text

from pushd.pushctl.connection import Json
from pushd.pushctl.lists import ListColumn, age_of, duration_of, field, print_list, time_of

ITEMS: list[Json] = [
    {"id": "a", "last_error": "refused", "state": "failed", "at": "1970-01-01T00:01:00.000Z", "lasts": 600.0},
    {"id": "b", "last_error": None, "state": "online", "at": None, "lasts": None},
]


def _rows(capsys: pytest.CaptureFixture[str], *columns: ListColumn) -> list[list[str]]:
    print_list(ITEMS, columns, as_json=False, empty="None.")
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_column_shows_the_field_of_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    """A column needs only a name: it shows that field, and a dash where there is none."""
    rows = _rows(capsys, ListColumn("id"), ListColumn("last error", 1))
    assert rows == [["id", "last", "error"], ["a", "refused"], ["b", "-"]]


def test_columns_of_times_and_durations(capsys: pytest.CaptureFixture[str]) -> None:
    """Times are local, ages and durations have a unit; what is missing is a dash."""
    columns = (
        ListColumn("since", show=age_of("at", 360.0)),
        ListColumn("lasts", 1, show=duration_of("lasts")),
        ListColumn("now", 2, show=field("state")),
        ListColumn("size", 3, show=lambda item: str(len(item["id"]))),
        ListColumn("date", 4, show=time_of("at")),
    )
    rows = _rows(capsys, *columns)
    assert rows[1][:6] == ["5", "min", "10", "min", "failed", "1"]
    assert rows[2] == ["-", "-", "online", "1", "-"]


def test_state_has_its_colour() -> None:
    """A field that is a state has the colour that it has everywhere."""
    assert ListColumn("state").cell(ITEMS[0]) == Text("failed", style="red")


def test_programs_get_one_array(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON a list is one array with all fields of each item, even if it is empty."""
    print_list(ITEMS, [ListColumn("id")], as_json=True, empty="None.")
    print_list([], [ListColumn("id")], as_json=True, empty="None.")
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [ITEMS, []]


def test_empty_list_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """An empty list prints nothing on stdout, and a sentence on stderr."""
    print_list([], [ListColumn("id")], as_json=False, empty="No devices.")
    assert capsys.readouterr() == ("", "No devices.\n")
