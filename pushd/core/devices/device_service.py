"""The reception: what a visitor at the device port may do, whatever its dialect."""

from attrs import define
from twisted.internet.task import deferLater

from pushd.core.clocks import Clocks
from pushd.core.commands.command_queue import CommandQueue
from pushd.core.devices.admission import Access, AdmissionPolicy, ClientIdentity
from pushd.core.devices.presence import Presence
from pushd.core.polling.hold_time import HoldTimes
from pushd.core.polling.poll import Answer
from pushd.core.polling.poll_registry import PollRegistry
from pushd.model.errors import NotPermitted
from pushd.model.result import DeviceResult

REFUSAL_DELAY = 5.0
"""Seconds before a poll is refused: clients poll again at once, whatever the answer."""


@define(eq=False)
class DeviceService:
    """Admission, presence and outbox in the order in which a visitor meets them.

    ``batch`` is how many commands a device takes at once, unless an operator says otherwise.
    """

    admission_policy: AdmissionPolicy
    presence: Presence
    command_queue: CommandQueue
    poll_registry: PollRegistry
    clocks: Clocks
    holds: HoldTimes
    batch: int = 1

    async def poll(self, client_identity: ClientIdentity, uuid: str | None = None) -> Answer:
        """Hold a poll; what it is handed, or nothing.

        :raises NotPermitted: slowly.
        """
        access = self.admission_policy.admit(client_identity, polls=True)
        if access is Access.REFUSED:
            await deferLater(self.clocks.clock, REFUSAL_DELAY)
            raise NotPermitted("This device is not served here.")
        hold = self.holds.hold(client_identity.device)
        if access is Access.UNKNOWN:
            return await self.command_queue.take(client_identity.device, hold, uuid, deaf=True)
        with self.presence.here(client_identity.device, client_identity.address):
            deaf = self.admission_policy.lacks_proof(client_identity.device)  # a pending device waits for its approval
            return await self.command_queue.take(
                client_identity.device, hold, uuid, deaf, self._batch(client_identity.device)
            )

    def check_access(self, client_identity: ClientIdentity) -> None:
        """Judge who comes with a body, before any of it is parsed.

        :raises NotPermitted: if this is not the device.
        """
        self._accepted(client_identity)

    async def acknowledge(self, client_identity: ClientIdentity, command: str) -> None:
        """The device has a command.

        :raises NotPermitted: if this is not the device.
        """
        if self._served(client_identity):
            self.presence.record_activity(client_identity.device, client_identity.address)
            await self.command_queue.acknowledge(client_identity.device, command)

    async def settle(self, client_identity: ClientIdentity, report: DeviceResult | None) -> None:
        """The device says what became of a command; durable once this returns. None is a report too large to be read
        when none was expected: a sign of life.

        :raises NotPermitted: if this is not the device.
        """
        if self._served(client_identity):
            self.presence.record_activity(client_identity.device, client_identity.address)
            if report is not None:
                await self.command_queue.settle(client_identity.device, report)

    async def sign_off(self, client_identity: ClientIdentity) -> None:
        """The device goes away on purpose; its poll ends in a moment.

        :raises NotPermitted: if this is not the device.
        """
        if self._accepted(client_identity) is not Access.UNKNOWN:
            await self.presence.sign_off(client_identity.device, client_identity.address)
            self.poll_registry.sign_off(client_identity.device)

    def expects_result(self, device: str) -> bool:
        """Whether a result of this device may be for a command."""
        return device in self.command_queue.result_index

    def _batch(self, device: str) -> int:
        known = self.admission_policy.registry.get(device)
        return self.batch if known is None or known.batch is None else known.batch

    def _served(self, client_identity: ClientIdentity) -> bool:
        return self._accepted(client_identity) is Access.SERVED

    def _accepted(self, client_identity: ClientIdentity) -> Access:
        access = self.admission_policy.admit(client_identity, polls=False)
        if access is Access.REFUSED:
            raise NotPermitted("This device is not served here.")
        return access
