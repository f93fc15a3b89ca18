"""Tests of what a start costs: its time is mostly that of reading the open commands."""

from pathlib import Path

from benchmarks.sample_data import make_data_dir
from pushd.model.timestamps import Now
from tests.calls import count_calls
from tests.results import result_of
from tests.store.clock import new_store, when

FEW, MANY = 1000, 3000

MAX_CALLS = 10
"""Calls of functions of the server for each open command; there were 9.5 at last."""


def calls_of_a_start(data: Path, open_commands: int) -> int:
    """How many Python functions a start with so many open commands calls."""
    make_data_dir(data, servereye=10, controlid=0, open_commands=open_commands)
    store = new_store(str(data / "pushd.sqlite"))
    calls = count_calls(lambda: when(store, Now(wall=2_000_000_000_000, steady=0)).open())
    assert len(store._open_commands.commands) == open_commands
    result_of(store.close())
    return calls


def test_a_start_makes_few_calls_for_each_open_command(tmp_path: Path) -> None:
    """A server with a million open commands is back within seconds: a regression is seen here, on any machine."""
    calls = calls_of_a_start(tmp_path / "many", MANY) - calls_of_a_start(tmp_path / "few", FEW)
    assert calls / (MANY - FEW) < MAX_CALLS
