"""Open what a device guards, at once or not at all, and say in one sentence what became of it."""

from attrs import define

from pushd.core.clocks import Clocks
from pushd.core.commands.command_queue import CommandQueue, already_stored
from pushd.core.commands.drafts import Drafts
from pushd.core.devices.admission import AdmissionPolicy
from pushd.core.devices.registry import DeviceRegistry
from pushd.core.polling.poll_registry import PollRegistry
from pushd.core.waiters import Waits
from pushd.lib.text import duration
from pushd.model.actor import Actor
from pushd.model.command import Command, SendOptions
from pushd.model.device import Admission, Device, PresenceState
from pushd.model.errors import CannotOpen, InvalidFields, ModelUnknown
from pushd.model.lifecycle import Delivery, State
from pushd.model.opening import PATIENCE, Opening, OpenReason, OpenRequest, Outcome
from pushd.store.interface import IStore


@define(eq=False, kw_only=True)
class Opener:
    """Sends the command that opens a device, and waits for its end."""

    store: IStore
    clocks: Clocks
    drafts: Drafts
    registry: DeviceRegistry
    admission_policy: AdmissionPolicy
    poll_registry: PollRegistry
    command_queue: CommandQueue

    async def open(
        self,
        device: Device,
        request: OpenRequest,
        by: Actor,
        *,
        trace: str | None = None,
        idempotency_key: str | None = None,
        fingerprint: bytes | None = None,
        among: Waits | None = None,
    ) -> Opening:
        """Open a device, unless it was done before with this idempotency key; then what became of that.

        ``among``: see :meth:`pushd.core.waiters.Waiters.wait`.

        :raises CannotOpen: if no device of its dialect opens anything.
        :raises ModelUnknown: if it is not known how it opens.
        :raises DeviceBlocked: and what else refuses a command.
        """
        opening = self.drafts.dialect(device.id).opening
        if opening is None:
            raise CannotOpen(f"A {device.dialect} device opens nothing.")
        terms = SendOptions(ttl=PATIENCE, lease=PATIENCE, delivery=Delivery.AT_MOST_ONCE, trace=trace)
        terms.check()
        try:
            payload = opening(device.facts, request)
        except (ModelUnknown, InvalidFields) as refusal:
            # the model may have been another when it was opened with this key
            command = await self._earlier(device, by, idempotency_key, fingerprint)
            if command is None:
                raise _to_approve_first(device, refusal) from None
        else:
            draft = self.drafts.make(
                device.id,
                payload,
                terms,
                by.name,
                idempotency_key=idempotency_key,
                fingerprint=fingerprint,
                audited_as="device.open",
                token=by.token,
            )
            command, _ = await self.command_queue.put(draft, by=by)
        with already_stored(command.id):
            command = await self.command_queue.wait_or_cancel(command.id, PATIENCE, by, among)
        return self._judge(command)

    async def _earlier(self, device: Device, by: Actor, key: str | None, fingerprint: bytes | None) -> Command | None:
        return None if key is None else await self.store.earlier(by.name, device.id, key, fingerprint)

    def _judge(self, command: Command) -> Opening:
        device = self.registry.get_with_presence(command.device)
        name = command.device if device is None else device.name or device.id
        said = "an operator recorded" if command.evidence == "operator" else f"{name} reported"
        match command.state:
            case State.SUCCEEDED:
                outcome, reason = Outcome.OPENED, OpenReason.SUCCEEDED
                detail = f"Opened: {said} success."
            case State.FAILED:
                outcome, reason = Outcome.NOT_OPENED, OpenReason.DEVICE_FAILED
                detail = f"Not opened: {said} a failure{': ' if command.error else ''}{command.error or ''}."
            case State.EXPIRED | State.CANCELLED:
                outcome, (reason, why) = Outcome.NOT_OPENED, self._why_not_sent(command.device, device)
                detail = f"Not opened: {name} {why}. The command was not sent, and will not be."
            case _:
                outcome, reason = Outcome.UNKNOWN, OpenReason.NO_ANSWER
                why = f" ({command.error})" if command.error else ""
                detail = f"Unknown: {name} has the command, but its answer is missing{why}. It may have opened: look."
        return Opening(outcome=outcome, reason=reason, detail=detail, command=command)

    def _why_not_sent(self, device_id: str, device: Device | None) -> tuple[OpenReason, str]:
        if device is None:
            return OpenReason.DEVICE_OFFLINE, "was deleted"
        if device.admission is Admission.PENDING:
            return OpenReason.PENDING, "waits for the approval of an operator"
        if device.admission is Admission.BLOCKED:
            return OpenReason.PENDING, "was blocked by an operator meanwhile"
        if self.admission_policy.lacks_proof(device):
            return OpenReason.PENDING, "gets no commands until it has a secret, an API key or an allow list"
        is_in_flight = self.store.queue_depth(device_id).in_flight > 0
        if is_in_flight and device.presence is PresenceState.ONLINE:
            return OpenReason.BUSY, "is busy with another command"
        if self.poll_registry.is_polling(device_id):
            return OpenReason.BUSY, "polls, but the command was cancelled, or others came first"
        if device.last_seen_at is None:
            return OpenReason.DEVICE_OFFLINE, "has never polled"
        ago = duration((self.clocks.wall_now() - device.last_seen_at) / 1000)
        return OpenReason.DEVICE_OFFLINE, f"does not poll; it was last seen {ago} ago"


def _to_approve_first(device: Device, refusal: ModelUnknown | InvalidFields) -> ModelUnknown | InvalidFields:
    """The same refusal; if the model of a pending device is unknown, it names both steps."""
    if device.admission is not Admission.PENDING or isinstance(refusal, InvalidFields):
        return refusal
    return ModelUnknown(
        f"{device.id} waits for the approval of an operator: approve it, and set its model"
        f" (pushctl approve {device.id} --model MODEL). {refusal}"
    )
