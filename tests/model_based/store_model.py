"""The reference model of a store: section 2 of the design in plain Python, with all commands, devices and events."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import takewhile

from attrs import define, field

from pushd.model.command import Draft
from pushd.model.device import Admission, PresenceState
from pushd.model.errors import DeviceBlocked, DeviceSignedOff, IllegalMove, KeyReused, QueueFull, UnknownDevice
from pushd.model.event import EventType
from pushd.model.lifecycle import Move, State
from pushd.model.timestamps import Now
from pushd.rules.outcomes import Settlement
from tests.model_based.command_model import RESOLVED, SETTLED, Attempt, CommandModel
from tests.model_based.device_model import DeviceModel, ExpectedEvent, Poll
from tests.model_based.result_matching import find
from tests.store.samples import StubResult, command_id

ORPHANS_KEPT = 100
RESENDABLE = (State.UNKNOWN, State.FAILED, State.EXPIRED, State.CANCELLED)


@define(eq=False)
class StoreModel:
    """What a store must hold, and the events that it must have recorded."""

    devices: dict[str, DeviceModel] = field(factory=lambda: defaultdict(DeviceModel))
    commands: dict[str, CommandModel] = field(factory=dict)
    events: list[ExpectedEvent] = field(factory=list)

    def commands_of(self, device: str) -> list[CommandModel]:
        """The commands of a device."""
        return [command for command in self.commands.values() if command.draft.device == device]

    def due(self, device: str, now: Now) -> list[CommandModel]:
        """What may be sent to a device now, the next one first."""
        due = [command for command in self.commands_of(device) if command.is_due(now)]
        return sorted(due, key=lambda command: (-command.draft.terms.priority, command.id))

    def admit(self, device: str, admission: Admission, now: Now) -> None:
        """Change the admission of a device."""
        if self.devices[device].admission is not admission:
            self.devices[device].admission = admission
            self._record(f"device.{admission}", device, now)

    def set_presence(self, device: str, presence: PresenceState, now: Now) -> None:
        """A device comes online or signs off."""
        if self.devices[device].admission is not Admission.PENDING and self.devices[device].presence is not presence:
            self.devices[device].presence = presence
            self._record(f"device.{presence}", device, now)

    def put(self, draft: Draft, max_queued: int, now: Now) -> tuple[CommandModel, bool]:
        """Queue a command; False with the earlier one that has the same key."""
        earlier = self._by_key(draft)
        if earlier is not None:
            return earlier, False
        self._check_may_queue(draft.device, max_queued)
        return self._queue(draft, now), True

    def resend(self, draft: Draft, max_queued: int, now: Now) -> tuple[CommandModel, bool]:
        """Queue the successor of a command; False with the one that it has."""
        before = self.commands[str(draft.resend_of)]
        if before.resent_as is not None:
            return self.commands[before.resent_as], False
        if before.state not in RESENDABLE:
            raise IllegalMove
        self._check_may_queue(draft.device, max_queued)
        successor = self._queue(draft, now)
        before.resent_as = successor.id
        return successor, True

    def claim(self, poll: Poll, now: Now) -> list[CommandModel]:
        """What is sent in the answer to a poll."""
        device = self.devices[poll.device]
        if device.admission is not Admission.APPROVED or device.repeats(poll):
            return []
        chosen = _choose(self.due(poll.device, now), poll)
        batch: list[Attempt] = []
        for position, command in enumerate(chosen, 1):
            attempt = command.send(poll.uuid, batch, position if len(chosen) > 1 else None, now)
            device.attempts.append(attempt)
            self._record(EventType.COMMAND_SENT, poll.device, now, command, attempt.number)
        return chosen

    def unsend(self, command_id: str, number: int, now: Now) -> bool:
        """The connection of an attempt was lost before a byte was written; False if it is not the current one."""
        command = self.commands.get(command_id)
        if command is None or command.state is not State.SENT or len(command.attempts) != number:
            return False
        self.devices[command.draft.device].attempts.remove(command.unsend(now))
        self._record(EventType.COMMAND_QUEUED, command.draft.device, now, command, "unsent")
        if command.cancelled:
            command.cancel(now)
            self._record_state(command, now)
        return True

    def acknowledge(self, device: str, command_id: str, now: Now) -> None:
        """A device has received a command."""
        command = self.commands.get(command_id)
        if command is None or command.draft.device != device or self.devices[device].admission is None:
            return
        before = command.state
        if command.acknowledge(now) and command.state is not before:
            self._record(EventType.COMMAND_ACKNOWLEDGED, device, now, command)

    def settle(self, device_id: str, result: StubResult, now: Now) -> Settlement:
        """A device reports a result."""
        device = self.devices[device_id]
        match = find(device.attempts, self.commands_of(device_id), result)
        parts = [] if match is None else match.parts(result)
        outcomes = [self._apply(attempt, matched_by, part, now) for attempt, matched_by, part in parts]
        if not outcomes or Settlement.ORPHANED in outcomes:
            return self._keep_orphan(device_id, device, result, now)
        return Settlement.SETTLED if Settlement.SETTLED in outcomes else Settlement.REPEATED

    def lapse(self, now: Now) -> int:
        """End the leases that ran out, in order of time; returns how many."""
        ended = [command for command in self.commands.values() if command.lease_ended(now)]
        for command in sorted(ended, key=lambda command: (command.lease_until, command.id)):
            command.lapse(now)
            self._record_state(command, now, "lapsed" if command.state is State.QUEUED else None)
        return len(ended)

    def expire(self, now: Now) -> int:
        """End queued commands whose time to live is over, in order of time; returns how many."""
        queued = (command for command in self.commands.values() if command.state is State.QUEUED)
        expired = [command for command in queued if not command.is_sendable(now)]
        for command in sorted(expired, key=lambda command: (command.expires_elapsed, command.id)):
            command.expire(now)
            self._record_state(command, now)
        return len(expired)

    def notice_step(self, latest: int, now: Now) -> None:
        """The wall clock was set; ``latest`` is the latest wall time before and after."""
        for command in self.commands.values():
            command.notice_step(latest, now)

    def cancel(self, command_id: str, now: Now) -> CommandModel:
        """An operator cancels a command."""
        command = self.commands[command_id]
        before = command.state
        if not command.cancel(now):
            raise IllegalMove
        if command.state is not before:
            self._record_state(command, now)
        return command

    def resolve(self, command_id: str, move: Move, note: str, now: Now) -> CommandModel:
        """An operator sets the outcome of a command."""
        command = self.commands[command_id]
        if (command.state, command.evidence) == (RESOLVED[move], "operator"):
            return command
        if command.state is not State.UNKNOWN:
            raise IllegalMove
        command.resolve(move, note, now)
        self._record(EventType.COMMAND_RESOLVED, command.draft.device, now, command)
        return command

    def forget(self, device: str, now: Now) -> None:
        """Delete a device: its queued commands are cancelled, those in flight become unknown."""
        self.devices[device].admission = None
        for command in self.commands_of(device):
            if command.state is State.QUEUED or command.in_flight:
                command.forget(now)
                self._record_state(command, now)
        self._record(EventType.DEVICE_DELETED, device, now)

    def add_device(self, device: str, now: Now) -> None:
        """Add an approved device."""
        self.devices[device].admission = Admission.APPROVED
        self.devices[device].presence = PresenceState.NEVER_SEEN
        self._record(EventType.DEVICE_REGISTERED, device, now)

    def restart(self, now: Now) -> None:
        """The server was down."""
        for command in self.commands.values():
            command.restart(now)

    def _by_key(self, draft: Draft) -> CommandModel | None:
        key = (draft.created_by, draft.device, draft.idempotency_key)
        for command in self.commands.values() if draft.idempotency_key else ():
            if (command.draft.created_by, command.draft.device, command.draft.idempotency_key) == key:
                if command.draft.fingerprint != draft.fingerprint:
                    raise KeyReused
                return command
        return None

    def _check_may_queue(self, device_id: str, max_queued: int) -> None:
        device = self.devices[device_id]
        if device.admission is None:
            raise UnknownDevice
        if device.admission is Admission.BLOCKED:
            raise DeviceBlocked
        if device.presence is PresenceState.SIGNED_OFF:
            raise DeviceSignedOff
        if sum(command.state is State.QUEUED for command in self.commands_of(device_id)) >= max_queued:
            raise QueueFull

    def _queue(self, draft: Draft, now: Now) -> CommandModel:
        name = command_id(len(self.commands) + 1)
        command = self.commands[name] = CommandModel(name, draft, now.wall, now.elapsed)
        self._record(EventType.COMMAND_QUEUED, draft.device, now, command)
        return command

    def _apply(self, attempt: Attempt, matched_by: str, result: StubResult, now: Now) -> Settlement:
        """Apply the part of a result that is about one attempt."""
        command, verdict = attempt.command, result.verdict
        if command.state in (State.SUCCEEDED, State.FAILED):
            agrees = SETTLED[verdict.move] is command.state and command.evidence == "device"
            return Settlement.REPEATED if agrees else Settlement.ORPHANED
        if (SETTLED[verdict.move], result.result, verdict.error) == (command.state, command.result, command.error):
            return Settlement.REPEATED
        command.settle(verdict, result.result, matched_by, not attempt.in_flight, now)
        self._record_state(command, now)
        return Settlement.SETTLED

    def _keep_orphan(self, device_id: str, device: DeviceModel, result: StubResult, now: Now) -> Settlement:
        """Keep a result that matches nothing, or contradicts a known outcome."""
        if device.admission is not Admission.APPROVED:
            return Settlement.DROPPED
        device.orphans = [*device.orphans, result.raw][-ORPHANS_KEPT:]
        self._record(EventType.RESULT_ORPHANED, device_id, now)
        return Settlement.ORPHANED

    def _record_state(self, command: CommandModel, now: Now, detail: object = None) -> None:
        self._record(f"command.{command.state}", command.draft.device, now, command, detail)

    def _record(
        self, kind: str, device: str, now: Now, command: CommandModel | None = None, detail: object = None
    ) -> None:
        command_id = None if command is None else command.id
        self.events.append(ExpectedEvent(str(kind), now.wall, device, command_id, detail))


def _choose(due: Sequence[CommandModel], poll: Poll) -> list[CommandModel]:
    """The leading batchable commands, up to the limit of the poll, or the first alone."""
    batch = list(takewhile(lambda command: poll.batchable(command.draft.payload), due[: poll.limit]))
    return batch or list(due[:1])
