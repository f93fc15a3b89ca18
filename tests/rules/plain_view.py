"""A view of plain dictionaries, for tests of rules without a store."""

from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any

from attrs import define, field, fields

from pushd.model.audit import Fields
from pushd.model.command import Command, LargePayload, Payload
from pushd.model.device import Admission, PresenceState
from pushd.model.event import EventType
from pushd.model.facts import Facts
from pushd.model.large_text import Text, to_column
from pushd.model.lifecycle import State
from pushd.model.timestamps import Now
from pushd.rules.queueing import is_sendable, next_due
from pushd.rules.records import Attempt, CommandRecord, DeviceRecord, Handover, Member
from pushd.store.rows import read_payload
from tests.store.samples import at, command_id

APPROVED = DeviceRecord(Admission.APPROVED, PresenceState.ONLINE)


@define
class PlainView:
    """A :class:`pushd.rules.view.View` that keeps what it is given."""

    commands: dict[str, CommandRecord] = field(factory=dict)
    now: Now = field(factory=at)
    began: float = 0.0
    devices: dict[str, DeviceRecord] = field(factory=dict)
    tokens: dict[str, int] = field(factory=dict)
    """Their revisions."""
    attempts: list[Attempt] = field(factory=list)
    results: dict[str, str | None] = field(factory=dict)
    orphans: list[str] = field(factory=list)
    handovers: int = 0
    events: list[tuple[EventType, str, str | None]] = field(factory=list)

    def copy(self) -> "PlainView":
        """A copy that can be changed; what it contains is immutable."""
        return PlainView(**{each.name: copy(getattr(self, each.name)) for each in fields(PlainView)})

    def device(self, device: str) -> DeviceRecord | None:
        return self.devices.get(device, APPROVED)

    def token_revision(self, token: str) -> int | None:
        return self.tokens.get(token)

    def queued(self, device: str) -> Iterable[CommandRecord]:
        """The queued commands of a device, in the order in which they are sent."""
        found = [each for each in self.commands.values() if each.device == device and each.state is State.QUEUED]
        return sorted(found, key=lambda command: (-command.priority, command.id))

    def next(self, device: str, limit: int) -> Sequence[CommandRecord]:
        return [command for command in self.queued(device) if is_sendable(command, self.now)][:limit]

    def next_due(self, device: str) -> int | None:
        return next_due(self.queued(device), self.now)

    def count_queued(self, device: str) -> int:
        return len(list(self.queued(device)))

    def command(self, command: str) -> CommandRecord | None:
        return self.commands.get(command)

    def by_key(self, created_by: str, device: str, key: str) -> CommandRecord | None:
        wanted = (created_by, device, key)
        found = (each for each in self.commands.values())
        return next((each for each in found if (each.created_by, each.device, each.idempotency_key) == wanted), None)

    def payload_size(self, command: CommandRecord) -> int:
        return len(command.payload or "")

    def payload(self, command: CommandRecord) -> Payload:
        assert command.payload is not None
        return read_payload(command.payload)

    def outline(self, command: CommandRecord) -> Payload:
        return self.payload(command)

    def keep_payload(self, command: str, payload: LargePayload) -> None:
        raise NotImplementedError("no test of a rule has large payloads")

    def load_sent(self, command: str, payload: LargePayload) -> None:
        """All payloads are loaded."""

    def load(self, command: Command) -> None:
        """All payloads and results are loaded."""

    def result(self, command: CommandRecord) -> str | None:
        return self.results.get(command.id)

    def newest(self, device: str) -> Handover | None:
        return self._handover([attempt for attempt in self.attempts if attempt.device == device])

    def by_uuid(self, device: str, uuid: str) -> Handover | None:
        return self._handover([each for each in self.attempts if (each.device, each.uuid) == (device, uuid)])

    def latest_lapsed(self, device: str) -> Handover | None:
        return self._handover(
            [
                attempt
                for attempt in self.attempts
                if attempt.device == device and self.commands[attempt.command].state in (State.UNKNOWN, State.QUEUED)
            ]
        )

    def _handover(self, attempts: Sequence[Attempt]) -> Handover | None:
        if not attempts:
            return None
        return tuple(attempt for attempt in self.attempts if attempt.handover == attempts[-1].handover)

    def members(self, handover: Handover) -> Sequence[Member]:
        return [Member(self.commands[each.command], each.number, each.uuid, each.position) for each in handover]

    def add(self, command: CommandRecord) -> None:
        assert command.id not in self.commands
        self.commands[command.id] = command

    def change(self, command: CommandRecord) -> None:
        assert command.id in self.commands
        self.commands[command.id] = command

    def set_result(self, command: CommandRecord, result: Text | None) -> None:
        self.results[command.id] = to_column(result)

    def new_id(self, device: str) -> str:
        return command_id(len(self.commands) + 1)

    def new_handover(self) -> str:
        self.handovers += 1
        return f"handover {self.handovers}"

    def add_handover(self, device: str, handover: Handover) -> None:
        self.attempts += handover

    def delete_attempt(self, command: CommandRecord) -> None:
        latest = (command.id, command.attempts)
        self.attempts = [attempt for attempt in self.attempts if (attempt.command, attempt.number) != latest]

    def keep_orphan(self, device: str, at: int, reason: str, reference: str | None, size: int, raw: bytes) -> None:
        self.orphans.append(reason)

    def merge_facts(self, device: str, said: Facts) -> None:
        raise NotImplementedError("no test of a rule has a device that describes itself")

    def audit(self, action: str, what: str, before: Fields | None = None, after: Fields | None = None) -> None:
        """Rules are tested without an actor."""

    def record(self, kind: EventType, device: str, /, **data: Any) -> None:
        self.events.append((kind, device, None))

    def record_command(self, kind: EventType, command: CommandRecord, by: str | None = None, /, **data: Any) -> None:
        self.events.append((kind, command.device, command.id))
