"""
The reception: what a visitor at the device port may do, whatever its dialect.
"""

from collections.abc import Callable, Mapping

from attrs import define
from twisted.internet.task import deferLater

from pushd.core.admission import Access, Admissions, Visitor
from pushd.core.clocks import Clocks
from pushd.core.outbox import Outbox
from pushd.core.poll import Answer
from pushd.core.presence import Presence
from pushd.core.wakeups import Wakeups
from pushd.model.errors import NotPermitted
from pushd.model.report import Report

REFUSAL_DELAY = 5.0
"""Seconds before a poll is refused: clients poll again at once, whatever the answer."""

HOLD_JITTER = 0.1
"""A hold is shortened by up to this part, so that a fleet does not come back in one wave."""

SHORTEST_HOLD = 1.0
"""Seconds; a device that waits for less is answered at once."""


@define(eq=False)
class Reception:
    """
    Admission, presence and outbox in the order in which a visitor meets them.

    ``holds`` is seconds by dialect; ``random`` gives 0 to 1.
    """

    admissions: Admissions
    presence: Presence
    outbox: Outbox
    wakeups: Wakeups
    clocks: Clocks
    holds: Mapping[str, float]
    random: Callable[[], float]

    async def poll(self, visitor: Visitor, uuid: str | None = None) -> Answer:
        """
        Hold a poll; what it is handed, or nothing.

        :raises NotPermitted: slowly.
        """
        access = self.admissions.admit(visitor, polls=True)
        if access is Access.REFUSED:
            await deferLater(self.clocks.clock, REFUSAL_DELAY)
            raise NotPermitted("This device is not served here.")
        hold = self.hold(visitor.device)
        if access is Access.STRANGER:
            return await self.outbox.take(visitor.device, hold, uuid, deaf=True)
        with self.presence.here(visitor.device, visitor.address):
            return await self.outbox.take(visitor.device, hold, uuid, deaf=self._is_deaf(access))

    async def acknowledge(self, visitor: Visitor, command: str) -> None:
        """
        The device has a command.

        :raises NotPermitted: if this is not the device.
        """
        if self._served(visitor):
            self.presence.spoke(visitor.device, visitor.address)
            await self.outbox.acknowledge(visitor.device, command)

    async def settle(self, visitor: Visitor, report: Report) -> None:
        """
        The device says what became of a command; durable once this returns.

        :raises NotPermitted: if this is not the device.
        """
        if self._served(visitor):
            self.presence.spoke(visitor.device, visitor.address)
            await self.outbox.settle(visitor.device, report)

    async def sign_off(self, visitor: Visitor) -> None:
        """
        The device goes away on purpose; its poll ends in a moment.

        :raises NotPermitted: if this is not the device.
        """
        if self._served(visitor):
            await self.presence.sign_off(visitor.device, visitor.address)
            self.wakeups.sign_off(visitor.device)

    def expects(self, device: str) -> bool:
        """
        Whether a result of this device may be for a command.
        """
        return device in self.outbox.reportable

    def hold(self, device: str) -> float:
        """
        For how many seconds a poll of this device is held.
        """
        known = self.admissions.fleet.get(device)
        chosen = None if known is None else _first_given(known.hold, known.learned_hold)
        hold = self.holds[device.partition(":")[0]] if chosen is None else chosen
        return hold * (1 - HOLD_JITTER * self.random()) if hold >= SHORTEST_HOLD else 0

    def _is_deaf(self, access: Access) -> bool:
        """
        One that waits for an approval hears of it; one that lacks a proof would not be handed anything anyway.
        """
        return access is Access.HELD and self.admissions.require_proof

    def _served(self, visitor: Visitor) -> bool:
        access = self.admissions.admit(visitor, polls=False)
        if access is Access.REFUSED:
            raise NotPermitted("This device is not served here.")
        return access is Access.SERVED


def _first_given(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)
