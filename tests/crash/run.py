"""One run: start the server and the load, kill the server repeatedly, let everything settle, read the final state."""

from collections.abc import Mapping
from random import Random
from typing import Any

from attrs import define, evolve, field, frozen
from hyperlink import DecodedURL
from twisted.internet.task import deferLater
from twisted.web.client import HTTPConnectionPool

from pushd.demo.layout import HOST
from pushd.simulator.faults import seeded_random
from pushd.simulator.journal import Journal
from tests.crash.config import CrashConfig
from tests.crash.kill_schedule import KillSchedule
from tests.crash.operator import Operator
from tests.crash.simulated_fleet import SimulatedFleet
from tests.crash.trace import Observations
from tests.crash.workload import Workload
from tests.harness.admin_api import AdminApi, Json
from tests.harness.environment import read_journal
from tests.harness.final_state import FinalState
from tests.harness.http_client import http_client
from tests.harness.server_process import ServerFailed, ServerProcess

DEVICES_PER_SENDER = 4
MIN_SENDERS = 4
MIN_COMMANDS = 80
"""At least so many commands are accepted, however slow the machine and short the run: fewer prove nothing."""

_QUIET_SECONDS = 2.0
"""The run has settled when no command is open and no device has done anything for so long."""

_STUCK_SECONDS = 20.0
"""A command that is open after so long without any change will stay open: no lease and no command lasts longer."""

_OVERTIME = 60.0
"""Seconds after the planned end of a run, when its final state is read in any case."""

_POLL_INTERVAL = 0.25
_OPEN_STATES = ("queued", "sent", "acknowledged")


Counts = Mapping[str, Mapping[Any, int]]
"""Rows of the report's table: subject, label, number."""


@frozen(kw_only=True)
class RunResult:
    """What a run observed, and counts for the report."""

    observations: Observations
    counts: Counts
    seconds: float


@define(eq=False)
class CrashRun:
    """The server, the simulated devices, the operator and the kill schedule of one run."""

    config: CrashConfig
    reactor: Any
    _server: ServerProcess = field(init=False)
    _schedule: KillSchedule = field(init=False)
    _fleet: SimulatedFleet = field(init=False)
    _started_at: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._started_at = self.reactor.seconds()
        self._server = ServerProcess(self.config, self.reactor)
        self._schedule = KillSchedule(self._server, self.reactor, self._random("kills"))
        self._fleet = SimulatedFleet(self.config, self.reactor, self._schedule.reach)

    async def run(self) -> RunResult:
        """Run all phases; if the server fails by itself, the result has the failure and the journals only."""
        try:
            observations = await self._run_phases()
        except ServerFailed as failure:
            observations = evolve(self._journals(), failures=[str(failure)], has_final_state=False)
        finally:
            self._server.kill()
        return RunResult(
            observations=observations,
            counts={
                "kill": self._schedule.kills,
                "server": {
                    "times the database was locked": self._schedule.locks,
                    "milliseconds until ready": round(1000 * self._server.startup),
                },
                "fault": self._fleet.fault_counts,
            },
            seconds=self.reactor.seconds() - self._started_at,
        )

    async def _run_phases(self) -> Observations:
        self._server.start()
        await self._server.wait_ready()
        api, fleet = self._api(), self._fleet.build()
        fleet.startService()
        try:
            followed = await self._kill_phase(api)
            await self._settle(api)
        finally:
            await fleet.stopService()
        return await self._observe(FinalState(self.config, self.reactor, api), followed)

    async def _kill_phase(self, api: AdminApi) -> list[Json]:
        """Kill the server while the operator sends commands; the events that the operator read."""
        operator = await self._operator(api)
        operator.start(max(MIN_SENDERS, self.config.devices // DEVICES_PER_SENDER))
        now = self.reactor.seconds()
        try:
            await self._schedule.run(self.config.kills, now + self.config.kill_seconds(now - self._started_at))
            await operator.finish()
        except ServerFailed:
            operator.abandon()
            raise
        return operator.followed

    async def _operator(self, api: AdminApi) -> Operator:
        """Make the operator, once all devices are registered."""
        while len(devices := await api.get_all("devices")) < self.config.devices:
            await deferLater(self.reactor, _POLL_INTERVAL)
        journal = Journal(clock=self.reactor, path=self.config.operator_journal)
        journal.open()
        workload = Workload([device["id"] for device in devices], self._random("workload"), self.reactor.seconds)
        return Operator(
            api=api,
            journal=journal,
            workload=workload,
            chance=self._random("operator"),
            reach=self._schedule.reach,
            min_commands=MIN_COMMANDS,
        )

    async def _settle(self, api: AdminApi) -> None:
        """End the faults, and wait until nothing changes any more."""
        self._fleet.stop_faults()
        since, before = self.reactor.seconds(), None
        until = self._started_at + self.config.seconds + _OVERTIME
        while self.reactor.seconds() < until:
            open_commands = [await api.get_all("commands", state=state) for state in _OPEN_STATES]
            now = open_commands, self.config.devices_journal.stat().st_size
            if now != before:
                since, before = self.reactor.seconds(), now
            if self.reactor.seconds() - since > (_STUCK_SECONDS if any(open_commands) else _QUIET_SECONDS):
                return
            await deferLater(self.reactor, _POLL_INTERVAL)

    async def _observe(self, final: FinalState, followed: list[Json]) -> Observations:
        commands, events, violations = await final.commands(), await final.events(), await final.online_violations()
        await self._server.stop()
        return evolve(
            self._journals(),
            commands=commands,
            events=events,
            followed=followed,
            violations=violations + await final.offline_violations(),
            failures=list(final.tracebacks()),
        )

    def _journals(self) -> Observations:
        return Observations(
            operator=read_journal(self.config.operator_journal), devices=read_journal(self.config.devices_journal)
        )

    def _api(self) -> AdminApi:
        return AdminApi(
            treq=http_client(self.reactor, HTTPConnectionPool(self.reactor)),
            clock=self.reactor,
            root=DecodedURL.from_text(f"http://{HOST}:{self.config.admin_port}"),
            token=self._server.token(),
            check=self._server.check,
        )

    def _random(self, name: str) -> Random:
        return seeded_random(self.config.seed, name)
