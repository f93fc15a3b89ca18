"""One run: start the server and the load, measure the server meanwhile, end the load, and read the final state."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import define, evolve, field
from twisted.internet.task import deferLater
from twisted.web.client import HTTPConnectionPool

from tests.harness import trace
from tests.harness.admin_api import AdminApi, Json, ServerFailed
from tests.harness.environment import read_journal
from tests.harness.final_state import FinalState
from tests.harness.http_client import http_client
from tests.harness.report import RunResult
from tests.harness.server_process import ServerProcess
from tests.harness.settling import settle
from tests.notifications.mail_server import MailServer
from tests.soak.config import SoakConfig
from tests.soak.load import Load
from tests.soak.observations import Observations, StreamRead
from tests.soak.process_monitor import ProcessMonitor
from tests.soak.promises import DESCRIPTORS

OVERTIME = 120.0
"""Seconds after the end of the load, when the final state is read although commands are open."""

STUCK_SECONDS = 60.0
"""After so long without any delivery, mail or cleared alert there will be no more: a hanging request ends in ten."""

DESCRIPTORS_TIMEOUT = 30.0
"""Seconds after the last client has disconnected, when the descriptors are counted in any case."""

WAIT_INTERVAL = 2.0
STOP_AMID = 3.0
"""For how many seconds hostile clients are there again when the server is stopped."""


@define(eq=False)
class SoakRun:
    """The server, its clients and the monitor of one run."""

    config: SoakConfig
    reactor: Any
    _server: ServerProcess = field(init=False)
    _mail_server: MailServer = field(init=False)
    _api: AdminApi = field(init=False)
    _monitor: ProcessMonitor = field(init=False)
    _load: Load = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._server = ServerProcess(self.config, self.reactor)
        self._mail_server = MailServer(port=self.config.smtp_port)

    async def run(self) -> RunResult[Observations]:
        """Run all phases; if the server fails by itself, the result has the failure and no final state.

        :raises ServerFailed: if it does not even start.
        """
        started_at = self.reactor.seconds()
        try:
            with self._mail_server.running():
                await self._start()
                observations = await self._run_phases()
        finally:
            self._server.kill()
        counts = dict(self._load.counts()) | dict(_counts(observations))
        return RunResult(observations=observations, counts=counts, seconds=self.reactor.seconds() - started_at)

    async def _start(self) -> None:
        self._server.start()
        await self._server.wait_ready()
        self._api = self._server.api()
        self._monitor = ProcessMonitor(
            config=self.config,
            pid=self._server.pid,
            http=http_client(self.reactor, HTTPConnectionPool(self.reactor, persistent=False)),
            reactor=self.reactor,
        )
        self._load = Load(
            config=self.config,
            reactor=self.reactor,
            api=self._api,
            mail_server=self._mail_server,
            monitor=self._monitor,
        )

    async def _run_phases(self) -> Observations:
        try:
            await self._load.prepare()
            before = self._monitor.descriptors()
            self._monitor.start()
            await self._load.run()
            observations = await self._settle()
            await self._load.stop()
            after = await self._wait_for_descriptors(before)
            stopped = await self._stop(observations)
            return evolve(stopped, descriptors_before=before, descriptors_after=after)
        except ServerFailed as failure:
            await self._load.stop()
            return self._observe(trace.Observations(failures=[str(failure)], has_final_state=False))
        finally:
            self._monitor.stop()
            await self._load.receivers.close()

    async def _settle(self) -> Observations:
        """Wait until nothing is open, undelivered or not mailed, or should not be; the final state."""
        await settle(self._api, self.config.devices_journal, self.reactor.seconds() + OVERTIME)
        final = FinalState(self.config, self.reactor, self._api)
        events, alerts = await final.events(), await self._api.get_all("alerts")
        since, before = self.reactor.seconds(), 0
        while (missing := self._count_missing(events, alerts)) and self.reactor.seconds() < since + STUCK_SECONDS:
            if missing == before:
                await self._load.receivers.request_redelivery(self._api)
            else:
                since, before = self.reactor.seconds(), missing
            await deferLater(self.reactor, WAIT_INTERVAL)
            alerts = await self._api.get_all("alerts")
            events += (await self._api.events(events[-1]["seq"]))[0]
        fleet = {str(device) for device in self._load.fleet.ids()}
        commands = trace.Observations(
            commands=[command for command in await final.commands() if command["device"] in fleet],
            events=events,
            violations=await final.online_violations(),
        )
        return evolve(self._observe(commands), alerts=alerts)

    def _count_missing(self, events: list[Json], alerts: list[Json]) -> int:
        """How many deliveries, mails and cleared alerts are missing."""
        changes = (alert[change] for alert in alerts for change in ("mailed_at", "cleared_at"))
        return self._load.receivers.count_missing(events) + sum(change is None for change in changes)

    async def _wait_for_descriptors(self, before: int) -> int:
        """Wait until the server has as few descriptors as before, or should have."""
        until = self.reactor.seconds() + DESCRIPTORS_TIMEOUT
        while (after := self._monitor.descriptors()) > before + DESCRIPTORS and self.reactor.seconds() < until:
            await deferLater(self.reactor, WAIT_INTERVAL)
        return after

    async def _stop(self, observations: Observations) -> Observations:
        """Stop the server amid hostile clients, and check its files and its log."""
        self._load.hostile.start()
        await deferLater(self.reactor, STOP_AMID)
        self._monitor.stop()
        stopped_at = self.reactor.seconds()
        await self._server.stop()
        seconds = self.reactor.seconds() - stopped_at
        self._load.hostile.stop()
        final = FinalState(self.config, self.reactor, self._api)
        commands = evolve(
            observations.commands,
            violations=[*observations.commands.violations, *await final.offline_violations()],
            failures=list(final.tracebacks()),
        )
        return evolve(
            observations,
            commands=commands,
            hostile_faults=self._load.hostile.faults,
            not_ready=self._monitor.not_ready,
            ready_times=self._monitor.ready_times,
            stop_seconds=seconds,
        )

    def _observe(self, commands: trace.Observations) -> Observations:
        """What has been observed until now, with what was read from the server."""
        load = self._load
        return Observations(
            commands=evolve(
                commands,
                operator=read_journal(self.config.operator_journal),
                devices=read_journal(self.config.devices_journal),
                followed={"the operator": load.operator.follower.events},
            ),
            samples=self._monitor.samples,
            mails=[received.mail for received in self._mail_server.mails],
            webhooks=list(load.receivers.deliveries()),
            streams=[StreamRead(types=reader.types, seqs=tuple(reader.seqs)) for reader in load.readers],
        )


def _counts(observed: Observations) -> Iterator[tuple[str, Mapping[Any, int]]]:
    outcomes = Counter(delivery.outcome for webhook in observed.webhooks for delivery in webhook.deliveries)
    yield "webhook", outcomes
    yield "alert", Counter(alert["kind"] for alert in observed.alerts)
