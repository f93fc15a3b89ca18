"""Tests of durability: what was confirmed is there after the process was killed."""

import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from pushd.model.lifecycle import State
from pushd.store.filters import CommandFilter
from tests.store.clock import new_store
from tests.store.samples import READER, at, command_id

ROOT = Path(__file__).parents[2]


def run_and_kill(path: Path, lines: int) -> dict[str, set[int]]:
    """Let another process write until it has confirmed so many changes, and kill it; all that it confirmed."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.store.writer", str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            said = [process.stdout.readline() for _ in range(lines)]
        finally:
            process.kill()
        said += process.stdout.readlines()
    assert process.returncode == -9
    confirmed: dict[str, set[int]] = defaultdict(set)
    for line in said:
        if line.endswith("\n"):
            word, number = line.split()
            confirmed[word].add(int(number))
    return confirmed


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_that_was_accepted_is_lost(tmp_path: Path, seed: int) -> None:
    """Killed at any moment, the process leaves every command and every result that it has confirmed."""
    path = tmp_path / "pushd.sqlite"
    confirmed = run_and_kill(path, random.Random(seed).randrange(1, 150))
    assert confirmed["put"]
    store = new_store(str(path))
    store.open()
    kept = {command.id: command for command in await store.commands(CommandFilter(device=READER), None, 10_000)}
    assert {command_id(number) for number in confirmed["put"]} <= set(kept)
    assert {kept[command_id(number)].state for number in confirmed["settled"]} <= {State.SUCCEEDED}
    assert store.ids.make(at().wall) > max(kept)
    queued = {command.id for command in kept.values() if command.state is State.QUEUED}
    assert store.devices_with_queue() == ([READER] if queued else [])
    await store.close()
