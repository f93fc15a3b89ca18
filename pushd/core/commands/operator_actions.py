"""What an operator does with a command: explain, resolve, resend."""

from attrs import define

from pushd.core.clocks import Clocks
from pushd.core.commands.command_queue import MAX_QUEUED
from pushd.core.commands.drafts import Drafts
from pushd.core.commands.explain import DeviceContext, Explanation, explain
from pushd.core.devices.admission import AdmissionPolicy
from pushd.core.devices.registry import DeviceRegistry
from pushd.core.polling.hold_time import HoldTimes
from pushd.core.polling.poll_registry import PollRegistry
from pushd.model.actor import Actor
from pushd.model.command import Command, Payload, SendOptions
from pushd.model.lifecycle import Move
from pushd.store.interface import IStore


@define(eq=False, kw_only=True)
class OperatorActions:
    """Explain, resolve, resend."""

    store: IStore
    clocks: Clocks
    drafts: Drafts
    registry: DeviceRegistry
    admission_policy: AdmissionPolicy
    hold_times: HoldTimes
    poll_registry: PollRegistry

    async def explain(self, command: str) -> Explanation:
        """Why a command has not run yet, or what is known of its result.

        :raises UnknownCommand: if there is none.
        """
        context = await self.store.command_context(command)
        return explain(context, self._device_context(context.command.device))

    def _device_context(self, device_id: str) -> DeviceContext:
        device = self.registry.get(device_id)
        presence = self.registry.presence
        return DeviceContext(
            now=self.clocks.wall_now(),
            device=None if device is None else presence.merge_live_state(device),
            polling=self.poll_registry.is_polling(device_id),
            hold=self.hold_times.base_hold(device_id, device),
            proven=device is not None and self.registry.has_proof(device),
            lacks_proof=self.admission_policy.lacks_proof(device),
            next_poll_in=presence.next_poll_in(device_id),
        )

    async def resolve(self, command: str, move: Move, note: str | None, by: Actor) -> Command:
        """Record the outcome of a command whose outcome is unknown. See :meth:`IStore.resolve`."""
        return await self.store.by(by).resolve(command, move, note, by.name)

    async def resend(
        self, original: Command, payload: Payload, options: SendOptions, by: Actor, *, queue_signed_off: bool = False
    ) -> tuple[Command, bool]:
        """Send the payload, checked, as a new command; False if that was done before. See :meth:`IStore.resend`."""
        draft = self.drafts.make(original.device, payload, options, by.name, resend_of=original.id, token=by.token)
        return await self.store.by(by).resend(draft, queue_signed_off, MAX_QUEUED)
