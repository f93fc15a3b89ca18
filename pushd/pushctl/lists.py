"""Lists: for people a table, for programs one JSON array; every command that lists something prints it with this."""

from collections.abc import Callable, Iterable, Sequence

from attrs import frozen
from rich.text import Text

from pushd.pushctl import terminal
from pushd.pushctl.connection import Json
from pushd.pushctl.output import age, duration_text, print_json, styled, time_text
from pushd.pushctl.terminal import Column

Show = Callable[[Json], Text | str]
"""The text of a cell, from the whole item."""


@frozen
class ListColumn(Column):
    """A column of a list; without ``show`` its cells are the field of its name, with "_" for each space."""

    show: Show | None = None

    def cell(self, item: Json) -> Text:
        """The cell of one item."""
        if self.show is None:
            return styled(item.get(self.name.replace(" ", "_")))
        shown = self.show(item)
        return shown if isinstance(shown, Text) else Text(shown)


def field(name: str) -> Show:
    """A field as it is, in the colour of its value; for a column whose name is not the field's."""
    return lambda item: styled(item.get(name))


def time_of(name: str) -> Show:
    """A field that is a time, as local time."""
    return lambda item: time_text(item.get(name))


def age_of(name: str, now: float) -> Show:
    """How long ago the time in a field was; ``now`` is in seconds since the epoch."""
    return lambda item: age(item.get(name), now)


def duration_of(name: str) -> Show:
    """A field that is a duration in seconds."""
    return lambda item: duration_text(item.get(name))


def print_list(
    items: Sequence[Json],
    columns: Sequence[ListColumn],
    *,
    as_json: bool,
    empty: str,
    narrow: Callable[[Json], Iterable[str]] | None = None,
) -> None:
    """Print items as a table, or as one JSON array; ``empty`` is the sentence on stderr if there are none.

    Where a terminal is too narrow for the table, columns are left out; or each item is printed as the pieces of text
    that ``narrow`` gives, on as many lines as they need.
    """
    if as_json:
        print_json(items)
        return
    if not items:
        terminal.echo(empty, err=True)
        return
    rows = [[column.cell(item) for column in columns] for item in items]
    width = terminal.console().width
    if narrow is None or all(terminal.column_widths(columns, rows, width)):
        terminal.print_table(columns, rows)
        return
    for item in items:
        for line in terminal.joined(narrow(item), width):
            terminal.write_line(line)
