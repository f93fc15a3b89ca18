"""Tests of output that fits a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from pushd.pushctl import output, terminal
from pushd.pushctl.commands.devices import device_columns
from pushd.pushctl.connection import Json
from pushd.pushctl.lists import print_list
from pushd.pushctl.output import EventPrinter, print_command
from pushd.pushctl.terminal import UNLIMITED, Column, Fit, broken, column_widths, joined
from tests.pushctl.fake_server import COMMAND, DEVICE

UUID = "01890a5d-ac96-774b-bcce-b302099a8057"
CONTAINER = f"servereye:{UUID}"
COLUMNS = (Column("id"), Column("text", 1, Fit.WRAP), Column("name", 2, Fit.CUT), Column("state", 1))


@pytest.fixture
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Makes stdout and stderr terminals of this width."""
    columns: int = request.param
    monkeypatch.setattr(terminal, "console", lambda *, err=False: Console(stderr=err, width=columns, _environ={}))
    return columns


def _rows(*cells: tuple[str, ...]) -> list[list[Text]]:
    return [[Text(cell) for cell in row] for row in cells]


@pytest.mark.parametrize(
    ("width", "widths"),
    [
        (100, [4, 25, 20, 5]),  # everything fits
        (50, [4, 25, 10, 5]),  # the name is cut
        (38, [4, 25, 0, 5]),  # the name is left out
        (32, [4, 19, 0, 5]),  # the text is wrapped
        (20, [4, 0, 0, 5]),  # the text is left out
        (3, [4, 0, 0, 0]),  # the first column stays, and whole
    ],
)
def test_columns_are_left_out_by_priority(width: int, widths: list[int]) -> None:
    """Columns that may be cut or wrapped become narrower first; then those of the least priority are left out."""
    rows = _rows(("id:1", "one two three four five x", "n" * 20, "open"))
    assert column_widths(COLUMNS, rows, width) == widths


@given(
    st.lists(st.tuples(*[st.text("ab ", max_size=30)] * 4), max_size=3),
    st.integers(30, 200),
)
def test_tables_fit(cells: list[tuple[str, ...]], width: int) -> None:
    """A table is never wider than the terminal, and no column narrower than a word that must stay whole."""
    widths = column_widths(COLUMNS, _rows(*cells), width)
    assert sum(widths) + terminal.GAP * (sum(map(bool, widths)) - 1) <= width
    for row in cells:
        assert len(row[0]) <= widths[0]
        assert not widths[1] or max(map(len, row[1].split()), default=0) <= widths[1]


@given(st.lists(st.text("abc", min_size=1, max_size=12), min_size=1), st.integers(20, 80))
def test_broken_lines_have_whole_words(words: list[str], width: int) -> None:
    """Lines are broken between words, fit, and have all words."""
    lines = [line.plain for line in broken(Text(" ".join(words)), width)]
    assert [word for line in lines for word in line.split()] == words
    assert max(map(len, lines)) <= width


def test_a_word_wider_than_the_terminal_stays_whole() -> None:
    """An id that does not fit on a line is not broken; the line is too long instead."""
    assert [line.plain for line in broken(Text(f"see {UUID} again"), 20)] == ["see", f"    {UUID}", "    again"]


def test_pieces_are_joined_as_long_as_they_fit() -> None:
    """Pieces stand on one line if they fit, else on further, indented ones; a long piece is broken itself."""
    assert list(joined(["one", "two", "three"], 80)) == ["one  two  three"]
    assert list(joined(["one", "two", "three four five"], 12)) == ["one  two", "    three", "    four", "    five"]


@pytest.mark.parametrize("width", [60, 80, 120, 200], indirect=True)
def test_devices_fit(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Ids are whole and no line is too long; columns that do not fit are named on stderr."""
    devices = [DEVICE, {**DEVICE, "id": CONTAINER, "name": "A name " * 9, "proof": []}]
    print_list(devices, device_columns(1_000_000), as_json=False, empty="")
    shown = capsys.readouterr()
    for line in (shown.out + shown.err).splitlines():
        assert len(line) <= width
    assert [line.split()[0] for line in shown.out.splitlines()] == ["id", DEVICE["id"], CONTAINER]
    assert ("too narrow for the columns:" in shown.err) == (width < 160)
    head = shown.out.splitlines()[0].split()
    assert "presence" in head
    assert ("name" in head) == (width >= 80)


@pytest.mark.parametrize("width", [60, 80, 120, 200], indirect=True)
def test_command_fits(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Every field of a command is shown whole; a value that does not fit beside its name stands below it."""
    error = "the lease ran out without a result, and what became of the command is not known"
    print_command({**COMMAND, "device": CONTAINER, "error": error, "idempotency_key": UUID, "payload": None})
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= width
    assert UUID in out.split()
    assert CONTAINER in out.split()
    assert error in " ".join(out.split())


EVENT: Json = {
    "type": "command.unknown",
    "at": "2026-01-02T03:04:05.000Z",
    "device": CONTAINER,
    "command": UUID,
    "data": {"attempts": 1, "error": "the lease ran out without a result"},
}


@pytest.mark.parametrize("width", [60, 80, 120, 200, UNLIMITED], indirect=True)
def test_events_fit(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    """An event is on one line if it fits, else on several; a narrow terminal has the date once a day."""
    printer = EventPrinter()
    for at in ("2026-01-02T12:00:00.000Z", "2026-01-02T12:00:01.000Z", "2026-01-04T12:00:00.000Z"):
        printer.print({**EVENT, "at": at})
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert max(map(len, lines)) <= width
    assert out.split().count(CONTAINER) == out.split().count(UUID) == 3
    days = [line for line in lines if line in ("2026-01-02", "2026-01-04")]
    assert days == (["2026-01-02", "2026-01-04"] if width < output.FULL_TIMES_FROM else [])
    if width == UNLIMITED:
        assert len(lines) == 3


def test_without_a_terminal_nothing_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe or a file every device is one line with all columns."""
    device = {**DEVICE, "id": CONTAINER, "name": "A name " * 50}
    print_list([device], device_columns(1_000_000), as_json=False, empty="")
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 2
    assert shown.out.count("A name") == 50
    assert shown.err == ""


def test_piped_tables_have_no_trailing_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no terminal shows a table, its lines end with their last letter."""
    columns = [terminal.Column("name"), terminal.Column("note", 1, terminal.Fit.WRAP)]
    terminal.print_table(columns, [[Text("a"), Text("b")], [Text("long name"), Text("x" * 40)]])
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["name       note", "a          b", f"long name  {'x' * 40}"]
