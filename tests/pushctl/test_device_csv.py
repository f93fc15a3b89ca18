"""Tests of :mod:`pushd.pushctl.device_csv`."""

import csv
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.dialects.controlid.serial_number import to_serial
from pushd.pushctl.device_csv import COLUMNS, MAX_ROWS, DeviceRow, Problem, read_rows, to_cells, write_rows

READER = "controlid:3206485144263533"

texts = st.text(st.characters(codec="utf-8").filter(str.isprintable), max_size=20) | st.sampled_from(
    ["=1+1", "'=1", "''-", "+", "@x", "'", "[a", '"', " a ", "a;b", ";"]
)


def device(name: str = "", site: str | None = None, tags: list[str] | None = None, model: str | None = None) -> Any:
    """A device as the server shows it."""
    facts = {"serial": "0G020?/005B6D"} | ({} if model is None else {"model": model})
    return {"id": READER, "name": name, "site": site, "tags": tags or [], "facts": facts}


def fields(text: str) -> list[dict[str, Any]]:
    """The fields of each device in a file without problems."""
    rows, problems = read_rows(text)
    assert problems == []
    return [dict(row.fields) for row in rows]


def problems(text: str) -> list[Problem]:
    """What is wrong with a file."""
    return read_rows(text)[1]


@given(name=texts, site=texts, model=texts, tags=st.lists(texts.filter(bool), max_size=4, unique=True))
def test_what_is_exported_can_be_imported(name: str, site: str, model: str, tags: list[str]) -> None:
    """What a row says of a device is read as it was, whatever it holds; what is empty is left out."""
    text = write_rows([COLUMNS, to_cells(device(name, site, tags, model))])
    given: dict[str, Any] = {"name": name, "site": site} | ({"tags": tags} if tags else {})
    expected = {key: value for key, value in given.items() if isinstance(value, list) or value.strip()}
    expected |= {"facts": {"model": model}} if model.strip() else {}
    assert read_rows(text) == ([DeviceRow(line=2, id=READER, fields=expected)], [])


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1, max_size=8))
def test_no_cell_is_a_formula(cell: str) -> None:
    """No cell begins with a character for which a spreadsheet runs it, or does something else with it."""
    [[written]] = csv.reader(StringIO(write_rows([[cell]]), newline=""), strict=True)
    assert written in (cell, f"'{cell}")
    assert not written.startswith(("=", "+", "-", "@", *map(chr, range(32))))


def test_columns_in_any_order() -> None:
    """A file has the columns that it needs, in any order and case, below a byte order mark at most."""
    text = "Site,SERIAL,name\nLobby,0G0200/005B6D,Main gate\n\n,00000?/000007,\n"
    assert read_rows(text) == (
        [
            DeviceRow(line=2, id=READER, fields={"site": "Lobby", "name": "Main gate"}),
            DeviceRow(line=4, id="controlid:7", fields={}),
        ],
        [],
    )


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_semicolons_between_cells(ending: str) -> None:
    """Where a comma is a decimal separator, spreadsheets write semicolons between cells."""
    assert fields(ending.join(["id;name;tags", 'servereye:a;"x, y";"a;b"', ""])) == [
        {"name": "x, y", "tags": ["a", "b"]}
    ]


@pytest.mark.parametrize(
    ("cell", "tags"),
    [("a", ["a"]), ("a; b ;;c", ["a", "b", "c"]), ('"[""a;b"", """"]"', ["a;b", ""]), ("'=a", ["=a"])],
)
def test_tags(cell: str, tags: list[str]) -> None:
    """Tags are separated by semicolons; those that have one themselves are a JSON list."""
    assert fields(f"id,tags\nservereye:a,{cell}\n") == [{"tags": tags}]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x,,,", "is not a device id"),
        ("3206485144263533,,,", "is not a device id"),
        ("controlid:x,,,", "is not a device id: deviceId must be"),
        ("servereye:a b,,,", "is not a device id: containerId must be"),
        (",0G020/005B6D,,", "such as 0G0200/005B6D"),
        (",,name,", "neither an id nor a serial number"),
        ("controlid:7,0G0200/005B6D,,", "of two devices"),
        ("servereye:a,,,,", "has 5 cells for 4 columns"),
        (f"servereye:a,,{'x' * 257},", "name must be at most 256 printable characters"),
        ("servereye:a,,x\x07,", "name must be at most 256 printable characters"),
        (f"servereye:a,,,{';'.join(map(str, range(65)))}", "65 tags"),
        (f"servereye:a,,,{'x' * 257}", "a tag must be at most"),
        ("servereye:a,,,[1]", "JSON list of strings"),
        ("servereye:a,,,[", "JSON list of strings"),
    ],
)
def test_wrong_rows(row: str, reason: str) -> None:
    """What is wrong with a row is said with its line, for all rows at once."""
    first, second = problems(f"id,serial,name,tags\n{row}\nservereye:ok,,,\n{row}\n")
    assert (first.line, second.line) == (2, 4)
    assert reason in first.what


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must have the names of the columns"),
        ("name,site\n", "must have the names of the columns"),
        ("servereye:a,Main gate\n", "'servereye:a' is not a column"),
        ("id,nmae\n", "'nmae' is not a column; the columns are id, serial"),
        ("id,name,name\n", "the column name is there twice"),
        ('id,name\nservereye:a,"x\n', "is not CSV"),
        ("id\nservereye:a\ncontrolid:7\nservereye:a\n", "servereye:a is in line 2, too"),
        ("id\ncontrolid:007\ncontrolid:00000?/000007\n", "controlid:7 is in line 2, too"),
    ],
)
def test_wrong_files(text: str, reason: str) -> None:
    """A file whose columns are not known, that is none, or that has a device twice, is refused."""
    assert reason in problems(text)[0].what


def test_size_is_bounded() -> None:
    """A file of more rows than anybody has devices is refused."""
    text = "id\n" + "".join(f"controlid:{number}\n" for number in range(MAX_ROWS + 5))
    assert problems(text) == [Problem(MAX_ROWS + 2, f"there are more than {MAX_ROWS} rows")]


def test_cells_of_a_device() -> None:
    """A device without anything has empty cells."""
    assert to_cells({"id": "servereye:a", "name": "", "site": None, "tags": [], "facts": {}}) == [
        "servereye:a",
        *[""] * 5,
    ]
    assert to_cells(device("Gate", "Lobby", ["a", "b"], "iDFlex"))[1:] == [
        str(to_serial("3206485144263533")),
        "Gate",
        "Lobby",
        "a;b",
        "iDFlex",
    ]
