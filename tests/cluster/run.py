"""One run: start the nodes, the proxy and the load, disturb the nodes, let everything settle, read the final state."""

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from shutil import which
from typing import Any

from attrs import define, evolve, field, frozen
from hyperlink import DecodedURL
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.web.client import HTTPConnectionPool

from pushd.simulator.faults import seeded_random
from pushd.simulator.journal import Journal
from tests.cluster.alert_promises import AlertObservations, has_retries, outstanding
from tests.cluster.config import ClusterConfig
from tests.cluster.disturbances import Disturbance, Disturbances, Node
from tests.cluster.fleet import ClusterFleet, patient_of
from tests.cluster.network import Network
from tests.cluster.outages import Outages
from tests.cluster.receivers import Receivers
from tests.cluster.recovery import Recovery
from tests.harness.admin_api import AdminApi, Json, ServerFailed
from tests.harness.environment import read_journal
from tests.harness.event_follower import EventFollower
from tests.harness.final_state import FinalState, tracebacks_in
from tests.harness.http_client import http_client
from tests.harness.operator import Operator
from tests.harness.postgres_process import PostgresProcess
from tests.harness.report import RunResult
from tests.harness.server_process import Process, ServerProcess, spawn
from tests.harness.settling import settle
from tests.harness.trace import Observations
from tests.harness.workload import Workload
from tests.notifications.mail_server import MailServer

SENDERS = 6
SEND_INTERVAL = 0.6
"""Average seconds between two commands of one sender."""

MIN_COMMANDS = 60

SETTLE_SECONDS = 90.0
"""Seconds after the disturbances, when the final state is read in any case."""

UNCHANGED_SECONDS = 90.0
"""Seconds without any change after which what is not delivered or mailed never will be, unless it waits for its retry.

A node owns what it sends for 30 s after its death, and others leave it for as long to those that own less.
"""

NOTIFY_SECONDS = 600.0
"""Seconds in which everything has to be delivered and mailed in any case: a retry waits for as long as its event has
been failing.
"""

_FOLLOWERS_PAUSE = 0.5
_POLL_INTERVAL = 0.25
_NOTIFY_INTERVAL = 2.0
_PARALLEL_REGISTRATIONS = 10


@frozen(kw_only=True)
class ClusterObservations:
    """All that is known when a run is over."""

    commands: Observations
    alerts: AlertObservations = field(factory=AlertObservations)
    unrecovered: tuple[str, ...] = ()
    """The faults after which not all devices were served again."""


@define(eq=False)
class ClusterRun:
    """The nodes, the proxy, the simulated devices, the receivers and the operator of one run."""

    config: ClusterConfig
    database: PostgresProcess
    mail_server: MailServer
    reactor: Any
    recovery: Recovery = field(init=False)
    _counts: Counter[Disturbance] = field(factory=Counter, init=False)
    _disturbances: Disturbances = field(init=False)
    _nodes: list[Node] = field(init=False)
    _fleet: ClusterFleet = field(init=False)
    _receivers: Receivers = field(init=False)
    _proxy: Process | None = field(default=None, init=False)
    _started_at: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._started_at = self.reactor.seconds()
        self._nodes = [
            Node(
                number=number,
                process=ServerProcess(config, self.reactor),
                network=Network(
                    reactor=self.reactor,
                    port=self.config.ports[number][2],
                    postgres_port=self.config.postgres_port,
                    device=patient_of(number),
                    log=self.config.directory / "network.log",
                ),
            )
            for number, config in enumerate(self.config.nodes)
        ]
        self._fleet = ClusterFleet(self.config, self.reactor)
        self._receivers = Receivers(self.reactor, self._random("receivers"))
        self.reactor.addSystemEventTrigger("before", "shutdown", self._stop_proxy)
        for node in self._nodes:
            self.reactor.addSystemEventTrigger("before", "shutdown", node.network.stop)

    async def run(self) -> RunResult[ClusterObservations]:
        """Run all phases; if a node fails by itself, the result has the failure and the journals only."""
        try:
            observations = await self._run_phases()
        except ServerFailed as failure:
            failed = evolve(self._journals(), failures=[str(failure)], has_final_state=False)
            observations = ClusterObservations(commands=failed)
        finally:
            for node in self._nodes:
                node.process.kill()
                node.network.stop()
            self._stop_proxy()
            await self._receivers.stop()
        return RunResult(
            observations=observations,
            counts={"disturbed": self._counts, "fault": self._fleet.workers.fault_counts},
            seconds=self.reactor.seconds() - self._started_at,
        )

    async def _run_phases(self) -> ClusterObservations:
        await self._start()
        api = self._api()
        await self._receivers.start(api)
        await self._register(api)
        self._fleet.start()
        try:
            operator = await self._operator(api)
            followers = await self._disturb(operator)
            self._fleet.workers.stop_faults()
            self._receivers.stop_failures()
            await settle(api, self.config.devices_journal, self.reactor.seconds() + SETTLE_SECONDS)
            return await self._observe(api, followers, await self._notified(api))
        finally:
            await self._fleet.stop()

    async def _disturb(self, operator: Operator) -> dict[str, EventFollower]:
        """Disturb the nodes while the operator sends commands and devices go offline; the readers of the events."""
        followers = {"the operator": operator.follower} | {
            f"node{number}": EventFollower(node.process.api(), _FOLLOWERS_PAUSE)
            for number, node in enumerate(self._nodes, 1)
        }
        following = [Deferred.fromCoroutine(each.follow()) for each in followers.values() if each != operator.follower]
        outages = Outages(
            reactor=self.reactor,
            devices=self._fleet.with_outages.devices,
            journal=Journal(clock=self.reactor, path=self.config.outages_journal),
            events=lambda: operator.follower.events,
            chance=self._random("outages"),
        )
        operator.start(SENDERS)
        outages.start()
        try:
            await self._disturbances.run(self.reactor.seconds() + self.config.seconds, operator)
            await outages.finish()
            await operator.finish()
            for follower in followers.values():
                follower.finish()
            await gatherResults(following, consumeErrors=True)
        except ServerFailed:
            outages.abandon()
            operator.abandon()
            for task in following:
                task.addErrback(lambda _: None).cancel()
            raise
        return followers

    async def _start(self) -> None:
        """Start the node that makes the token first, then the others, then the proxy."""
        for node in self._nodes:
            node.network.start()
        first, *others = [node.process for node in self._nodes]
        first.start()
        await first.wait_ready()
        token = self.config.nodes[0].data_dir / "admin.token"
        for process in others:
            process.config.data_dir.mkdir(mode=0o700)
            (process.config.data_dir / "admin.token").write_bytes(token.read_bytes())
            process.start()
        await gatherResults([Deferred.fromCoroutine(process.wait_ready()) for process in others])
        path = self.config.directory / "haproxy.cfg"
        path.write_text(self.config.proxy_config(), "utf-8")
        self._proxy = spawn(self.reactor, [which("haproxy") or "haproxy", "-db", "-f", str(path)], self.config.log)
        self.recovery = Recovery(self.reactor, [node.process.api() for node in self._nodes], self.config.fluctuation)
        self._disturbances = Disturbances(
            reactor=self.reactor,
            config=self.config,
            nodes=self._nodes,
            database=self.database,
            chance=self._random("disturbances"),
            recovery=self.recovery,
            counts=self._counts,
        )

    def _stop_proxy(self) -> None:
        if self._proxy is not None:
            self._proxy.signal("KILL")

    def _api(self) -> AdminApi:
        """A client of the admin API by way of the proxy."""
        token = (self.config.nodes[0].data_dir / "admin.token").read_text("ascii").strip()
        return AdminApi(
            treq=http_client(self.reactor, HTTPConnectionPool(self.reactor)),
            clock=self.reactor,
            root=DecodedURL.from_text(self.config.admin_url()),
            token=token,
            check=self._check,
        )

    def _check(self) -> None:
        """:raises ServerFailed: if a node, the proxy or the simulator ended by itself."""
        for node in self._nodes:
            node.process.check()
        if self._proxy is not None and self._proxy.ended.called:
            raise ServerFailed(f"HAProxy ended.\n{self.config.log.read_text('utf-8')}")
        if not self._fleet.check():
            raise ServerFailed("The simulator ended.")

    async def _register(self, api: AdminApi) -> None:
        remaining = self._fleet.registrations()

        async def register_remaining() -> None:
            for device in remaining:
                status, answer = await api.post("devices", body=device)
                assert status in (201, 409), answer

        tasks = [Deferred.fromCoroutine(register_remaining()) for _ in range(_PARALLEL_REGISTRATIONS)]
        await gatherResults(tasks, consumeErrors=True)

    async def _operator(self, api: AdminApi) -> Operator:
        """Make the operator, once almost all devices poll."""
        while await self.recovery.held() < self.config.devices - self.config.absent:
            await deferLater(self.reactor, _POLL_INTERVAL)
            self._check()
        journal = Journal(clock=self.reactor, path=self.config.operator_journal)
        journal.open()
        return Operator(
            api=api,
            journal=journal,
            workload=Workload(self._fleet.commanded(), self._random("workload"), self.reactor.seconds),
            chance=self._random("operator"),
            accepted=lambda: None,
            interval=SEND_INTERVAL,
            min_commands=MIN_COMMANDS,
        )

    async def _notified(self, api: AdminApi) -> AlertObservations:
        """Wait until all alerts are cleared, and everything is delivered and mailed, or should have been.

        Returns what is known about alerts then.
        """
        since, until = self.reactor.seconds(), self.reactor.seconds() + NOTIFY_SECONDS
        before: frozenset[str] | None = None
        while True:
            observed = await self._observe_alerts(api)
            left, now = outstanding(observed), self.reactor.seconds()
            if left != before or has_retries(observed, now):
                before, since = left, now
            if not left or now > min(since + UNCHANGED_SECONDS, until):
                return observed
            await deferLater(self.reactor, _NOTIFY_INTERVAL)

    async def _observe_alerts(self, api: AdminApi) -> AlertObservations:
        """What is known about alerts now; what is announced is read after the announcements of it."""
        webhooks = await api.get_all("webhooks")
        subscriptions = self._receivers.subscriptions(webhooks)
        mails = [received.mail for received in self.mail_server.mails]
        alerts = await api.get_all("alerts")
        return AlertObservations(
            outages=read_journal(self.config.outages_journal),
            events=await FinalState(self.config, self.reactor, api).events(),
            alerts=alerts,
            subscriptions=subscriptions,
            mails=mails,
            faults=self._counts.total(),
        )

    async def _observe(
        self, api: AdminApi, followers: dict[str, EventFollower], alerts: AlertObservations
    ) -> ClusterObservations:
        final, events = FinalState(self.config, self.reactor, api), alerts.events
        commands = await final.commands()
        for follower in followers.values():
            await follower.catch_up()
        violations = await final.online_violations()
        await gatherResults([Deferred.fromCoroutine(node.process.stop()) for node in self._nodes])
        return ClusterObservations(
            commands=evolve(
                self._journals(),
                commands=commands,
                events=events,
                followed={name: each.events[: len(events)] for name, each in followers.items()},
                violations=violations + await final.violations_of(self.config.store),
                failures=[*self._failures(), *_missed(followers, events)],
            ),
            alerts=alerts,
            unrecovered=tuple(self.recovery.failed),
        )

    def _failures(self) -> Iterator[str]:
        for node in self.config.nodes:
            yield from tracebacks_in(node.log)

    def _journals(self) -> Observations:
        return Observations(
            operator=read_journal(self.config.operator_journal), devices=read_journal(self.config.devices_journal)
        )

    def _random(self, name: str) -> Random:
        return seeded_random(self.config.seed, name)


def _missed(followers: dict[str, EventFollower], events: Sequence[Json]) -> Iterator[str]:
    """Which readers did not get all events."""
    for name, follower in followers.items():
        if len(follower.events) < len(events):
            yield f"{name} read {len(follower.events)} of {len(events)} events"
