"""Output that fits a terminal: lines that break between words, and tables that leave out columns.

Without a terminal nothing is broken or left out, so that other programs can read it.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum

from attrs import frozen
from rich.console import Console
from rich.table import Table
from rich.text import Text

UNLIMITED = 10_000
"""The width, in columns, of output that does not go to a terminal."""

INDENT = 4
"""Spaces before the second and further lines of a broken line."""

GAP = 2
"""Spaces between two columns of a table."""

_WRAPPED_MIN = 16
_CUT_MIN = 8
"""The least widths of columns that are wrapped or cut."""


class Fit(Enum):
    """What becomes of a cell that is wider than its column."""

    WHOLE = "whole"
    """The column is as wide as its widest cell."""

    WRAP = "wrap"
    """The cell takes several lines, broken between words."""

    CUT = "cut"
    """The cell ends with an ellipsis."""


@frozen
class Column:
    """A column of a table; in a narrow terminal, the columns of the highest ``priority`` numbers are left out."""

    name: str
    priority: int = 0
    fit: Fit = Fit.WHOLE


Row = Sequence[Text]


def console(*, err: bool = False) -> Console:
    """The terminal on stdout or stderr; of :data:`UNLIMITED` width if it is none."""
    stream = sys.stderr if err else sys.stdout
    return Console(stderr=err, width=None if stream.isatty() else UNLIMITED)


def write_line(text: str, *, err: bool = False) -> None:
    """Print a line as it is. (``click.echo`` writes UTF-8 where the terminal says that it is ASCII.)"""
    stream = sys.stderr if err else sys.stdout
    stream.write(f"{text}\n")
    stream.flush()


def echo(text: str, *, err: bool = False) -> None:
    """Print a paragraph, broken between words if it is wider than the terminal."""
    for line in broken(Text(text), console(err=err).width):
        write_line(line.plain, err=err)


def broken(text: Text, width: int, indent: int = INDENT) -> Iterator[Text]:
    """The lines of a text, broken between words only; a word that is wider than ``width`` stays whole.

    All but the first begin with ``indent`` spaces.
    """
    if text.cell_len <= width:
        yield text
        return
    line, *words = text.split(" ")
    for word in words:
        if line.cell_len + 1 + word.cell_len <= width:
            line = Text(" ").join([line, word])
        else:
            yield line
            line = Text(" " * indent) + word
    yield line


def joined(pieces: Iterable[str], width: int) -> Iterator[str]:
    """Pieces of text with two spaces between them, on as few lines as possible; no line breaks a word."""
    line = ""
    for piece in pieces:
        longer = f"{line}{' ' * GAP}{piece}" if line else piece
        if not line or Text(longer).cell_len <= width:
            line = longer
        else:
            yield from _lines(line, width)
            line = f"{' ' * INDENT}{piece}"
    yield from _lines(line, width)


def _lines(line: str, width: int) -> Iterator[str]:
    return (text.plain for text in broken(Text(line), width))


def print_table(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Print a table on stdout; if the terminal is too narrow for all columns, stderr says which are missing."""
    screen = console()
    widths = column_widths(columns, rows, screen.width)
    draw(screen, columns, rows, widths)
    hidden = [column.name for column, width in zip(columns, widths, strict=True) if not width]
    if hidden:
        echo(f"(too narrow for the columns: {', '.join(hidden)}; a wider terminal or --json shows them)", err=True)


def draw(screen: Console, columns: Sequence[Column], rows: Iterable[Row], widths: Sequence[int]) -> None:
    """Print a table whose columns have these widths; those of width 0 are left out."""
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    shown = [index for index, width in enumerate(widths) if width]
    for index in shown:
        whole = columns[index].fit is not Fit.WRAP
        table.add_column(columns[index].name, width=widths[index], no_wrap=whole, overflow="ellipsis")
    for row in rows:
        table.add_row(*(row[index] for index in shown))
    # a first column that is wider than the terminal is printed whole nevertheless
    width = max(screen.width, _total([widths[index] for index in shown]))
    if screen.is_terminal:
        screen.print(table, width=width, crop=False)
        return
    with screen.capture() as capture:
        screen.print(table, width=width, crop=False)
    for line in capture.get().splitlines():
        write_line(line.rstrip())


def column_widths(columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[int]:
    """The width of each column in a table that is at most ``width`` wide; 0 for those that have to be left out.

    The column with the lowest priority number is always there.
    """
    cells = [[Text(column.name), *(row[index] for row in rows)] for index, column in enumerate(columns)]
    natural = [max(cell.cell_len for cell in column) for column in cells]
    least = [_least(column, cells[index], natural[index]) for index, column in enumerate(columns)]
    widths = [0] * len(columns)
    for index in sorted(range(len(columns)), key=lambda index: columns[index].priority):
        if not any(widths) or _total([*widths, least[index]]) <= width:
            widths[index] = least[index]
    for index in range(len(columns)):
        if widths[index]:
            widths[index] = min(natural[index], widths[index] + max(width - _total(widths), 0))
    return widths


def _least(column: Column, cells: Sequence[Text], natural: int) -> int:
    if column.fit is Fit.WHOLE:
        return natural
    if column.fit is Fit.CUT:
        return min(natural, max(_CUT_MIN, cells[0].cell_len))
    words = max(Text(word).cell_len for cell in cells for word in cell.plain.split() or [""])
    return min(natural, max(_WRAPPED_MIN, words))


def _total(widths: Sequence[int]) -> int:
    shown = [width for width in widths if width]
    return sum(shown) + GAP * max(len(shown) - 1, 0)
