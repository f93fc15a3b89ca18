"""The reception: what a visitor at the device port may do, whatever its dialect."""

from attrs import define
from twisted.internet.task import deferLater

from pushd.core.clocks import Clocks
from pushd.core.commands.command_queue import Outbox
from pushd.core.devices.admission import Access, Admissions, Visitor
from pushd.core.devices.presence import Presence
from pushd.core.polling.hold_time import Holds
from pushd.core.polling.poll import Answer
from pushd.core.polling.poll_registry import Wakeups
from pushd.model.errors import NotPermitted
from pushd.model.result import Report

REFUSAL_DELAY = 5.0
"""Seconds before a poll is refused: clients poll again at once, whatever the answer."""


@define(eq=False)
class Reception:
    """Admission, presence and outbox in the order in which a visitor meets them.

    ``batch`` is how many commands a device takes at once, unless an operator says otherwise.
    """

    admissions: Admissions
    presence: Presence
    outbox: Outbox
    wakeups: Wakeups
    clocks: Clocks
    holds: Holds
    batch: int = 1

    async def poll(self, visitor: Visitor, uuid: str | None = None) -> Answer:
        """Hold a poll; what it is handed, or nothing.

        :raises NotPermitted: slowly.
        """
        access = self.admissions.admit(visitor, polls=True)
        if access is Access.REFUSED:
            await deferLater(self.clocks.clock, REFUSAL_DELAY)
            raise NotPermitted("This device is not served here.")
        hold = self.holds.hold(visitor.device)
        if access is Access.STRANGER:
            return await self.outbox.take(visitor.device, hold, uuid, deaf=True)
        with self.presence.here(visitor.device, visitor.address):
            deaf = self.admissions.lacks_proof(visitor.device)  # one that is to be approved listens for it
            return await self.outbox.take(visitor.device, hold, uuid, deaf, self._batch(visitor.device))

    def check(self, visitor: Visitor) -> None:
        """Judge who comes with a body, before any of it is parsed.

        :raises NotPermitted: if this is not the device.
        """
        self._accepted(visitor)

    async def acknowledge(self, visitor: Visitor, command: str) -> None:
        """The device has a command.

        :raises NotPermitted: if this is not the device.
        """
        if self._served(visitor):
            self.presence.spoke(visitor.device, visitor.address)
            await self.outbox.acknowledge(visitor.device, command)

    async def settle(self, visitor: Visitor, report: Report | None) -> None:
        """The device says what became of a command; durable once this returns. None is a report too large to be read
        when none was expected: a sign of life.

        :raises NotPermitted: if this is not the device.
        """
        if self._served(visitor):
            self.presence.spoke(visitor.device, visitor.address)
            if report is not None:
                await self.outbox.settle(visitor.device, report)

    async def sign_off(self, visitor: Visitor) -> None:
        """The device goes away on purpose; its poll ends in a moment.

        :raises NotPermitted: if this is not the device.
        """
        if self._accepted(visitor) is not Access.STRANGER:
            await self.presence.sign_off(visitor.device, visitor.address)
            self.wakeups.sign_off(visitor.device)

    def expects(self, device: str) -> bool:
        """Whether a result of this device may be for a command."""
        return device in self.outbox.reportable

    def _batch(self, device: str) -> int:
        known = self.admissions.fleet.get(device)
        return self.batch if known is None or known.batch is None else known.batch

    def _served(self, visitor: Visitor) -> bool:
        return self._accepted(visitor) is Access.SERVED

    def _accepted(self, visitor: Visitor) -> Access:
        access = self.admissions.admit(visitor, polls=False)
        if access is Access.REFUSED:
            raise NotPermitted("This device is not served here.")
        return access
