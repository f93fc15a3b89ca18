"""The load: simulated devices, an operator, readers of the event stream, receivers, and hostile clients."""

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from attrs import define, field
from twisted.internet.task import deferLater

from pushd.simulator.faults import seeded_random
from pushd.simulator.fleet import Fleet
from pushd.simulator.journal import Journal
from tests.harness.admin_api import AdminApi
from tests.harness.operator import Operator
from tests.harness.simulated_fleet import SimulatedFleet
from tests.harness.stream_reader import StreamReader
from tests.harness.workload import Workload
from tests.notifications.mail_server import MailServer
from tests.soak.attacks import ATTACKS, LARGE_RESULT
from tests.soak.config import HEARTBEAT_TIMEOUT, SoakConfig
from tests.soak.hostile_clients import HostileClients
from tests.soak.process_monitor import ProcessMonitor
from tests.soak.receivers import MailRefusals, Receivers

SENDERS = 10
SEND_INTERVAL = 1.0
"""Average seconds between two commands of one sender."""

STREAM_TYPES = (frozenset[str](), frozenset[str](), frozenset({"command.succeeded", "command.failed"}))
"""The types of events that each reader of the stream asks for; all if empty."""

LARGE_RESULTS_BEFORE = 3
"""How many are stored before the load begins, one of each kind."""

CHECK_INTERVAL = 0.5


@define(eq=False, kw_only=True)
class Load:
    """All clients of the server; it begins and ends once."""

    config: SoakConfig
    reactor: Any
    api: AdminApi
    mail_server: MailServer
    monitor: ProcessMonitor
    receivers: Receivers = field(init=False)
    fleet: SimulatedFleet = field(init=False)
    operator: Operator = field(init=False)
    readers: list[StreamReader] = field(init=False)
    hostile: HostileClients = field(init=False)
    _mail_refusals: MailRefusals = field(init=False)
    _running_fleet: Fleet = field(init=False)

    def __attrs_post_init__(self) -> None:
        config, reactor, api = self.config, self.reactor, self.api
        journal = Journal(clock=reactor, path=config.devices_journal)
        self.fleet = SimulatedFleet(config, reactor, journal, tuple(config.outages()))
        self._running_fleet = self.fleet.build()
        self.receivers = Receivers(reactor, self._random("receivers"))
        self._mail_refusals = MailRefusals(self.mail_server, reactor)
        self.readers = [
            StreamReader(api=api, chance=self._random(f"reader {number}"), types=types)
            for number, types in enumerate(STREAM_TYPES)
        ]
        self.operator = Operator(
            api=api,
            journal=Journal(clock=reactor, path=config.operator_journal),
            workload=Workload([str(device) for device in self.fleet.ids()], self._random("workload"), reactor.seconds),
            chance=self._random("operator"),
            accepted=lambda: None,
            interval=SEND_INTERVAL,
            min_commands=0,
        )
        self.hostile = HostileClients(
            config=config,
            attacks=ATTACKS,
            chance=self._random("hostile clients"),
            reactor=reactor,
            api=api,
            cpu=lambda: self.monitor.cpu,
        )

    async def prepare(self) -> None:
        """Create the webhooks, register the devices, and fill SQLite's page caches, so that these do not grow later:
        that of the connection which writes with a large result, those of the two which read by reading it.
        """
        await self.receivers.subscribe(self.api)
        for device in self.fleet.ids():
            body = {"id": str(device), "heartbeat_timeout": HEARTBEAT_TIMEOUT}
            status, answer = await self.api.post("devices", body=body)
            assert status == 201, answer
        for _ in range(LARGE_RESULTS_BEFORE):
            await self.hostile.carry_out(LARGE_RESULT)
        for command in await self.api.get_all("commands"):
            await self.api.download("commands", command["id"])
        await self.api.violations()

    async def run(self) -> None:
        """Run for the configured time, then end what would keep commands open, but not the devices.

        :raises ServerFailed: if the server ends by itself.
        """
        until = self.reactor.seconds() + self.config.seconds
        self._running_fleet.startService()
        self.operator.journal.open()
        self.operator.start(SENDERS)
        self._mail_refusals.start()
        for reader in self.readers:
            reader.start()
        self.hostile.start()
        while self.reactor.seconds() < until:
            self.api.check()
            assert self.monitor.is_running, "the monitor has failed"
            assert self.hostile.is_running, "the hostile clients have failed"
            await deferLater(self.reactor, CHECK_INTERVAL)
        self.hostile.stop()
        await self.operator.finish()
        self.fleet.stop_faults()
        self.receivers.stop_failing()
        self._mail_refusals.stop()

    async def stop(self) -> None:
        """Disconnect all clients; it does not matter how far they are."""
        self.hostile.stop()
        self._mail_refusals.stop()
        self.operator.abandon()
        for reader in self.readers:
            await reader.stop()
        if self._running_fleet.running:
            await self._running_fleet.stopService()

    def counts(self) -> Iterator[tuple[str, Mapping[Any, int]]]:
        """Rows of the report's table."""
        yield "fault", self.fleet.fault_counts
        yield (
            "hostile",
            self.hostile.counts
            | {"held back, server busy": self.hostile.held_back, "connections at once": self.hostile.most_open},
        )
        yield (
            "stream",
            {
                "connections": sum(reader.streams for reader in self.readers),
                "events read": sum(len(reader.seqs) for reader in self.readers),
            },
        )
        yield "mail", {"accepted": len(self.mail_server), "refused": self._mail_refusals.count}

    def _random(self, name: str) -> Random:
        return seeded_random(self.config.seed, name)
