"""The simulated fleet: devices of both dialects with all their faults, and their journal."""

from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from attrs import define, field, frozen
from hyperlink import DecodedURL
from twisted.web.client import HTTPConnectionPool

from pushd.demo.layout import HOST
from pushd.simulator.controlid.device import ControlIdDevice
from pushd.simulator.controlid.local_api import LocalApi
from pushd.simulator.device import SimulatedDevice
from pushd.simulator.faults import Fault, Faults, seeded_random
from pushd.simulator.fleet import Fleet, controlid_ids, servereye_ids
from pushd.simulator.http import DeviceClient
from pushd.simulator.journal import Journal
from pushd.simulator.servereye.client import ServerEyeClient
from pushd.simulator.servereye.device import ServerEyeDevice
from tests.crash.config import HOLD, CrashConfig
from tests.crash.kill_schedule import KillPoint
from tests.harness.http_client import http_client

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

_KILL_POINTS = {"ran": KillPoint.RECEIVED, "reported": KillPoint.REPORTED}


@define(eq=False, kw_only=True)
class CrashJournal(Journal):
    """A journal that reports kill points, and records only what devices do with commands."""

    reach: Callable[[KillPoint], None]

    def record(self, device: str, did: str, **facts: object) -> None:
        super().record(device, did, **facts)
        self.reach(_KILL_POINTS[did])

    def record_presence(self, device: str, did: str, **facts: object) -> None:
        if did in _KILL_POINTS:
            super().record_presence(device, did, **facts)


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

    config: CrashConfig
    reactor: Any
    reach: Callable[[KillPoint], None]
    fault_counts: Counter[Fault] = field(factory=Counter, init=False)
    _probabilities: dict[Fault, float] = field(factory=PROBABILITIES.copy, init=False)

    def build(self) -> Fleet:
        """All devices, half of each dialect."""
        root = DecodedURL.from_text(f"http://{HOST}:{self.config.devices_port}")
        pool = HTTPConnectionPool(self.reactor)
        pool.maxPersistentPerHost = 2 * self.config.devices
        treq = http_client(self.reactor, pool)
        journal = CrashJournal(clock=self.reactor, path=self.config.devices_journal, reach=self.reach)
        devices = tuple(self._devices(DeviceClient(treq=treq, clock=self.reactor, root=root, pool=pool), journal))
        return Fleet(devices=devices, journal=journal, clock=self.reactor)

    def stop_faults(self) -> None:
        """Let no more faults occur."""
        self._probabilities.clear()  # all devices share it

    def _devices(self, client: DeviceClient, journal: Journal) -> Iterator[SimulatedDevice]:
        half = self.config.devices // 2
        for number in controlid_ids(self.config.seed, half):
            yield self._controlid_device(number, client, journal)
        for container in servereye_ids(self.config.seed, self.config.devices - half):
            yield self._servereye_device(container, client, journal)

    def _controlid_device(self, number: str, client: DeviceClient, journal: Journal) -> ControlIdDevice:
        return ControlIdDevice(
            number=number,
            client=client,
            clock=self.reactor,
            journal=journal,
            api=LocalApi(serial=number),
            faults=self._faults(number),
            timeout=_CONTROLID_TIMEOUT,
            period=_POLL_PAUSE,
            command_duration=_COMMAND_DURATION,
        )

    def _servereye_device(self, container: str, client: DeviceClient, journal: Journal) -> ServerEyeDevice:
        return ServerEyeDevice(
            client=ServerEyeClient(http=client, container=container, timeout=_SERVEREYE_TIMEOUT),
            clock=self.reactor,
            journal=journal,
            faults=self._faults(container),
            retry_delay=_POLL_PAUSE,
            command_duration=_COMMAND_DURATION,
        )

    def _faults(self, name: str) -> CountedFaults:
        random: Random = seeded_random(self.config.seed, name)
        return CountedFaults(
            probabilities=self._probabilities, random=random, slow_by=_SLOW_BY, counts=self.fault_counts
        )
