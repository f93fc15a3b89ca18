"""Devices as a CSV file, to be edited in a spreadsheet: one device in each row, below a row with the names of columns.

A spreadsheet runs a cell that begins with =, +, - or @ as a formula, so those cells get an apostrophe in front, which
is taken off when they are read.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import StringIO
from typing import Any

from attrs import field, frozen

from pushd.dialects.controlid import wire as controlid
from pushd.dialects.servereye import wire as servereye
from pushd.model.device import MAX_TAGS, MAX_TEXT
from pushd.model.errors import InvalidQuery
from pushd.pushctl.connection import Json
from pushd.pushctl.device_ids import read_device_id

COLUMNS = ("id", "serial", "name", "site", "tags", "model")
"""The columns; a file may have any of them, in any order, if ``id`` or ``serial`` is among them."""

MAX_ROWS = 100_000
"""Rows of a file that is read."""

_CANONICAL: Mapping[str, Callable[[str], str]] = {
    "controlid": controlid.canonical,
    "servereye": servereye.canonical,
}
_FORMULA = re.compile(r"'*[=+\-@\x00-\x1f\x7f]")
_SEPARATOR = ";"
"""Between two tags."""


@frozen
class Problem:
    """What is wrong with a line of the file."""

    line: int
    what: str


@frozen(kw_only=True)
class DeviceRow:
    """A device in the file; ``fields`` are those whose cells are not empty."""

    line: int
    id: str
    fields: Mapping[str, Any] = field(factory=dict)


def write_rows(rows: Iterable[Sequence[str]]) -> str:
    """Rows as CSV text."""
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows([_protected(cell) for cell in row] for row in rows)
    return text.getvalue()


def _protected(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _unprotected(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def to_cells(device: Json) -> list[str]:
    """The row of a device, in the order of :data:`COLUMNS`."""
    facts = device.get("facts") or {}
    plain = [device.get("id"), facts.get("serial"), device.get("name"), device.get("site")]
    return [_text(value) for value in plain] + [_join(device.get("tags") or []), _text(facts.get("model"))]


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _join(tags: Sequence[str]) -> str:
    """Tags in one cell; as JSON where a separator between them would be ambiguous."""
    joined = _SEPARATOR.join(tags)
    is_plain = not joined.startswith("[") and _split(joined) == list(tags)
    return joined if is_plain else json.dumps(tags, ensure_ascii=False)


def _split(cell: str) -> list[str]:
    """The tags in a cell.

    :raises ValueError: if they are meant as JSON, but cannot be read.
    """
    if not cell.startswith("["):
        return [tag for part in cell.split(_SEPARATOR) if (tag := part.strip())]
    tags = json.loads(cell)
    if not all(isinstance(tag, str) for tag in tags):
        raise ValueError(cell)
    return list(tags)


def read_rows(text: str) -> tuple[list[DeviceRow], list[Problem]]:
    """The devices in a file, and all that is wrong with it."""
    header, _, _ = text.partition("\n")
    lines = csv.reader(
        StringIO(text, newline=""), delimiter=";" if header.count(";") > header.count(",") else ",", strict=True
    )
    try:
        names = [name.strip().lower() for name in next(lines, [])]
        problems = list(_problems_of_header(names))
        if problems:
            return [], problems
        return _read_lines(names, lines)
    except csv.Error as error:
        return [], [Problem(lines.line_num, f"is not CSV: {error}")]


def _problems_of_header(names: Sequence[str]) -> Iterator[Problem]:
    known = ", ".join(COLUMNS)
    for name in dict.fromkeys(names):
        if name not in COLUMNS:
            yield Problem(1, f"{name!r} is not a column; the columns are {known}")
        elif names.count(name) > 1:
            yield Problem(1, f"the column {name} is there twice")
    if not {"id", "serial"} & set(names):
        yield Problem(1, f"the first row must have the names of the columns, id or serial among them, of {known}")


def _read_lines(names: Sequence[str], lines: Any) -> tuple[list[DeviceRow], list[Problem]]:
    rows: list[DeviceRow] = []
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for cells in lines:
        line = lines.line_num
        if not any(cell.strip() for cell in cells):
            continue
        if len(rows) + len(problems) >= MAX_ROWS:
            return rows, [*problems, Problem(line, f"there are more than {MAX_ROWS} rows")]
        try:
            row = _read_row(line, names, cells)
        except ValueError as error:
            problems.append(Problem(line, str(error)))
            continue
        if row.id in seen:
            problems.append(Problem(line, f"{row.id} is in line {seen[row.id]}, too"))
        seen.setdefault(row.id, line)
        rows.append(row)
    return rows, problems


def _read_row(line: int, names: Sequence[str], cells: Sequence[str]) -> DeviceRow:
    """:raises ValueError: saying what is wrong."""
    if len(cells) > len(names):
        raise ValueError(f"has {len(cells)} cells for {len(names)} columns")
    given = {name: _unprotected(cell) for name, cell in zip(names, cells, strict=False) if cell.strip()}
    ids = {_read_id(given[name].strip()) for name in ("id", "serial") if name in given}
    if len(ids) != 1:
        raise ValueError("has neither an id nor a serial number" if not ids else "id and serial are of two devices")
    fields: dict[str, Any] = {name: _read_text(name, given[name]) for name in ("name", "site") if name in given}
    if "tags" in given:
        fields["tags"] = _read_tags(given["tags"])
    if "model" in given:
        fields["facts"] = {"model": _read_text("model", given["model"])}
    return DeviceRow(line=line, id=ids.pop(), fields=fields)


def _read_id(cell: str) -> str:
    dialect, _, local = read_device_id(cell).partition(":")
    if dialect not in _CANONICAL:
        raise ValueError(f"{cell!r} is not a device id: controlid:... or servereye:..., or a serial number")
    try:
        return f"{dialect}:{_CANONICAL[dialect](local)}"
    except InvalidQuery as error:
        raise ValueError(f"{cell!r} is not a device id: {error}") from None


def _read_text(name: str, text: str) -> str:
    if len(text) > MAX_TEXT or not text.isprintable():
        raise ValueError(f"{name} must be at most {MAX_TEXT} printable characters")
    return text


def _read_tags(cell: str) -> list[str]:
    try:
        tags = _split(cell)
    except (ValueError, RecursionError):
        raise ValueError("tags must be separated by semicolons, or a JSON list of strings") from None
    if len(tags) > MAX_TAGS:
        raise ValueError(f"has {len(tags)} tags; at most {MAX_TAGS} are possible")
    return [_read_text("a tag", tag) for tag in tags]
