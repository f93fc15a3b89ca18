"""What a group of operations costs on PostgreSQL: round trips, and CPU time of the process and of the database."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from attrs import define, frozen
from twisted.python.failure import Failure

from benchmarks.generator import MeasurementFailed
from benchmarks.postgres import Postgres
from benchmarks.results import Metric, cpu_time
from benchmarks.runner import Runner
from benchmarks.server_names import on_postgres
from pushd.model.command import Draft, SendOptions
from pushd.model.event import Event, EventType
from pushd.model.facts import NO_FACTS, Facts
from pushd.model.lifecycle import Move
from pushd.model.result import Verdict
from pushd.rules.queueing import ClaimNext, Enqueue
from pushd.rules.reporting import Acknowledge, Settle
from pushd.rules.view import Rule
from pushd.store.commit_failures import CommitFailures
from pushd.store.group_commit import PendingTransaction
from pushd.store.overlay import decide
from pushd.store.postgres.connection import PostgresConnection
from pushd.store.postgres.pipeline import Request, exchange
from pushd.store.postgres.session import Session, SessionOptions
from pushd.store.postgres.transaction import PostgresFeed
from tests.harness.round_trips import count_round_trips

LARGE = 100
"""Operations of a large group."""

STEPS = 4
"""Groups of a cycle: one for each of its operations."""


@frozen(kw_only=True)
class Report:
    """A device's report that a command has succeeded."""

    message: str
    uuid: None = None
    result: str = '{"success":true,"message":"done","data":""}'
    raw: bytes = b""
    size: int = 43

    def concerns(self, payload: Any) -> bool:
        """It names its command."""
        return True

    def judge(self, payload: Any) -> Verdict:
        """It says that the command has succeeded."""
        return Verdict(move=Move.SUCCEED)

    def facts(self, payload: Any) -> Facts:
        """It says nothing of the device."""
        return NO_FACTS

    def part(self, position: int) -> "Report":
        """It is about one command."""
        return self


@define
class Spent:
    """CPU time in seconds."""

    own: float = 0.0
    database: float = 0.0


@define(eq=False)
class Groups:
    """Runs the cycles of some devices, each step of all of them as one group."""

    connection: PostgresConnection
    devices: Sequence[str]

    def cycle(self) -> None:
        """Run one cycle."""
        drafts = [
            Draft(
                device=device,
                payload={"control": "REFRESH_AGENT", "data": {"agent": 3}},
                endpoints="control",
                terms=SendOptions(),
                lease=60.0,
                created_by="admin",
                idempotency_key=None,
                fingerprint=None,
            )
            for device in self.devices
        ]
        commands = [command.id for command, _ in self._run([Enqueue(each, False, 100) for each in drafts])]
        self._run([ClaimNext(device, None, False, 1) for device in self.devices])
        named = list(zip(self.devices, commands, strict=True))
        self._run([Acknowledge(device, command) for device, command in named])
        self._run([Settle(device, Report(message=command)) for device, command in named])

    def _run(self, rules: Sequence[Rule[object]]) -> list[Any]:
        group = [PendingTransaction(decide, (rule,)) for rule in rules]
        self.connection.run(group)
        for pending in group:
            if isinstance(pending.outcome, Failure):
                raise MeasurementFailed(pending.outcome.getErrorMessage())
        return [pending.outcome for pending in group]


def measure(runner: Runner, postgres: Postgres) -> float:
    """Measure groups of 1, 10 and 100; microseconds for which a cycle of a large group holds the row of the feed."""
    url, name, serial = postgres.make_database(LARGE), on_postgres(1), 0.0
    options = SessionOptions(url=url, node="benchmarks", is_writer=True, by_index=True)
    with closing(PostgresConnection(Session(options), CommitFailures(), None, lambda: None)) as connection:
        for size in (1, 10, LARGE):
            groups = Groups(connection, [f"servereye:bench{number}" for number in range(size)])
            groups.cycle()  # prepares the statements
            with count_round_trips(connection.begin(), runner.factory.directory / "trace") as counted:
                groups.cycle()
            spent, cycles = _spent(connection, groups.cycle, runner.size.clustered_seconds / 3)
            each, operations = f"a group of {size} operations", cycles * STEPS * size
            runner.results.add(Metric(name=f"{each}, round trips", unit="each"), name, counted.round_trips / STEPS)
            runner.results.add(cpu_time(f"{each}, an operation"), name, spent.own / operations * 1e6)
            runner.results.add(cpu_time(f"{each}, an operation, PostgreSQL"), name, spent.database / operations * 1e6)
        spent, times = _spent(connection, lambda: _number_events(connection), runner.size.clustered_seconds / 3)
        serial = spent.database / times / LARGE * STEPS * 1e6
        runner.results.add(cpu_time("events of a cycle, while the feed is locked, PostgreSQL"), name, serial)
    return serial


def _spent(connection: PostgresConnection, call: Callable[[], None], seconds: float) -> tuple[Spent, int]:
    """The CPU time of calls for some seconds, and how many they were."""
    backend = Path(f"/proc/{connection.begin().info.backend_pid}/schedstat")
    before, own, times = int(backend.read_text().split()[0]), time.thread_time(), 0
    until = time.monotonic() + seconds
    while time.monotonic() < until or not times:
        call()
        times += 1
    return Spent(time.thread_time() - own, (int(backend.read_text().split()[0]) - before) / 1e9), times


def _number_events(connection: PostgresConnection) -> None:
    """Number and write the events of a large group, and undo it."""
    feed = PostgresFeed()
    for number in range(LARGE):
        device = f"servereye:bench{number}"
        data = {"endpoint": "control", "attempt": 1}
        feed.add(Event(seq=0, type=EventType.COMMAND_SENT, at=0, device=device, by=None, command=device, data=data))
    request = feed.take()
    assert request is not None, "there are events"
    exchange(connection.begin(), [Request(b"BEGIN"), request, Request(b"ROLLBACK")])
