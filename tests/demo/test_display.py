"""Tests of what the demo shows."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from pushd.demo.display import Board, result_in_short
from tests.pushctl.fake_server import SENT, SUCCEEDED


def _board(*, terminal: bool) -> tuple[Board, StringIO]:
    screen = StringIO()
    return Board(Console(file=screen, force_terminal=terminal, width=160, _environ={"TERM": "xterm"})), screen


def test_without_a_terminal_each_end_is_a_line() -> None:
    """In a log file there is one line for each command that ended, and nothing that only a terminal understands."""
    board, screen = _board(terminal=False)
    with board.open():
        row = board.add("controlid:1", "load_objects")
        board.note(row, SENT)
        assert screen.getvalue() == ""
        board.settle(row, SUCCEEDED, None)
    board.close()
    (line,) = screen.getvalue().splitlines()
    assert line.split() == ["controlid:1", "load_objects", "succeeded", "12", "ms", '{"users":[]}']


def test_on_a_terminal_the_table_lives() -> None:
    """On a terminal the table follows each change, and all commands show once more at the end."""
    board, screen = _board(terminal=True)
    with board.open():
        row = board.add("controlid:1", "load_objects")
        board.note(row, SENT)
        assert "sent" in screen.getvalue()
        board.settle(row, SUCCEEDED, None)
        assert "succeeded" in screen.getvalue()
        other = board.add("controlid:1", "execute_actions")
        board.settle(other, SUCCEEDED, None)
    screen.truncate(0)
    board.close()
    assert "load_objects" in screen.getvalue()
    assert "execute_actions" in screen.getvalue()


def test_live_table_shows_what_is_in_work() -> None:
    """The live table has one row per device: the command in work goes before those that ended."""
    board, screen = _board(terminal=True)
    with board.open():
        board.note(board.add("servereye:a", "long work"), SENT)
        screen.truncate(0)
        board.settle(board.add("servereye:a", "short work"), SUCCEEDED, None)
    assert "long work" in screen.getvalue()
    assert "short work" not in screen.getvalue()


def test_fault_is_shown() -> None:
    """A command that did not end as it should shows what is wrong."""
    board, screen = _board(terminal=False)
    board.settle(board.add("controlid:1", "load_objects"), SUCCEEDED, "no list of users came back")
    assert "✗ no list of users came back" in screen.getvalue()


def test_summary_counts() -> None:
    """The summary says how many commands ended how, how many as expected, and how soon they were on their way."""
    board, _ = _board(terminal=False)
    board.settle(board.add("controlid:1", "a"), SUCCEEDED, None)
    board.settle(board.add("controlid:1", "b"), {**SENT, "sent_at": "2026-01-02T03:04:05.002Z"}, "not ended")
    board.add("controlid:1", "c")
    assert board.summary() == (
        "3 commands: 1 succeeded, 1 sent; 1 as expected, 2 not; on its way after 7 ms at the median"
    )
    assert [row.title for row in board.unexpected()] == ["b", "c"]


def test_summary_of_nothing() -> None:
    """Without any device there is nothing to count, and nothing unexpected."""
    board, _ = _board(terminal=False)
    assert board.summary().endswith("0 as expected, 0 not; on its way after an unknown time")
    assert board.unexpected() == []


@pytest.mark.parametrize(
    ("command", "short"),
    [
        ({"result": {"response": {"ids": [7]}}}, '{"ids":[7]}'),
        ({"result": {"response": "text\x1b[2J"}}, "text\\x1b[2J"),
        ({"result": {"success": True, "message": "done", "data": None}}, "done"),
        ({"result": {"success": True, "message": "done", "data": [1]}}, "[1]"),
        ({"result": {"response": ""}}, '{"response":""}'),
        ({"result": {"error": "no"}, "error": "unknown endpoint"}, "unknown endpoint"),
        ({"result": None, "error": None}, ""),
        ({"result": [1, 2]}, "[1,2]"),
        ({"result": {"response": "x" * 100}}, "x" * 59 + "…"),
    ],
)
def test_result_in_short(command: dict[str, Any], short: str) -> None:
    """The part of a result that tells most is shown, in one line that fits."""
    assert result_in_short(command) == short
