"""The simulated fleet: devices of both dialects with all their faults, and their journal."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

from attrs import define, evolve, field, frozen
from hyperlink import DecodedURL
from twisted.web.client import HTTPConnectionPool

from pushd.demo.layout import HOST
from pushd.simulator.controlid.device import DIALECT as CONTROLID
from pushd.simulator.controlid.device import ControlIdDevice
from pushd.simulator.controlid.local_api import LocalApi
from pushd.simulator.device import DeviceId, SimulatedDevice
from pushd.simulator.faults import Fault, Faults, seeded_random
from pushd.simulator.fleet import Fleet, controlid_ids, servereye_ids
from pushd.simulator.http import DeviceClient
from pushd.simulator.journal import Journal
from pushd.simulator.outages import Outage, OutageRunner, Scenario
from pushd.simulator.servereye.client import ServerEyeClient
from pushd.simulator.servereye.device import DIALECT as SERVEREYE
from pushd.simulator.servereye.device import ServerEyeDevice
from tests.harness.config import HarnessConfig
from tests.harness.http_client import http_client

HOLD = 2.0
"""Seconds for which the server must hold a poll: short, so that many polls end during a run."""

PROBABILITIES = {
    Fault.DROP_ANSWER: 0.05,
    Fault.LOSE_ANSWER: 0.05,
    Fault.SLOW_READER: 0.05,
    Fault.EARLY_HANGUP: 0.1,
    Fault.DIE_WORKING: 0.07,
    Fault.SLOW: 0.12,
    Fault.LATE_ACK: 0.1,
    Fault.LATE_RESULT: 0.1,
    Fault.LOSE_RESULT: 0.07,
    Fault.LOSE_RECEIPT: 0.1,
    Fault.REPEAT_RESULT: 0.1,
}
"""How often each fault occurs."""

_SLOW_BY = (1.0, 6.0)
"""Extra seconds of a slow command: within some leases of the workload, and beyond others."""

_CONTROLID_TIMEOUT = HOLD + 1
_SERVEREYE_TIMEOUT = HOLD - 0.1
"""Containers hang up before the server answers, so the server learns a shorter hold for them."""

_POLL_PAUSE = 0.6
"""Seconds between two polls of a Control iD device, and before any device retries: less would overload the machine."""

_COMMAND_DURATION = 0.1

_PATIENT = "1"
PATIENT_ID = f"{CONTROLID}:{_PATIENT}"
"""A device without faults that waits for long, if the fleet has one."""
_PATIENT_TIMEOUT = 60.0
_PATIENT_PAUSE = 0.05


@frozen(kw_only=True)
class CountedFaults(Faults):
    """Faults that are counted."""

    counts: Counter[Fault]

    def occurs(self, fault: Fault) -> bool:
        occurs = super().occurs(fault)
        self.counts[fault] += occurs
        return occurs


@define(eq=False)
class SimulatedFleet:
    """Builds the devices, and ends their faults when the run settles."""

    config: HarnessConfig
    reactor: Any
    journal: Journal
    outages: Sequence[Outage] = ()
    has_patient: bool = False
    fault_counts: Counter[Fault] = field(factory=Counter, init=False)
    _probabilities: dict[Fault, float] = field(factory=PROBABILITIES.copy, init=False)

    def build(self) -> Fleet:
        """All devices, half of each dialect."""
        root = DecodedURL.from_text(f"http://{HOST}:{self.config.devices_port}")
        pool = HTTPConnectionPool(self.reactor)
        pool.maxPersistentPerHost = 2 * self.config.devices
        treq = http_client(self.reactor, pool)
        devices = tuple(self._devices(DeviceClient(treq=treq, clock=self.reactor, root=root, pool=pool)))
        outages = tuple(self._outages({device.id: device for device in devices}))
        return Fleet(devices=devices, journal=self.journal, clock=self.reactor, outages=outages)

    def stop_faults(self) -> None:
        """Let no more faults occur."""
        self._probabilities.clear()  # all devices share it

    def ids(self) -> list[DeviceId]:
        """The ids of all devices, half of each dialect."""
        seed, half = self.config.seed, self.config.devices // 2
        containers = servereye_ids(seed, self.config.devices - half)
        return [DeviceId(CONTROLID, number) for number in controlid_ids(seed, half)] + [
            DeviceId(SERVEREYE, container) for container in containers
        ]

    def _devices(self, client: DeviceClient) -> Iterator[SimulatedDevice]:
        for device in self.ids():
            make = self._controlid_device if device.dialect == CONTROLID else self._servereye_device
            yield make(device.local, client)
        if self.has_patient:
            patient = self._controlid_device(_PATIENT, client)
            yield evolve(patient, timeout=_PATIENT_TIMEOUT, period=_PATIENT_PAUSE, faults=Faults())

    def _outages(self, devices: Mapping[str, SimulatedDevice]) -> Iterator[OutageRunner]:
        scenario = Scenario(devices=self.ids(), outages=self.outages, seed=self.config.seed)
        for assigned in scenario.assign():
            yield OutageRunner(assigned=assigned, devices=devices, clock=self.reactor, journal=self.journal)

    def _controlid_device(self, number: str, client: DeviceClient) -> ControlIdDevice:
        return ControlIdDevice(
            number=number,
            client=client,
            clock=self.reactor,
            journal=self.journal,
            api=LocalApi(serial=number),
            faults=self._faults(number),
            timeout=_CONTROLID_TIMEOUT,
            period=_POLL_PAUSE,
            command_duration=_COMMAND_DURATION,
        )

    def _servereye_device(self, container: str, client: DeviceClient) -> ServerEyeDevice:
        return ServerEyeDevice(
            client=ServerEyeClient(http=client, container=container, timeout=_SERVEREYE_TIMEOUT),
            clock=self.reactor,
            journal=self.journal,
            faults=self._faults(container),
            retry_delay=_POLL_PAUSE,
            command_duration=_COMMAND_DURATION,
        )

    def _faults(self, name: str) -> CountedFaults:
        random: Random = seeded_random(self.config.seed, name)
        return CountedFaults(
            probabilities=self._probabilities, random=random, slow_by=_SLOW_BY, counts=self.fault_counts
        )
