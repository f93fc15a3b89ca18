"""The devices of a run: most only poll, some are sent commands, some have outages, and one waits at each node."""

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import define, field
from hyperlink import DecodedURL
from twisted.internet.defer import gatherResults

from pushd.demo.layout import HOST
from pushd.simulator.controlid.device import DIALECT as CONTROLID
from pushd.simulator.fleet import Fleet, build_fleet, controlid_ids, servereye_ids
from pushd.simulator.http import DeviceClientFactory
from pushd.simulator.journal import Journal
from pushd.simulator.options import FleetOptions
from pushd.simulator.servereye.device import DIALECT as SERVEREYE
from tests.cluster.config import HEARTBEAT_TIMEOUT, PATIENCE, POLL_TIMEOUT, ClusterConfig, NodeConfig
from tests.harness.admin_api import Json
from tests.harness.server_process import Process, spawn
from tests.harness.simulated_fleet import HOLD, SimulatedFleet

_PATIENT_TIMEOUT = 60.0
_PATIENT_PAUSE = 0.05
_PATIENTS_PATIENCE = 600.0
"""Seconds, their heartbeat timeout: they poll at one node only, which may be down for long."""

_RETRY = 1.0

_WORKERS_PATIENCE = 60.0
"""Seconds, the heartbeat timeout of devices with faults: restarts and slow commands are no outages."""


@define(eq=False)
class ClusterFleet:
    """Builds, starts and stops the devices."""

    config: ClusterConfig
    reactor: Any
    workers: SimulatedFleet = field(init=False)
    """Devices with faults that are sent commands."""
    with_outages: Fleet = field(init=False)
    """Devices without faults, each with an address of its own, that go offline on demand."""
    _fleets: Sequence[Fleet] = field(init=False)
    _polling: Process | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        journal = Journal(clock=self.reactor, path=self.config.devices_journal)
        self.workers = SimulatedFleet(self.config.workers, self.reactor, journal)
        ids = self._outage_ids()
        self.with_outages = self._build(
            FleetOptions(
                server=_url(self.config.devices_port),
                controlid=ids[CONTROLID],
                servereye=ids[SERVEREYE],
                timeout=POLL_TIMEOUT,
                retry_delay=_RETRY,
                sites=self.config.with_outages,
                journal=self.config.outages_journal,
            )
        )
        patients = [
            FleetOptions(
                server=_url(node.devices_port),
                controlid=(number,),
                timeout=_PATIENT_TIMEOUT,
                period=_PATIENT_PAUSE,
                journal=self.config.devices_journal,
            )
            for number, node in enumerate_patients(self.config)
        ]
        self._fleets = [self.workers.build(), self.with_outages, *map(self._build, patients)]
        self.reactor.addSystemEventTrigger("before", "shutdown", self._end_polling)

    def start(self) -> None:
        """Start all devices."""
        for fleet in self._fleets:
            fleet.startService()
        log = self.config.directory / "devices.log"
        self._polling = spawn(self.reactor, self.config.simulator_command(), log)

    async def stop(self) -> None:
        """Stop all devices."""
        self._end_polling()
        await gatherResults([fleet.stopService() for fleet in self._fleets])

    def check(self) -> bool:
        """Whether the devices that only poll do so."""
        return self._polling is None or not self._polling.ended.called

    def commanded(self) -> list[str]:
        """The ids of the devices that are sent commands."""
        return [str(device) for device in self.workers.ids()]

    def registrations(self) -> Iterator[Json]:
        """What to register each device with."""
        for device in self.workers.ids():
            hold = {"hold": HOLD} if device.dialect == CONTROLID else {}  # that of containers is learned
            yield {"id": str(device), "heartbeat_timeout": _WORKERS_PATIENCE, **hold}
        yield from _registrations(self._outage_ids(), HEARTBEAT_TIMEOUT)
        patients = [number for number, _ in enumerate_patients(self.config)]
        yield from _registrations({CONTROLID: patients}, _PATIENTS_PATIENCE)
        seed, count = self.config.polling_seed, self.config.polling
        yield from _registrations(_ids(seed, count), PATIENCE)

    def _build(self, options: FleetOptions) -> Fleet:
        return build_fleet(options, self.reactor, DeviceClientFactory(self.reactor).create)

    def _outage_ids(self) -> dict[str, Sequence[str]]:
        return _ids(self.config.seed + 2, self.config.with_outages)

    def _end_polling(self) -> None:
        if self._polling is not None:
            self._polling.signal("KILL")


def enumerate_patients(config: ClusterConfig) -> Iterator[tuple[str, NodeConfig]]:
    """For each node the number of the device that polls there, and nowhere else."""
    yield from ((str(number), node) for number, node in enumerate(config.nodes, 1))


def patient_of(number: int) -> str:
    """The id of the device that polls at the node with this number, from 0."""
    return f"{CONTROLID}:{number + 1}"


def _ids(seed: int, count: int) -> dict[str, Sequence[str]]:
    """By dialect, as the simulator makes them: half of each."""
    return {CONTROLID: controlid_ids(seed, count // 2), SERVEREYE: servereye_ids(seed, count - count // 2)}


def _registrations(ids: dict[str, Sequence[str]], timeout: float) -> Iterator[Json]:
    for dialect, locals_ in ids.items():
        yield from ({"id": f"{dialect}:{local}", "heartbeat_timeout": timeout} for local in locals_)


def _url(port: int) -> DecodedURL:
    return DecodedURL.from_text(f"http://{HOST}:{port}")
