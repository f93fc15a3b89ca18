"""The fleet: simulated devices of both dialects, with all their faults, and their journal."""

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
from tests.crash.killer import Occasion
from tests.crash.lines import lines
from tests.crash.setting import HOLD, Setting

ODDS = {
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
"""All faults, and how often each strikes."""

_SLOWNESS = (1.0, 6.0)
"""Seconds by which slow work lasts longer: within some leases of an order, and beyond others."""

_CONTROLID_PATIENCE = HOLD + 1
_SERVEREYE_PATIENCE = HOLD - 0.1
"""Containers are the ones that hang up on the server, which learns to hold their polls for less."""

_PAUSE = 0.6
"""Seconds between a reader's polls, and before any device tries again: with less, nothing else would get a turn."""

_WORK = 0.1

_OCCASIONS = {"ran": Occasion.HANDED, "reported": Occasion.REPORTED}


@define(eq=False, kw_only=True)
class WatchedJournal(Journal):
    """A journal that somebody looks into as it is written."""

    saw: Callable[[Occasion], None]

    def record(self, device: str, did: str, **facts: object) -> None:
        super().record(device, did, **facts)
        self.saw(_OCCASIONS[did])

    def record_presence(self, device: str, did: str, **facts: object) -> None:
        """Record only what devices do with orders; changes of presence are no evidence here."""
        if did in _OCCASIONS:
            super().record_presence(device, did, **facts)


@frozen(kw_only=True)
class CountedFaults(Faults):
    """Faults that are counted."""

    struck: Counter[Fault]

    def occurs(self, fault: Fault) -> bool:
        occurs = super().occurs(fault)
        self.struck[fault] += occurs
        return occurs


@define(eq=False)
class Workshop:
    """Makes the devices, and has them behave when it is time."""

    setting: Setting
    reactor: Any
    saw: Callable[[Occasion], None]
    struck: Counter[Fault] = field(factory=Counter, init=False)
    _odds: dict[Fault, float] = field(factory=ODDS.copy, init=False)

    def fleet(self) -> Fleet:
        """All devices, half of them of each dialect."""
        root = DecodedURL.from_text(f"http://{HOST}:{self.setting.devices_port}")
        pool = HTTPConnectionPool(self.reactor)
        pool.maxPersistentPerHost = 2 * self.setting.devices
        treq = lines(self.reactor, pool)
        journal = WatchedJournal(clock=self.reactor, path=self.setting.devices_journal, saw=self.saw)
        devices = tuple(self._devices(DeviceClient(treq=treq, clock=self.reactor, root=root, pool=pool), journal))
        return Fleet(devices=devices, journal=journal, clock=self.reactor)

    def calm(self) -> None:
        """No fault strikes any more."""
        self._odds.clear()  # which all devices share

    def _devices(self, client: DeviceClient, journal: Journal) -> Iterator[SimulatedDevice]:
        half = self.setting.devices // 2
        for number in controlid_ids(self.setting.seed, half):
            yield self._reader(number, client, journal)
        for container in servereye_ids(self.setting.seed, self.setting.devices - half):
            yield self._container(container, client, journal)

    def _reader(self, number: str, client: DeviceClient, journal: Journal) -> ControlIdDevice:
        return ControlIdDevice(
            number=number,
            client=client,
            clock=self.reactor,
            journal=journal,
            api=LocalApi(serial=number),
            faults=self._faults(number),
            timeout=_CONTROLID_PATIENCE,
            period=_PAUSE,
            command_duration=_WORK,
        )

    def _container(self, container: str, client: DeviceClient, journal: Journal) -> ServerEyeDevice:
        return ServerEyeDevice(
            client=ServerEyeClient(http=client, container=container, timeout=_SERVEREYE_PATIENCE),
            clock=self.reactor,
            journal=journal,
            faults=self._faults(container),
            retry_delay=_PAUSE,
            command_duration=_WORK,
        )

    def _faults(self, name: str) -> CountedFaults:
        chance: Random = seeded_random(self.setting.seed, name)
        return CountedFaults(probabilities=self._odds, random=chance, slow_by=_SLOWNESS, struck=self.struck)
