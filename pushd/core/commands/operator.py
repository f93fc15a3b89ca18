"""The review: what an operator asks, and decides, about a command."""

from attrs import define

from pushd.core.clocks import Clocks
from pushd.core.commands.command_queue import MAX_QUEUED
from pushd.core.commands.drafts import Drafts
from pushd.core.commands.explain import DeviceContext, Explanation, explain
from pushd.core.devices.admission import AdmissionPolicy
from pushd.core.polling.hold_time import HoldTimes
from pushd.core.polling.poll_registry import PollRegistry
from pushd.model.command import Command, SendOptions
from pushd.model.lifecycle import Move
from pushd.model.timestamps import Now
from pushd.store.interface import IStore


@define(eq=False)
class OperatorActions:
    """Explain, resolve, resend."""

    store: IStore
    clocks: Clocks
    drafts: Drafts
    admission_policy: AdmissionPolicy
    holds: HoldTimes
    poll_registry: PollRegistry

    async def explain(self, command: str) -> Explanation:
        """Why a command has not run yet, or what is known of it.

        :raises UnknownCommand: if there is none.
        """
        now = self.clocks.now()
        standing = await self.store.command_context(command, now)
        return explain(standing, self._surroundings(standing.command.device, now))

    def _surroundings(self, name: str, now: Now) -> DeviceContext:
        registry = self.admission_policy.registry
        device = registry.get(name)
        return DeviceContext(
            now=now.wall,
            device=None if device is None else registry.presence.merge_live_state(device),
            polling=self.poll_registry.is_polling(name),
            hold=self.holds.settled(name),
            proven=device is not None and registry.has_proof(device),
            lacks_proof=self.admission_policy.lacks_proof(name),
            next_poll_in=registry.presence.next_poll_in(name),
        )

    async def resolve(self, command: str, move: Move, note: str | None, by: str) -> Command:
        """Say what became of a command of which nobody knows; see :meth:`IStore.resolve`."""
        return await self.store.resolve(command, move, note, by, self.clocks.now())

    async def original(self, command: str) -> Command:
        """What is to be sent again.

        :raises UnknownCommand: if there is none.
        """
        return await self.store.command(command)

    async def resend(
        self, original: Command, terms: SendOptions, by: str, queue_signed_off: bool = False
    ) -> tuple[Command, bool]:
        """Send the same again as a new command; False if that was done before. See :meth:`IStore.resend`.

        :raises InvalidFields: if the terms are out of bounds.
        """
        terms.check()
        draft = self.drafts.make(original.device, original.payload, terms, by, resend_of=original.id)
        return await self.store.resend(draft, queue_signed_off, MAX_QUEUED, self.clocks.now())
