"""Tests of the cost of hot operations as the data grows: the same rows, statements and steps."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from twisted.python.failure import Failure

from benchmarks.sample_data import make_data_dir
from pushd.model.event import EventType
from pushd.model.lifecycle import State
from pushd.model.timestamps import Now
from pushd.model.uuid7 import IdSource
from pushd.rules.queueing import ClaimNext, Enqueue
from pushd.rules.reporting import Acknowledge, Settle
from pushd.rules.time_limits import Expire, Lapse
from pushd.rules.view import Rule
from pushd.store.filters import CommandFilter, EventFilter
from pushd.store.group_commit import PendingTransaction
from pushd.store.open_commands import OpenCommands
from pushd.store.sqlite.connection import SqliteConnection, connect
from pushd.store.transaction import ITransaction
from pushd.store.transactions import consistency, queries, retention
from tests.store.clock import NumberedIds, StoreClock
from tests.store.samples import LIMIT, StubResult, by_message, command_id, draft

FEW, MANY = 1_000, 40_000

CONTAINER, READER = "servereye:bench0", "controlid:0"


@define(eq=False)
class Counter:
    """A database that counts the cost of operations."""

    connection: sqlite3.Connection
    now: Callable[[], Now]
    ids: IdSource = field(factory=NumberedIds)
    statements: list[str] = field(factory=list)
    steps: int = 0
    open_commands: OpenCommands = field(factory=OpenCommands)

    def decision(self, rule: Rule[Any]) -> tuple[list[str], int, int]:
        """The cost of a rule."""
        return self.cost(lambda tx: rule.decide(tx.commands))

    def cost(self, operation: Callable[[ITransaction], Any]) -> tuple[list[str], int, int]:
        """The statements of an operation, the rows that it changes, and the steps of SQLite's virtual machine."""
        self.statements.clear()
        self.steps, changes = 0, self.connection.total_changes
        self.connection.set_trace_callback(self.statements.append)
        self.connection.set_progress_handler(self._step, 1)
        work = PendingTransaction(operation)
        SqliteConnection(self.connection, self.now, open_commands=self.open_commands, ids=self.ids).run([work])
        self.connection.set_progress_handler(None, 1)
        self.connection.set_trace_callback(None)
        if isinstance(work.outcome, Failure):
            work.outcome.raiseException()
        statements = [re.sub("[0-9]+", "0", statement)[:40] for statement in self.statements]  # without times
        return statements, self.connection.total_changes - changes, self.steps

    def _step(self) -> int:
        self.steps += 1
        return 0


def now(database: sqlite3.Connection) -> Now:
    """A time after everything that is stored."""
    latest = database.execute("SELECT MAX(finished_at) FROM command").fetchone()[0]
    return Now(wall=latest + 1000, steady=1000)


def cycle(place: Path, commands: int) -> Iterator[tuple[str, tuple[list[str], int, int]]]:
    """The cost of each operation of the life of a command, where so many commands are stored."""
    data = make_data_dir(place / str(commands), servereye=commands // 10, controlid=10, commands=commands)
    with closing(connect(str(data / "pushd.sqlite"))) as database:
        counter, moment = Counter(database, StoreClock(now(database))), now(database)
        for number, device, report in (
            (1, CONTAINER, by_message(1)),
            (2, READER, StubResult(uuid="u")),
        ):
            uuid = None if device is CONTAINER else "u"
            sent = draft(name=device)
            yield (
                f"put {device}",
                counter.decision(Enqueue(sent, queue_signed_off=False, max_queued=LIMIT)),
            )
            claim = ClaimNext(device, uuid, one_at_a_time=uuid is not None, limit=1)
            yield f"claim {device}", counter.decision(claim)
            yield f"idle claim {device}", counter.decision(claim)
            yield f"acknowledge {device}", counter.decision(Acknowledge(device, command_id(number)))
            yield f"settle {device}", counter.decision(Settle(device, report))
        for late in (Expire(command_id(3)), Lapse(command_id(3))):
            yield type(late).__name__, counter.decision(late)
        newest = CommandFilter(since=moment.wall - 1500)
        yield "commands since", counter.cost(partial(queries.list_commands, which=newest, start=(None, 50)))
        for state in State:
            queued = CommandFilter(state=state, device=READER)
            yield f"commands {state}", counter.cost(partial(queries.list_commands, which=queued, start=(None, 50)))
        rare = EventFilter(types=(EventType.DEVICE_BLOCKED,))
        yield "rare events", counter.cost(partial(queries.list_events, which=rare, after=0, limit=50))
        yield "part of fsck", counter.cost(partial(consistency.check_slice, start=consistency.START))
        yield (
            "purge nothing",
            counter.cost(partial(retention.purge, before=0, limit=200, seconds=lambda: 0.0)),
        )


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """The costs of each operation with few stored commands, and with many."""
    place = tmp_path_factory.mktemp("growth")
    return dict(cycle(place, FEW)), dict(cycle(place, MANY))


def test_each_operation_costs_the_same(costs: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """A command costs as much work after years of use as on the first day."""
    few, many = costs
    assert few == many
    assert few["put servereye:bench0"][1] >= 2  # the command, and its event
    assert few["settle controlid:0"][1] >= 2
