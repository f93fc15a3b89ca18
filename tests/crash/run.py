"""One run: start the server and the load, kill the server repeatedly, let everything settle, read the final state."""

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

from attrs import define, evolve, field
from twisted.internet.task import deferLater

from pushd.simulator.faults import seeded_random
from pushd.simulator.journal import Journal
from tests.crash.config import CrashConfig
from tests.crash.databases import Database, make_database
from tests.crash.disturbances import OTHER_PROGRAM, Disturbance, Disturbances
from tests.crash.kill_point_journal import KillPointJournal
from tests.crash.kill_schedule import KillPoint, KillSchedule
from tests.harness.admin_api import AdminApi, Json, ServerFailed
from tests.harness.environment import read_journal
from tests.harness.final_state import FinalState
from tests.harness.operator import Operator
from tests.harness.report import RunResult
from tests.harness.server_process import ServerProcess
from tests.harness.settling import settle
from tests.harness.simulated_fleet import HOLD, PATIENT_ID, SimulatedFleet
from tests.harness.stream_reader import StreamReader
from tests.harness.trace import Observations
from tests.harness.workload import Workload

SEND_INTERVAL = 0.25
"""Average seconds between two commands of one sender."""

DEVICES_PER_SENDER = 4
MIN_SENDERS = 4
MIN_COMMANDS = 80
"""At least so many commands are accepted, however slow the machine and short the run: fewer prove nothing."""

_OVERTIME = 120.0
"""Seconds after the planned end of a run, when its final state is read in any case."""

_POLL_INTERVAL = 0.25

_STARTING = "starting up."
_STALE = "they were changed by another program"
"""In the log of each start, and of a server whose memory of commands is not what the database has."""

_PATIENT_HOLD = 30
"""Seconds: a poll that ended while the server is suspended would get nothing in any case."""


@define(eq=False)
class CrashRun:
    """The server, the simulated devices, the operator and the kill schedule of one run."""

    config: CrashConfig
    reactor: Any
    _database: Database = field(init=False)
    _server: ServerProcess = field(init=False)
    _schedule: KillSchedule = field(init=False)
    _fleet: SimulatedFleet = field(init=False)
    _disturbances: Counter[Disturbance] = field(factory=Counter, init=False)
    _reader: StreamReader = field(init=False)
    _started_at: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._started_at = self.reactor.seconds()
        self._database = database = make_database(self.config, self.reactor, self._random("database"))
        self._server = ServerProcess(self.config, self.reactor, database.variables)
        self._schedule = KillSchedule(
            self._server,
            self.reactor,
            self._random("kills"),
            lock_database=database.lock,
            crash_database=database.crash if self.config.power_cuts else None,
            failing_disk=database.failing,
        )
        journal = KillPointJournal(clock=self.reactor, path=self.config.devices_journal, reach=self._schedule.reach)
        self._fleet = SimulatedFleet(self.config, self.reactor, journal, has_patient=self.config.suspensions)

    async def run(self) -> RunResult[Observations]:
        """Run all phases; if the server fails by itself, the result has the failure and the journals only."""
        try:
            observations = await self._run_phases()
        except ServerFailed as failure:
            observations = evolve(self._journals(), failures=[str(failure)], has_final_state=False)
        finally:
            self._server.kill()
            await self._database.stop()
        return RunResult(
            observations=observations,
            counts={
                "kill": self._schedule.kills,
                "disturbed": self._disturbances,
                "server": {
                    "crashes of the database": self._database.crashes,
                    "times the database was locked": self._schedule.locks,
                    "milliseconds until ready": round(1000 * self._server.startup),
                },
                "fault": self._fleet.fault_counts,
            },
            seconds=self.reactor.seconds() - self._started_at,
        )

    async def _run_phases(self) -> Observations:
        await self._database.start()
        self._server.start()
        await self._server.wait_ready()
        api, fleet = self._server.api(), self._fleet.build()
        fleet.startService()
        self._reader = StreamReader(api=api, chance=self._random("reader"))
        self._reader.start()
        try:
            followed = await self._kill_phase(api)
            self._fleet.stop_faults()
            until = self._started_at + self.config.seconds + _OVERTIME
            await settle(api, self.config.devices_journal, until)
        finally:
            await fleet.stopService()
            await self._reader.stop()
        return await self._observe(FinalState(self.config, self.reactor, api), followed)

    async def _kill_phase(self, api: AdminApi) -> list[Json]:
        """Kill the server while the operator sends commands; the events that the operator read."""
        journal = Journal(clock=self.reactor, path=self.config.operator_journal)
        journal.open()
        operator = await self._operator(api, journal)
        disturbances = self._disturb(operator)
        operator.start(max(MIN_SENDERS, self.config.devices // DEVICES_PER_SENDER))
        now = self.reactor.seconds()
        try:
            until = now + self.config.kill_seconds(now - self._started_at)
            await self._schedule.run(self.config.kills, until, disturbances.before_kills())
            await disturbances.after_kills()
            await operator.finish()
        except ServerFailed:
            operator.abandon()
            raise
        return operator.follower.events

    def _disturb(self, operator: Operator) -> Disturbances:
        return Disturbances(
            reactor=self.reactor,
            config=self.config,
            server=self._server,
            operator=operator,
            chance=self._random("disturbances"),
            database=self._database,
            counts=self._disturbances,
        )

    async def _operator(self, api: AdminApi, journal: Journal) -> Operator:
        """Make the operator, once all devices are registered."""
        expected = self.config.devices + self.config.suspensions
        while len(devices := [device["id"] for device in await api.get_all("devices")]) < expected:
            await deferLater(self.reactor, _POLL_INTERVAL)
        if self.config.suspensions:
            devices.remove(PATIENT_ID)
            await api.request("PATCH", "devices", PATIENT_ID, body={"hold": _PATIENT_HOLD})
            await deferLater(self.reactor, HOLD)  # its first poll is still held for so long only
        workload = Workload(devices, self._random("workload"), self.reactor.seconds)
        return Operator(
            api=api,
            journal=journal,
            workload=workload,
            chance=self._random("operator"),
            accepted=lambda: self._schedule.reach(KillPoint.ACCEPTED),
            not_stored=lambda: self._schedule.reach(KillPoint.NOT_STORED),
            interval=SEND_INTERVAL,
            min_commands=MIN_COMMANDS,
        )

    async def _observe(self, final: FinalState, followed: list[Json]) -> Observations:
        commands, events, violations = await final.commands(), await final.events(), await final.online_violations()
        await self._server.stop()
        return evolve(
            self._journals(),
            commands=commands,
            events=events,
            followed={"the operator": followed, "a stream": self._reader.events},
            violations=violations + await final.violations_of(self._database.name),
            failures=[*final.tracebacks(), *stale_memory(self.config.log.read_text("utf-8", "replace"))],
        )

    def _journals(self) -> Observations:
        return Observations(
            operator=read_journal(self.config.operator_journal), devices=read_journal(self.config.devices_journal)
        )

    def _random(self, name: str) -> Random:
        return seeded_random(self.config.seed, name)


def stale_memory(log: str) -> Iterator[str]:
    """The lines of a server's log by which it had commands in memory that the database did not have, although no other
    program had changed them since its start.
    """
    for start in log.split(_STARTING):
        own, _, _ = start.partition(OTHER_PROGRAM)
        yield from (line for line in own.splitlines() if _STALE in line)
