"""How the demo shows its commands: a live table on a terminal, else each one when it has ended; and a summary.

If stdout is no terminal, lines are as wide as the environment variable ``COLUMNS`` says, by default as the terminal on
stdin or stderr, else 80 columns.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from statistics import median

from attrs import define, field
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from pushd.lib.text import printable, shortened
from pushd.pushctl.connection import Json
from pushd.pushctl.output import compact, sent_after_ms, styled
from pushd.pushctl.terminal import GAP, INDENT, broken

_TITLE_WIDTH = 24
_STATE_WIDTH = 12
_SENT_WIDTH = 10
_RESULT_WIDTH = 60
"""Columns of the terminal for the titles, states, times and results of commands."""

_RESULT_MIN = 20
"""With fewer columns for the result, the device stands on a line of its own."""

_RESULT_LEAST = 8
"""With fewer columns there, the result is left out."""


@define(eq=False, kw_only=True)
class Row:
    """One command of one device, as it is now."""

    device: str
    title: str
    command: Json | None = None
    ended: bool = False
    fault: str | None = None
    """What is wrong with how it ended."""

    def lines(self, device_width: int, width: int) -> Iterator[Text]:
        """The row on one line, or on more if the fault does not fit; no device with ``device_width`` 0."""
        command = self.command or {"state": "new"}
        milliseconds = sent_after_ms(command)
        sent = "" if milliseconds is None else f"{milliseconds} ms"
        state = styled(command["state"])
        state.align("left", _STATE_WIDTH)
        cells = [Text(self.device.ljust(device_width))] if device_width else [Text("")]
        cells += [Text(self.title.ljust(_TITLE_WIDTH)), state, Text(sent.rjust(_SENT_WIDTH))]
        line = _join(cells)
        space = width - line.cell_len - GAP
        result = Text(shortened(result_text(command), max(min(space, _RESULT_WIDTH), 1)))
        if self.fault is None:
            yield _join([line, result]) if space >= _RESULT_LEAST else line
            return
        fault = Text(f"✗ {printable(self.fault)}", style="bold red")
        if fault.cell_len <= space:
            yield _join([line, fault])
        else:
            yield line
            yield from broken(Text(" " * INDENT) + fault, width)


def _join(cells: Iterable[Text]) -> Text:
    return Text(" " * GAP).join(cells)


def result_text(command: Json) -> str:
    """The error of a command, or the part of its result that says most."""
    result = command.get("result")
    if command.get("error"):
        return str(command["error"])
    part = _main_part(result) if isinstance(result, dict) else result
    if part is None:
        return ""
    return part if isinstance(part, str) else compact(part)


def _main_part(result: Json) -> object:
    """The part of a result that says most, in either dialect."""
    for name in ("response", "transactions_results", "data", "message"):
        if result.get(name) not in (None, ""):
            return result[name]
    return result


@define(eq=False)
class CommandTable:
    """Shows the demo's commands while they run, and all of them at the end."""

    _console: Console
    rows: list[Row] = field(factory=list, init=False)
    _live: Live | None = field(default=None, init=False)
    _printed: str | None = field(default=None, init=False)
    """Without a terminal: the device of the command that was printed last."""

    def live(self) -> AbstractContextManager[object]:
        """While this context lasts, a terminal shows the live table."""
        if not self._is_live:
            return nullcontext()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        return self._live

    def add(self, device: str, title: str) -> Row:
        """Add a command that is about to be sent."""
        row = Row(device=device, title=title)
        self.rows.append(row)
        return row

    def update(self, row: Row, command: Json) -> None:
        """Show the state of a command."""
        row.command = command
        if self._live is not None:
            self._live.update(Group(*self._lines(self._current())), refresh=True)

    def end(self, row: Row, command: Json, fault: str | None) -> None:
        """Show how a command ended, and what is wrong with that."""
        row.ended, row.fault = True, fault
        self.update(row, command)
        if not self._is_live:
            self._print(self._row_lines([row], self._printed, self._device_width(self.rows)))
            self._printed = row.device

    def print_all(self) -> None:
        """Print every command by device, on a terminal, which has shown only the live table so far."""
        if self._is_live and self.rows:
            self._print(self._lines(sorted(self.rows, key=lambda row: row.device)))

    def print_text(self, text: str) -> None:
        """Print a paragraph, broken between words if it is wider than the table may be."""
        self._print(broken(Text(text), self._console.width))

    def summary(self) -> str:
        """The numbers of commands by state and by whether they ended as expected, in one line."""
        if not self.rows:
            return "No commands were sent."
        states = Counter(row.command["state"] for row in self.rows if row.command is not None)
        counts = ", ".join(f"{count} {state}" for state, count in states.most_common())
        unfinished, faults = len([row for row in self.rows if not row.ended]), len(self.faults())
        expected = f"{len(self.rows) - unfinished - faults} as expected, {faults} not"
        times = [ms for row in self.rows if row.command and (ms := sent_after_ms(row.command)) is not None]
        return (
            f"{len(self.rows)} commands: {counts}; {expected}"
            + (f", {unfinished} unfinished" if unfinished else "")
            + (f"; sent after {median(times):g} ms (median)" if times else "")
        )

    def faults(self) -> list[Row]:
        """The commands that did not end as expected."""
        return [row for row in self.rows if row.fault is not None]

    @property
    def _is_live(self) -> bool:
        return self._console.is_terminal and not self._console.is_dumb_terminal

    def _current(self) -> list[Row]:
        """One row per device, so that the table fits on a screen: the command that runs, else the last one."""
        current: dict[str, Row] = {}
        for row in self.rows:
            shown = current.get(row.device)
            if shown is None or shown.ended or not row.ended:
                current[row.device] = row
        return [current[device] for device in sorted(current)]

    def _lines(self, rows: Sequence[Row]) -> Iterator[Text]:
        """The table."""
        device_width = self._device_width(rows)
        titles = [
            "device".ljust(device_width) if device_width else "",
            "command".ljust(_TITLE_WIDTH),
            "state".ljust(_STATE_WIDTH),
            "sent after".rjust(_SENT_WIDTH),
            "result",
        ]
        yield next(broken(Text((" " * GAP).join(titles), style="bold"), self._console.width))
        yield from self._row_lines(rows, None, device_width)

    def _row_lines(self, rows: Iterable[Row], device: str | None, device_width: int) -> Iterator[Text]:
        """Rows that follow one of ``device``; without a column for them, devices have lines of their own."""
        for row in rows:
            if not device_width and row.device != device:
                device = row.device
                yield Text(device)
            yield from row.lines(device_width, self._console.width)

    def _device_width(self, rows: Iterable[Row]) -> int:
        """The width of the column for devices; 0 if too little would be left for results."""
        device_width = max(len(row.device) for row in rows)
        others = _TITLE_WIDTH + _STATE_WIDTH + _SENT_WIDTH + 4 * GAP + _RESULT_MIN
        return device_width if device_width + others <= self._console.width else 0

    def _print(self, lines: Iterable[Text]) -> None:
        for line in lines:
            self._console.print(line, soft_wrap=True)
