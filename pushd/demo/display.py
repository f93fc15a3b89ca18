"""What the demo shows: a live table on a terminal, else a line for each command that ended; and a summary."""

from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from statistics import median

from attrs import define, field
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pushd.lib.text import printable, shortened
from pushd.pushctl.connection import Json
from pushd.pushctl.output import compact, sent_after_ms, styled

_DEVICE_WIDTH = 47
_TITLE_WIDTH = 25
_STATE_WIDTH = 12
_RESULT_WIDTH = 60
"""Columns of a terminal: as much as the ids, titles and states of the demo need, and some of the result."""


@define(eq=False, kw_only=True)
class Row:
    """One command of one device, as it stands."""

    device: str
    title: str
    command: Json | None = None
    ended: bool = False
    fault: str | None = None
    """What is wrong with how it ended."""

    def cells(self) -> tuple[Text, ...]:
        """Device, command, state, on its way after ms, result."""
        command = self.command or {"state": "new"}
        under_way = sent_after_ms(command)
        said = Text(f"✗ {printable(self.fault)}", style="bold red") if self.fault else Text(result_in_short(command))
        return (
            Text(self.device),
            Text(self.title),
            styled(command["state"]),
            Text("" if under_way is None else str(under_way)),
            said,
        )

    def line(self) -> Text:
        """The same in one line."""
        device, title, state, under_way, said = self.cells()
        for cell, width in ((device, _DEVICE_WIDTH), (title, _TITLE_WIDTH), (state, _STATE_WIDTH)):
            cell.align("left", width)
        under_way.align("right", 5)
        return Text(" ").join([device, title, state, under_way, Text("ms "), said])


def result_in_short(command: Json) -> str:
    """What the device said, in a few words."""
    result = command.get("result")
    said = result if not isinstance(result, dict) else _core(result)
    text = command.get("error") or ("" if said is None else said if isinstance(said, str) else compact(said))
    return shortened(str(text), _RESULT_WIDTH)


def _core(result: Json) -> object:
    """The part of a result that tells most, in either dialect."""
    for name in ("response", "transactions_results", "data", "message"):
        if result.get(name) not in (None, ""):
            return result[name]
    return result


@define(eq=False)
class Board:
    """Shows how the demo's commands do."""

    _console: Console
    rows: list[Row] = field(factory=list, init=False)
    _live: Live | None = field(default=None, init=False)

    def open(self) -> AbstractContextManager[object]:
        """While this is open a terminal shows the live table."""
        if not self._lively:
            return nullcontext()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        return self._live

    def add(self, device: str, title: str) -> Row:
        """Begin a command."""
        row = Row(device=device, title=title)
        self.rows.append(row)
        return row

    def note(self, row: Row, command: Json) -> None:
        """Show how a command stands now."""
        row.command = command
        self._refresh()

    def settle(self, row: Row, command: Json, fault: str | None) -> None:
        """Show how a command ended, and what is wrong with that."""
        row.ended, row.fault = True, fault
        self.note(row, command)
        if not self._lively:
            self._console.print(row.line(), soft_wrap=True)

    def close(self) -> None:
        """Show every command once more, by device, where only the live table was seen."""
        if self._lively:
            self._console.print(_table(sorted(self.rows, key=lambda row: row.device)))

    def summary(self) -> str:
        """All of it in one line."""
        states = Counter(row.command["state"] for row in self.rows if row.command is not None)
        counts = ", ".join(f"{count} {state}" for state, count in states.most_common())
        unexpected = len(self.unexpected())
        times = [ms for row in self.rows if row.command and (ms := sent_after_ms(row.command)) is not None]
        middle = f"{median(times):g} ms at the median" if times else "an unknown time"
        return (
            f"{len(self.rows)} commands: {counts}; {len(self.rows) - unexpected} as expected, {unexpected} not;"
            f" on its way after {middle}"
        )

    def unexpected(self) -> list[Row]:
        """The commands that did not end as they should have."""
        return [row for row in self.rows if not row.ended or row.fault is not None]

    @property
    def _lively(self) -> bool:
        return self._console.is_terminal and not self._console.is_dumb_terminal

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.update(_table(self._current()), refresh=True)

    def _current(self) -> Iterable[Row]:
        """One row per device, so that the table fits on a screen: what it has in work, else what it did last."""
        current: dict[str, Row] = {}
        for row in self.rows:
            shown = current.get(row.device)
            if shown is None or shown.ended or not row.ended:
                current[row.device] = row
        return (current[device] for device in sorted(current))


def _table(rows: Iterable[Row]) -> Table:
    """The rows, in columns that do not move while the rows change."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("device", no_wrap=True)
    table.add_column("command", min_width=_TITLE_WIDTH)
    table.add_column("state", min_width=_STATE_WIDTH)
    table.add_column("on its way after ms", justify="right")
    table.add_column("result", no_wrap=True, overflow="ellipsis", ratio=1)
    for row in rows:
        table.add_row(*row.cells())
    return table
