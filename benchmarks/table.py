"""The table: each work, our figure, each peer's, the ratio, the target, and whether it is reached."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from benchmarks.book import Book
from benchmarks.targets import is_reached, targets_of
from benchmarks.who import FLOOR, US

HEAD = ("work", "who", "figure", "pushd is", "target", "reached")
_REACHED = {True: "yes", False: "NO", None: "?"}

MARGIN = 3
"""How many times our figure the generator should reach with a trivial server."""

Row = tuple[str, ...]


def rows(book: Book) -> Iterator[Row]:
    """The lines of the table: ours first, then each peer's; every target stands on a line of its own."""
    for name in book.quantities:
        columns = zip_longest(_figures(book, name), _wanted(book, name), fillvalue=("", "", ""))
        for place, (figure, wanted) in enumerate(columns):
            yield ("" if place else name, *figure, *wanted[:2])


def _figures(book: Book, name: str) -> Iterator[Row]:
    ours = book.figure(name, US)
    for who in sorted(book.who(name), key=lambda who: who != US):
        figure = book.figure(name, who)
        assert figure is not None, "who is in the book has a figure"
        ratio = "" if who == US or ours is None or not figure else f"{ours / figure:.2f} x"
        yield who, f"{number(figure)} {book.quantities[name].unit}", ratio


def _wanted(book: Book, name: str) -> Iterator[Row]:
    for target in targets_of(book, name):
        yield target.text, _REACHED[is_reached(book, name, target)]


def number(value: float) -> str:
    """A figure with three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def plain(book: Book, machine: Mapping[str, str], missing: Mapping[str, str]) -> str:
    """The table for a terminal."""
    lines = [HEAD, *rows(book)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    told = [_aligned(line, widths) for line in lines]
    told.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*_machine(machine), "", *told, "", *_remarks(book, missing)])


def rst(book: Book, machine: Mapping[str, str], missing: Mapping[str, str]) -> str:
    """The same for a page of the documentation."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (HEAD, *rows(book)):
        lines += [f"   {'* -' if column == 0 else '  -'} {cell}".rstrip() for column, cell in enumerate(row)]
    remarks = [f"* {line}" for line in (*_machine(machine), *_remarks(book, missing)) if line]
    return "\n".join([*lines, "", *remarks])


def _aligned(line: Row, widths: Sequence[int]) -> str:
    cells = [
        cell.rjust(width) if HEAD[column] in ("figure", "pushd is") else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _machine(machine: Mapping[str, str]) -> Sequence[str]:
    return [f"{name}: {value}" for name, value in machine.items()]


def _remarks(book: Book, missing: Mapping[str, str]) -> Sequence[str]:
    return [
        *(f"missing: {name}; it takes {what}" for name, what in missing.items()),
        *(f"broken: {who} in {part}: {why}" for (part, who), why in book.broken.items()),
        *book.notes,
        *_limits(book),
        *_missed(book),
    ]


def _missed(book: Book) -> Iterator[str]:
    """Where it says why a target is missed."""
    if any(is_reached(book, name, target) is False for name in book.quantities for target in targets_of(book, name)):
        yield "why a target may be missed, and what was tried: docs/performance.rst"


def _limits(book: Book) -> Iterator[str]:
    """Where the generator itself may be what limits us: it should reach three times our figure."""
    for name, quantity in book.quantities.items():
        ours, most = book.figure(name, US), book.figure(name, FLOOR)
        if quantity.more and ours and most and most < ours * MARGIN:
            yield f"{name}: the generator reaches only {most / ours:.1f} times this, and may be the limit"
