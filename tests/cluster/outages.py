"""Real outages of devices while nodes are disturbed: brief ones without an alert, and such that raise alerts."""

from collections.abc import Callable
from random import Random
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from pushd.simulator.device import SimulatedDevice
from pushd.simulator.journal import Journal
from pushd.simulator.outages import Change
from tests.cluster.config import HEARTBEAT_TIMEOUT
from tests.harness.admin_api import Json

BRIEFLY = (1.0, HEARTBEAT_TIMEOUT / 3)
"""Seconds for which devices are offline of which no alert may tell."""

_BETWEEN = (5.0, 40.0)
"""Seconds between two outages of a device."""

_BACK_AFTER = (0.0, 5.0)
"""Seconds from an alert until its device comes back."""

CALM_SECONDS = 90.0
"""Seconds after the disturbances in which each outage is to be noticed: a node takes devices over, they have their
timeout, and the machine may be busy.
"""

_BRIEF = 0.3
_STEP = 0.5


@define(eq=False, kw_only=True)
class Outages:
    """Takes devices offline and brings them back."""

    reactor: Any
    devices: tuple[SimulatedDevice, ...]
    journal: Journal
    events: Callable[[], list[Json]]
    """The events that were read so far."""
    chance: Random
    _ends_at: float | None = field(default=None, init=False)
    """When the last devices come back whether there were alerts or not."""
    _seen: int = field(default=0, init=False)
    _alerted: dict[str, int] = field(factory=dict, init=False)
    """How many alerts were raised about each device."""
    _tasks: list[Deferred[None]] = field(factory=list, init=False)

    def start(self) -> None:
        """Begin with all devices."""
        self.journal.open()
        self._tasks = [Deferred.fromCoroutine(self._run(device)) for device in self.devices]

    async def finish(self) -> None:
        """Begin no other outages, and wait until all devices are back."""
        self._ends_at = self.reactor.seconds() + CALM_SECONDS
        await gatherResults(self._tasks, consumeErrors=True)
        self.journal.close()

    def abandon(self) -> None:
        """Leave every device as it is, because the server is gone."""
        for task in self._tasks:
            task.addErrback(lambda _: None).cancel()

    async def _run(self, device: SimulatedDevice) -> None:
        await self._pause((0.0, _BETWEEN[1]))
        while self._ends_at is None:
            await self._go_offline(device, is_brief=self.chance.random() < _BRIEF)
            await self._pause(_BETWEEN)

    async def _go_offline(self, device: SimulatedDevice, *, is_brief: bool) -> None:
        before = self._alerts_of(device.id)
        self.journal.record_presence(device.id, Change.OFFLINE, brief=is_brief)
        device.go_offline()
        if is_brief:
            await deferLater(self.reactor, self.chance.uniform(*BRIEFLY))
        else:
            while self._alerts_of(device.id) == before and not self._is_over():
                await deferLater(self.reactor, _STEP)
            await self._pause(_BACK_AFTER)
        device.start()
        self.journal.record_presence(device.id, Change.BACK)

    def _is_over(self) -> bool:
        return self._ends_at is not None and self.reactor.seconds() > self._ends_at

    def _alerts_of(self, device: str) -> int:
        events = self.events()
        for event in events[self._seen :]:
            if event["type"] == "alert.raised":
                self._alerted |= {each: self._alerted.get(each, 0) + 1 for each in event["data"]["devices"]}
        self._seen = len(events)
        return self._alerted.get(device, 0)

    async def _pause(self, bounds: tuple[float, float]) -> None:
        """Wait for some seconds, or until the disturbances are over."""
        until = self.reactor.seconds() + self.chance.uniform(*bounds)
        while self._ends_at is None and self.reactor.seconds() < until:
            await deferLater(self.reactor, min(_STEP, max(until - self.reactor.seconds(), 0)))
