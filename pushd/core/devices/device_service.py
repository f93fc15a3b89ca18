"""What a device can do, in any dialect: poll, acknowledge, report a result, sign off."""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, NoReturn, Protocol, TypeVar

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from pushd.core.clocks import Clocks
from pushd.core.commands.command_queue import CommandQueue
from pushd.core.devices.admission import Access, AdmissionPolicy, IClient
from pushd.core.devices.device_lookups import DeviceLookups
from pushd.core.devices.presence import Presence
from pushd.core.devices.registry import DeviceRegistry
from pushd.core.devices.rejections import IRefusedClient, Rejections
from pushd.core.polling.hold_time import HoldTimes
from pushd.core.polling.poll import Answer, Poll
from pushd.core.polling.poll_registry import PollRegistry
from pushd.lib.cancellable_waits import delay
from pushd.model.device import UNKNOWN_REVISION, Device, ProofKind
from pushd.model.errors import AdmissionChanged, NotPermitted, PushdError, TooManyPolls, Unavailable
from pushd.model.rejection import RejectionReason
from pushd.model.result import DeviceResult
from pushd.model.token import Role, Token
from pushd.store.membership import NOT_HEARD

T = TypeVar("T")

REFUSAL_DELAY = 5.0
"""Seconds before a poll is refused: clients poll again at once, whatever the answer."""

MAX_REFUSALS = 32
"""Polls of devices that are not approved, beyond their share, that wait for a refusal; more are refused at once."""

_NOT_SERVED = "This device is not served here."


class IDeviceClient(IClient, IRefusedClient, Protocol):
    """What is known of a client of the device port."""


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
    rejections: Rejections
    presence: Presence
    hold_times: HoldTimes
    poll_registry: PollRegistry
    command_queue: CommandQueue
    lookups: DeviceLookups
    batch: int = 1
    _refusals: int = field(default=0, init=False)
    """Polls of devices that are not approved which wait for a refusal."""

    def __attrs_post_init__(self) -> None:
        self.admission_policy.tokens.subscribe(self._on_token_end)
        self.command_queue.judge = self._judge_again

    def poll(
        self, client: IDeviceClient, device_id: str, write: Callable[[str, Answer], bytes], uuid: str | None = None
    ) -> Poll | Coroutine[Any, None, Poll]:
        """Hold a poll; its answer is what ``write`` makes of the commands that it gets.

        A coroutine looks for the device in the database before, or waits and raises :exc:`NotPermitted`,
        :exc:`TooManyPolls` or :exc:`Unavailable`.
        """
        if self.registry.get(device_id) is None and self.lookups.is_worth_it(device_id):
            return self._look_up_and_poll(client, device_id, write, uuid)
        return self._poll(client, device_id, write, uuid)

    async def _look_up_and_poll(
        self, client: IDeviceClient, device_id: str, write: Callable[[str, Answer], bytes], uuid: str | None
    ) -> Poll:
        await self.look_up(device_id)
        poll = self._poll(client, device_id, write, uuid)
        return poll if isinstance(poll, Poll) else await poll

    async def look_up(self, device_id: str) -> None:
        """Before a device is served, look for it in the database if it is not known."""
        if self.registry.get(device_id) is None:
            with suppress(Unavailable):  # then it is unknown, as far as can be known now
                await self.lookups.look_up(device_id)

    def _poll(
        self, client: IDeviceClient, device_id: str, write: Callable[[str, Answer], bytes], uuid: str | None
    ) -> Poll | Coroutine[Any, None, NoReturn]:
        device = self.registry.get(device_id)
        access = self.admission_policy.admit(client, device_id, device, is_poll=True)
        if access is Access.REFUSED:
            self._list_refused(client, device_id, device)
            return self._refuse(NotPermitted(_NOT_SERVED))
        if access is Access.UNCERTAIN:
            return self._refuse(_uncertain())
        if device is not None:
            device_id = device.id  # an equal text, which is kept already
        elif access is Access.UNKNOWN:
            self.rejections.refuse(RejectionReason.PENDING_FULL, client, device_id)
        is_approved = device is not None and access is Access.SERVED
        if self.poll_registry.is_full(device_id, is_approved=is_approved):
            self.rejections.refuse(RejectionReason.POLLS_FULL, client, device_id)
            return self._refuse_excess_poll(is_approved)
        now = self.clocks.clock.seconds()
        poll = Poll(
            self.command_queue,
            device_id,
            now,
            now + self.hold_times.hold(device_id, device),
            write,
            uuid,
            access is not Access.UNKNOWN and access is not Access.UNPROVEN,
            is_approved,
            self.batch if device is None or device.batch is None else device.batch,
            None if access is Access.UNKNOWN else self.presence.begin_poll(device_id, client.client_address, now),
            client,
            UNKNOWN_REVISION if device is None else device.revision,
        )
        self.command_queue.take(poll)
        return poll

    async def _judge_again(self, poll: Poll) -> None:
        """Judge the client of a held poll by what the database has of its device. If it is not admitted any more, the
        poll ends, and its next one is refused.
        """
        await self.registry.read_again(poll.device)
        device = self.registry.get(poll.device)
        if poll.client is None:
            return  # it has ended meanwhile
        access = self.admission_policy.admit(poll.client, poll.device, device, is_poll=False)
        if device is not None and access in (Access.SERVED, Access.PENDING):
            poll.revision = device.revision
        else:
            self.poll_registry.revoke_poll(poll)

    def _list_refused(self, client: IDeviceClient, device_id: str, device: Device | None) -> None:
        reason = self.admission_policy.reason(client, device_id, device)
        self.rejections.refuse(reason, client, device_id)

    async def _refuse(self, error: PushdError) -> NoReturn:
        await delay(self.clocks.clock, REFUSAL_DELAY)
        raise error

    async def _refuse_excess_poll(self, is_approved: bool) -> NoReturn:
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

    def result_access(self, client: IDeviceClient, device_id: str) -> ResultAccess | None:
        """What a client that reports a result may do; None: nothing of what it reports is taken."""
        device = self.registry.get(device_id)
        if device is None:
            return None
        if self.admission_policy.admit(client, device_id, device, is_poll=False) is not Access.SERVED:
            return None
        is_expected = device.id in self.command_queue.result_index
        return ResultAccess(is_proven=self.registry.has_proof(device), is_expected=is_expected)

    def takes_result(self, client: IDeviceClient, device_id: str) -> bool:
        """Whether the result of a client is taken; if it is not, it need not be parsed.

        :raises NotPermitted: if the device is not served, or this is not the device; or :exc:`Unavailable`, if that
            cannot be known now.
        """
        return self._admit(client, device_id, self.registry.get(device_id)) is Access.SERVED

    def own_device(self, client: IDeviceClient, device_id: str) -> Device:
        """The stored device that a client is; this is no heartbeat.

        :raises NotPermitted: if the device is not served, not known, not approved, or this is not the device; or
            :exc:`Unavailable`, if that cannot be known now.
        """
        device = self.registry.get(device_id)
        if self._admit(client, device_id, device) is not Access.SERVED or device is None:
            raise NotPermitted(_NOT_SERVED)
        return device

    def acknowledge(self, client: IDeviceClient, device_id: str, command: str) -> Deferred[None]:
        """The device has received a command.

        :raises NotPermitted: if the device is not served, or this is not the device; or :exc:`Unavailable`, if that
            cannot be known now.
        """
        return self._if_served(
            client, device_id, lambda revision: self.command_queue.acknowledge(device_id, command, revision)
        )

    def settle(self, client: IDeviceClient, device_id: str, result: DeviceResult | None) -> Deferred[Any]:
        """The device reports a result, which is durable when the Deferred fires.

        None stands for a body that was not read, because it was large and no result was expected: a heartbeat only.

        :raises NotPermitted: if the device is not served, or this is not the device; or :exc:`Unavailable`, if that
            cannot be known now.
        """

        def settle(revision: int | None) -> Deferred[Any]:
            return succeed(None) if result is None else self.command_queue.settle(device_id, result, revision)

        return self._if_served(client, device_id, settle)  # again: reading the body may have taken a while

    def _if_served(
        self, client: IDeviceClient, device_id: str, act: Callable[[int | None], Deferred[T]]
    ) -> Deferred[T | None]:
        """Do what a client asks for, by the revision of its device, if that is served; it is a heartbeat, too.

        If another process has changed the device meanwhile, the client is judged anew.
        """
        device = self.registry.get(device_id)
        if self._admit(client, device_id, device) is not Access.SERVED or device is None:
            return succeed(None)
        self.presence.record_activity(device_id, client.client_address)
        return act(device.revision).addErrback(self._if_still_served, client, device_id, act)

    def _if_still_served(
        self, failure: Failure, client: IDeviceClient, device_id: str, act: Callable[[int | None], Deferred[T]]
    ) -> Deferred[T | None]:
        failure.trap(AdmissionChanged)
        reading = Deferred.fromCoroutine(self.registry.read_again(device_id))
        return reading.addCallback(lambda _: self._if_served(client, device_id, act))

    async def sign_off(self, client: IDeviceClient, device_id: str) -> None:
        """The device signs off; its poll ends in a moment.

        :raises NotPermitted: if the device is not served, or this is not the device; or :exc:`Unavailable`, if that
            cannot be known now.
        """
        if self._admit(client, device_id, self.registry.get(device_id)) is not Access.UNKNOWN:
            await self.presence.sign_off(device_id, client.client_address)
            self.poll_registry.sign_off(device_id)

    def revoke_proven(self) -> None:
        """End the polls of devices that must prove who they are: another process may have revoked what they proved."""
        for device in self.registry.required_credentials:
            self.poll_registry.revoke(device)

    def _on_token_end(self, token: Token) -> None:
        """End the polls that may be held by means of a token for devices; their next ones are judged anew."""
        if token.role is not Role.DEVICE:
            return
        for device, kinds in self.registry.required_credentials.items():
            if ProofKind.API_KEY in kinds and (token.scope is None or self.registry.is_in_scope(device, token.scope)):
                self.poll_registry.revoke(device)

    def _admit(self, client: IDeviceClient, device_id: str, device: Device | None) -> Access:
        access = self.admission_policy.admit(client, device_id, device, is_poll=False)
        if access is Access.REFUSED:
            self._list_refused(client, device_id, device)
            raise NotPermitted(_NOT_SERVED)
        if access is Access.UNCERTAIN:
            raise _uncertain()
        return access


def _uncertain() -> Unavailable:
    return Unavailable(NOT_HEARD, is_logged=True)
