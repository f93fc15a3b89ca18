"""Tests of the pace of retention."""

from itertools import pairwise

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from pushd.core.commands import command_queue
from pushd.store.sqlite.store import SqliteStore
from tests.core.harness import CoreHarness

IN_TIME = round(command_queue.PURGE_IN_TIME / command_queue.PURGE_PAUSE)
"""Transactions before a purge is late, if each takes no time."""


@pytest.fixture
def purged_at(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the store was asked to purge; it has more to purge than can be in time."""
    asked: list[float] = []

    def purge(store: SqliteStore, before: int, limit: int) -> Deferred[int]:
        asked.append(store.now().steady / 1000)
        return succeed(int(len(asked) < IN_TIME + 10))

    monkeypatch.setattr(SqliteStore, "purge", purge)
    return asked


def test_a_purge_pauses_until_it_is_late(harness: CoreHarness, clock: Clock, purged_at: list[float]) -> None:
    """Others write in the pauses; without them it is as fast as it can be, so that the database does not grow."""
    purging = harness.start(harness.core.purge())
    for _ in range(IN_TIME):
        clock.advance(command_queue.PURGE_PAUSE)
    harness.result(purging)
    pauses = [round(after - before, 3) for before, after in pairwise(purged_at)]
    assert pauses == [command_queue.PURGE_PAUSE] * IN_TIME + [0] * 9
