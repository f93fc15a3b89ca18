"""What a device can do, in any dialect: poll, acknowledge, report a result, sign off."""

from typing import NoReturn

from attrs import define, field, frozen

from pushd.core.clocks import Clocks
from pushd.core.commands.command_queue import CommandQueue
from pushd.core.devices.admission import Access, AdmissionPolicy, ClientIdentity
from pushd.core.devices.presence import Presence
from pushd.core.devices.registry import DeviceRegistry
from pushd.core.polling.hold_time import HoldTimes
from pushd.core.polling.poll import Answer
from pushd.core.polling.poll_registry import PollRegistry
from pushd.lib.cancellable_waits import delay
from pushd.model.device import Device
from pushd.model.errors import NotPermitted, TooManyPolls
from pushd.model.result import DeviceResult

REFUSAL_DELAY = 5.0
"""Seconds before a poll is refused: clients poll again at once, whatever the answer."""

MAX_REFUSALS = 32
"""Polls of devices that are not approved, beyond their share, that wait for a refusal; more are refused at once."""


@frozen(kw_only=True)
class ResultAccess:
    """What is known of a client that reports a result, before the result is read."""

    is_proven: bool
    """Whether it has sent the proofs that are configured for its device; False if none are."""
    is_expected: bool
    """Whether a result of this device may belong to a command."""


@define(eq=False, kw_only=True)
class DeviceService:
    """Applies admission and presence to each request of a device, then passes it to the command queue.

    ``batch`` is how many commands a device gets at once, unless it is configured for the device.
    """

    clocks: Clocks
    registry: DeviceRegistry
    admission_policy: AdmissionPolicy
    presence: Presence
    hold_times: HoldTimes
    poll_registry: PollRegistry
    command_queue: CommandQueue
    batch: int = 1
    _refusals: int = field(default=0, init=False)
    """Polls of devices that are not approved which wait for a refusal."""

    async def poll(self, client_identity: ClientIdentity, uuid: str | None = None) -> Answer:
        """Hold a poll; returns the commands to answer with, or none.

        :raises NotPermitted: after :data:`REFUSAL_DELAY`.
        :raises TooManyPolls: after :data:`REFUSAL_DELAY`, or at once, if no more polls can be held.
        """
        device_id = client_identity.device
        device = self.registry.get(device_id)
        access = self.admission_policy.admit(client_identity, device, is_poll=True)
        if access is Access.REFUSED:
            await delay(self.clocks.clock, REFUSAL_DELAY)
            raise NotPermitted("This device is not served here.")
        is_approved = device is not None and access is Access.SERVED
        if self.poll_registry.is_full(device_id, is_approved=is_approved):
            await self._refuse(is_approved)
        hold = self.hold_times.hold(device_id, device)
        if access is Access.UNKNOWN:
            return await self.command_queue.take(device_id, hold, uuid, may_receive=False, is_approved=False)
        may_receive = access is not Access.UNPROVEN
        batch = self.batch if device is None or device.batch is None else device.batch
        entry = self.presence.begin_poll(device_id, client_identity.address)
        try:
            return await self.command_queue.take(
                device_id, hold, uuid, may_receive=may_receive, is_approved=is_approved, batch=batch
            )
        finally:
            self.presence.end_poll(entry, client_identity.address)

    async def _refuse(self, is_approved: bool) -> NoReturn:
        """Refuse a poll slowly; of devices that are not approved, few polls wait: each keeps a connection open."""
        if is_approved:
            await delay(self.clocks.clock, REFUSAL_DELAY)
        elif self._refusals < MAX_REFUSALS:
            self._refusals += 1
            try:
                await delay(self.clocks.clock, REFUSAL_DELAY)
            finally:
                self._refusals -= 1
        raise TooManyPolls

    def result_access(self, client_identity: ClientIdentity) -> ResultAccess | None:
        """What a client that reports a result may do; None: nothing of what it reports is taken."""
        device = self.registry.get(client_identity.device)
        if device is None:
            return None
        if self.admission_policy.admit(client_identity, device, is_poll=False) is not Access.SERVED:
            return None
        is_expected = device.id in self.command_queue.result_index
        return ResultAccess(is_proven=self.registry.has_proof(device), is_expected=is_expected)

    def takes_result(self, client_identity: ClientIdentity) -> bool:
        """Whether the result of a client is taken; if it is not, it need not be parsed.

        :raises NotPermitted: if the device is not served, or this is not the device.
        """
        return self._admit(client_identity) is Access.SERVED

    def own_device(self, client_identity: ClientIdentity) -> Device:
        """The stored device that a client is; this is no heartbeat.

        :raises NotPermitted: if the device is not served, not known, not approved, or this is not the device.
        """
        device = self.registry.get(client_identity.device)
        if device is None or self._admit(client_identity) is not Access.SERVED:
            raise NotPermitted("This device is not served here.")
        return device

    async def acknowledge(self, client_identity: ClientIdentity, command: str) -> None:
        """The device has received a command.

        :raises NotPermitted: if the device is not served, or this is not the device.
        """
        if self._admit(client_identity) is Access.SERVED:
            self.presence.record_activity(client_identity.device, client_identity.address)
            await self.command_queue.acknowledge(client_identity.device, command)

    async def settle(self, client_identity: ClientIdentity, result: DeviceResult | None) -> None:
        """The device reports a result, which is durable when this returns.

        None stands for a body that was not read, because it was large and no result was expected: a heartbeat only.

        :raises NotPermitted: if the device is not served, or this is not the device.
        """
        if self._admit(client_identity) is Access.SERVED:  # again: reading the body may have taken a while
            self.presence.record_activity(client_identity.device, client_identity.address)
            if result is not None:
                await self.command_queue.settle(client_identity.device, result)

    async def sign_off(self, client_identity: ClientIdentity) -> None:
        """The device signs off; its poll ends in a moment.

        :raises NotPermitted: if the device is not served, or this is not the device.
        """
        if self._admit(client_identity) is not Access.UNKNOWN:
            await self.presence.sign_off(client_identity.device, client_identity.address)
            self.poll_registry.sign_off(client_identity.device)

    def _admit(self, client_identity: ClientIdentity) -> Access:
        device = self.registry.get(client_identity.device)
        access = self.admission_policy.admit(client_identity, device, is_poll=False)
        if access is Access.REFUSED:
            raise NotPermitted("This device is not served here.")
        return access
