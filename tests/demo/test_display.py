"""Tests of how the demo shows its commands."""

import os
import re
from io import StringIO
from typing import Any, NoReturn

import pytest
from rich.console import Console

from pushd.demo.display import CommandTable, Row, result_text
from tests.pushctl.fake_server import SENT, SUCCEEDED


def _table(*, terminal: bool, width: int = 160) -> tuple[CommandTable, StringIO]:
    screen = StringIO()
    console = Console(
        file=screen, force_terminal=terminal, width=width, height=60, _environ={"TERM": "xterm", "NO_COLOR": "1"}
    )
    return CommandTable(console), screen


def test_without_a_terminal_each_command_is_a_line() -> None:
    """In a wide file there is one line for each command that ended, without control sequences."""
    table, screen = _table(terminal=False)
    with table.live():
        row = table.add("controlid:1", "load_objects")
        table.update(row, SENT)
        assert screen.getvalue() == ""
        table.end(row, SUCCEEDED, None)
    table.print_all()
    (line,) = screen.getvalue().splitlines()
    assert line.split() == ["controlid:1", "load_objects", "succeeded", "12", "ms", '{"users":[]}']


def test_live_table() -> None:
    """On a terminal the table shows each new state, and at the end all commands."""
    table, screen = _table(terminal=True)
    with table.live():
        row = table.add("controlid:1", "load_objects")
        table.update(row, SENT)
        assert "sent" in screen.getvalue()
        table.end(row, SUCCEEDED, None)
        assert "succeeded" in screen.getvalue()
        other = table.add("controlid:1", "execute_actions")
        table.end(other, SUCCEEDED, None)
    screen.truncate(0)
    table.print_all()
    assert "load_objects" in screen.getvalue()
    assert "execute_actions" in screen.getvalue()


def test_live_table_has_one_row_per_device() -> None:
    """The live table shows one command per device: the one that runs, rather than one that ended."""
    table, screen = _table(terminal=True)
    with table.live():
        table.update(table.add("servereye:a", "long command"), SENT)
        screen.truncate(0)
        table.end(table.add("servereye:a", "short command"), SUCCEEDED, None)
    assert "long command" in screen.getvalue()
    assert "short command" not in screen.getvalue()


def test_fault_is_shown() -> None:
    """A command that did not end as expected shows what is wrong."""
    table, screen = _table(terminal=False)
    table.end(table.add("controlid:1", "load_objects"), SUCCEEDED, "the result has no list of users")
    assert "✗ the result has no list of users" in screen.getvalue()


def test_summary_counts() -> None:
    """The summary counts the commands by state, those as expected, and the median time until they were sent."""
    table, _ = _table(terminal=False)
    table.end(table.add("controlid:1", "a"), SUCCEEDED, None)
    table.end(table.add("controlid:1", "b"), {**SENT, "sent_at": "2026-01-02T03:04:05.002Z"}, "not ended")
    table.add("controlid:1", "c")
    assert table.summary() == (
        "3 commands: 1 succeeded, 1 sent; 1 as expected, 1 not, 1 unfinished; sent after 7 ms (median)"
    )
    assert [row.title for row in table.faults()] == ["b"]


def test_summary_without_commands() -> None:
    """Without devices there are no commands, and no faults."""
    table, _ = _table(terminal=False)
    assert table.summary() == "No commands were sent."
    assert table.faults() == []


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ({"result": {"response": {"ids": [7]}}}, '{"ids":[7]}'),
        ({"result": {"response": "text"}}, "text"),
        ({"result": {"success": True, "message": "done", "data": None}}, "done"),
        ({"result": {"success": True, "message": "done", "data": [1]}}, "[1]"),
        ({"result": {"response": ""}}, '{"response":""}'),
        ({"result": {"error": "no"}, "error": "unknown endpoint"}, "unknown endpoint"),
        ({"result": None, "error": None}, ""),
        ({"result": [1, 2]}, "[1,2]"),
    ],
)
def test_result_text(command: dict[str, Any], text: str) -> None:
    """The error is shown, or the part of the result that says most."""
    assert result_text(command) == text


CONTAINER = "servereye:01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_table_fits_the_width(width: int, terminal: bool) -> None:
    """No line is wider than the terminal or file; ids, states and faults are whole, and only results are shortened."""
    table, screen = _table(terminal=terminal, width=width)
    result = {**SUCCEEDED, "result": {"response": "x" * 100}}
    for device in ("controlid:4408801109440198", CONTAINER):
        table.end(table.add(device, "REMOTE_ACTION that fails"), result, None)
        table.end(table.add(device, "load_objects"), result, "the result has no list of users")
    table.print_all()
    shown = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())
    assert max(map(len, shown.splitlines())) <= width
    assert CONTAINER in shown.split()
    assert shown.count("succeeded") == 4
    assert shown.count("✗ the result has no list of users") == 2
    # a device has a line of its own, or stands before each of its commands
    assert shown.split().count(CONTAINER) == (1 if width < 120 else 2)


@pytest.mark.parametrize(("columns", "width"), [({}, 80), ({"COLUMNS": "70"}, 70), ({"COLUMNS": "132"}, 132)])
def test_width_without_a_terminal(columns: dict[str, str], width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file, lines are as wide as COLUMNS says, else 80; nothing but results is shortened."""

    def no_terminal(_fd: int) -> NoReturn:
        raise OSError

    monkeypatch.setattr(os, "get_terminal_size", no_terminal)
    screen = StringIO()
    table = CommandTable(Console(file=screen, _environ=columns))
    table.print_text("All devices are online. " + "Sending commands. " * 10)
    for device in (CONTAINER, "controlid:4408801109440198", CONTAINER):
        table.end(table.add(device, "load_objects"), {**SUCCEEDED, "result": {"response": "x" * 100}}, None)
    shown = screen.getvalue()
    lengths = [len(line) for line in shown.splitlines()]
    assert width - 20 < max(lengths) <= width
    assert " ".join(shown.split()).count("Sending commands.") == 10
    assert shown.count("x…") == 3
    assert shown.split().count(CONTAINER) == 2


def test_device_is_printed_once_above_its_commands() -> None:
    """In a narrow file, commands of one device that end one after the other stand below one line with it."""
    table, screen = _table(terminal=False, width=80)
    for device in (CONTAINER, CONTAINER, "controlid:1", CONTAINER):
        table.end(table.add(device, "load_objects"), SUCCEEDED, None)
    first = [line.split()[0] for line in screen.getvalue().splitlines()]
    assert first == [CONTAINER, *["load_objects"] * 2, "controlid:1", "load_objects", CONTAINER, "load_objects"]


def test_result_is_shortened_and_escaped() -> None:
    """A result has at most 60 characters in a line, without control characters."""
    row = Row(device="controlid:1", title="x", command={**SUCCEEDED, "result": {"response": "\x1b[2J" + "x" * 100}})
    (line,) = row.lines(20, 10_000)
    assert line.plain.endswith("  \\x1b[2J" + "x" * 52 + "…")
