"""Tests of what the durable cycle of many devices costs: statements, rows and Python calls."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred

from pushd.model.lifecycle import State
from pushd.store.filters import CommandFilter
from pushd.store.group_commit import Deliver, IConnection, Operation, PendingTransaction, T
from pushd.store.sqlite.store import SqliteStore
from pushd.store.sqlite.transaction import AT_ONCE
from tests.calls import count_calls
from tests.results import result_of
from tests.store.clock import new_store
from tests.store.samples import LIMIT, StubResult, by_message, command_id, device, draft

DEVICES = 50
STEPS = ("put", "claim", "acknowledge", "settle")


@define(eq=False)
class GroupExecutor:
    """Runs what was submitted as one group when the test says so."""

    connection: IConnection
    deliver: Deliver
    _waiting: list[PendingTransaction] = field(factory=list, init=False)

    def submit(self, operation: Operation[T], *args: Any) -> Deferred[T]:
        """Keep an operation for the next group."""
        pending = PendingTransaction(operation, args)
        self._waiting.append(pending)
        return pending.done

    def run(self) -> None:
        """Run and commit the group."""
        waiting, self._waiting = self._waiting, []
        self.deliver(self.connection.run(waiting))


@define(eq=False)
class Cycles:
    """Runs the cycle of many devices, one group for each step."""

    store: SqliteStore
    executor: GroupExecutor
    dialect: str
    names: Sequence[str]
    _number: int = field(default=1, init=False)

    def run(self) -> None:
        """A command for each device is put, claimed, acknowledged, and its result reported."""
        first = self._number
        self._number += len(self.names)
        for step in (self._put, self._claim, self._acknowledge, self._settle):
            done = [step(name, number) for number, name in enumerate(self.names, first)]
            self.executor.run()
            for each in done:
                result_of(each)

    def _put(self, name: str, number: int) -> Deferred[Any]:
        return self.store.put(draft(name), False, LIMIT)

    def _claim(self, name: str, number: int) -> Deferred[Any]:
        return self.store.claim(name, self._uuid(number), self.dialect == "controlid", 1)

    def _acknowledge(self, name: str, number: int) -> Deferred[Any]:
        return self.store.acknowledge(name, command_id(number))

    def _settle(self, name: str, number: int) -> Deferred[Any]:
        uuid = self._uuid(number)
        return self.store.settle(name, by_message(number) if uuid is None else StubResult(uuid=uuid))

    def _uuid(self, number: int) -> str | None:
        return f"u{number}" if self.dialect == "controlid" else None


@pytest.fixture(params=["servereye", "controlid"])
def cycles(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cycles]:
    """The cycles of devices of each dialect, each of which has had one."""
    store = new_store(str(tmp_path / "pushd.sqlite"))
    store.open()
    names = [f"{request.param}:{number}" for number in range(DEVICES)]
    for name in names:
        result_of(store.add_device(device(name), False))
    inline: Any = store._writer
    executor: Any = GroupExecutor(inline.connection, inline.deliver)
    store._writer = executor
    cycles = Cycles(store, executor, request.param, names)
    cycles.run()
    yield cycles
    store._writer = inline
    assert len(result_of(store.commands(CommandFilter(state=State.SUCCEEDED), None, LIMIT))) % DEVICES == 0
    result_of(store.close())


_WRITE = re.compile(r"(INSERT INTO|UPDATE|DELETE FROM) (\w+)")
_FEED = "sqlite_sequence"


def test_a_cycle_runs_no_query(cycles: Cycles) -> None:
    """Each group asks for the number of the next event, and writes each row once, many events at a time; nothing
    else is read or written.
    """
    statements: list[str] = []
    connection = cycles.executor.connection.connection  # type: ignore[attr-defined]
    connection.set_trace_callback(statements.append)
    cycles.run()
    connection.set_trace_callback(None)
    written = Counter(found[1] + " " + found[2] for each in statements if (found := _WRITE.match(each)))
    assert written == {
        "INSERT INTO command": DEVICES,
        "INSERT INTO attempt": DEVICES,
        "UPDATE command": 3 * DEVICES,
        "INSERT INTO event": 4 * sum(divmod(DEVICES, AT_ONCE)),
    }
    others = Counter("the feed" if _FEED in each else each for each in statements if not _WRITE.match(each))
    assert others == dict.fromkeys(("BEGIN IMMEDIATE", "the feed", "COMMIT"), len(STEPS))


def test_the_ids_of_claims_ascend(cycles: Cycles) -> None:
    """The claims of many devices are added at the end of their index: to change a page for each would cost as much as
    to write it.
    """
    connection = cycles.executor.connection.connection  # type: ignore[attr-defined]
    handovers = [row[0] for row in connection.execute("SELECT handover FROM attempt ORDER BY serial")]
    assert len(handovers) == DEVICES
    assert handovers == sorted(set(handovers))


MAX_CALLS = 186
"""Calls of functions of the store in a cycle: a tenth more than there were at last."""


def test_a_cycle_makes_few_calls(cycles: Cycles) -> None:
    """The time of a cycle is mostly that of Python: a regression is seen here, on any machine."""
    assert count_calls(cycles.run) / DEVICES < MAX_CALLS
