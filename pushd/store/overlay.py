"""What one transaction has changed in the open commands: no other sees it before it is committed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any, TypeVar

from attrs import define, field, frozen

from pushd.model.audit import Fields
from pushd.model.command import Command, LargePayload, Payload
from pushd.model.errors import Unavailable
from pushd.model.event import EventType
from pushd.model.facts import Facts
from pushd.model.large_text import REFERENCE, LargeText, Text, to_column
from pushd.model.timestamps import Now
from pushd.model.uuid7 import IdSource
from pushd.rules.queueing import is_sendable, next_due
from pushd.rules.records import Attempt, CommandRecord, DeviceRecord, Handover, Member
from pushd.rules.replies import to_endpoints
from pushd.rules.time_limits import renewed
from pushd.rules.view import Rule
from pushd.store import command_rows as rows
from pushd.store import large_texts
from pushd.store.open_commands import NOT_LOADED, DeviceCommands, NotLoaded, OpenCommands, is_moved
from pushd.store.rows import read_payload
from pushd.store.transaction import ITransaction, record
from pushd.store.transactions import tokens
from pushd.store.transactions.audit import record_audit
from pushd.store.transactions.facts import merge_facts

T = TypeVar("T")


@frozen
class NamedValues:
    """What was read by name before the rules decide; None: there is none. What is not in here is read when it is
    looked at.
    """

    commands: Mapping[str, CommandRecord | None] = field(factory=dict)
    keys: Mapping[tuple[str, str, str], str | None] = field(factory=dict)
    """The ids of commands, by who created them, their device and their idempotency key."""
    handovers: Mapping[tuple[str, str], Handover | None] = field(factory=dict)
    """By device and uuid."""
    tokens: Mapping[str, int | None] = field(factory=dict)
    """Their revisions."""


@define(eq=False)
class Overlay:
    """A :class:`pushd.rules.view.View` of the open commands, under what its transaction has changed.

    What is not in memory is read by name when a rule looks at it, unless it is in ``named``: SQLite answers in the
    same process, so one query for a group saves nothing, and most rules read nothing but memory. What rules
    change is saved together: before a statement that reads it, and before the commit.
    """

    base: OpenCommands
    tx: ITransaction
    ids: IdSource
    """Of new commands."""
    handover_ids: IdSource
    """They ascend: each random one would change another page of the index, which then had to be written."""
    began: float = 0.0
    named: NamedValues = field(factory=NamedValues)
    now: Now = field(init=False)
    _changed: dict[str, CommandRecord] = field(factory=dict, init=False)
    _unsaved: dict[str, int | None] = field(factory=dict, init=False)
    """The changed commands that are to be saved, with the versions in the database; None: they are new."""
    _loaded: dict[str, CommandRecord | None] = field(factory=dict, init=False)
    """Commands that are not in memory, and were read by name; None: there is none."""
    _results: dict[str, str | None] = field(factory=dict, init=False)
    _keys: dict[tuple[str, str, str], str] = field(factory=dict, init=False)
    _devices: dict[str, DeviceCommands] = field(factory=dict, init=False)
    _device_records: dict[str, DeviceRecord | NotLoaded | None] = field(factory=dict, init=False)
    _attempts: dict[tuple[str, int], Attempt] = field(factory=dict, init=False)
    _deleted_attempts: list[tuple[str, int]] = field(factory=list, init=False)
    _orphans: list[rows.OrphanRow] = field(factory=list, init=False)
    changes: int = field(default=0, init=False)
    """Counts the changes."""

    @now.default
    def _now(self) -> Now:
        return self.tx.now

    def device(self, device: str) -> DeviceRecord | None:
        changed, stored = self._device_records, self.base.device_records
        found = changed[device] if device in changed else stored.get(device, NOT_LOADED)
        if isinstance(found, NotLoaded):
            found = self._device_records[device] = rows.device_by_id(self.tx, device)
        return found

    def token_revision(self, token: str) -> int | None:
        known = self.named.tokens
        return known[token] if token in known else tokens.token_revision(self.tx, token)

    def begin_statement(self) -> None:
        """Before an operation that is no rule: it may read what rules changed, and change what was read by name."""
        self.save()
        self.named, self._loaded = NamedValues(), {}

    def reload_device(self, device: str) -> None:
        """A statement has changed a device, or deleted it."""
        self._device_records[device] = NOT_LOADED

    def queued(self, device: str) -> Iterator[CommandRecord]:
        """The queued commands of a device: highest priority first, then the oldest."""
        found = self._devices.get(device)
        if found is None:
            return self.base.queued(device)
        return (self._open(command) for _, command in found.queue)

    def next(self, device: str, limit: int) -> Sequence[CommandRecord]:
        now, found = self.tx.now, []
        for command in self.queued(device):
            if is_sendable(command, now):
                found.append(command)
                if len(found) == limit:
                    break
        return found

    def next_due(self, device: str) -> int | None:
        return next_due(self.queued(device), self.tx.now)

    def count_queued(self, device: str) -> int:
        found = self._devices.get(device)
        return self.base.count_queued(device) if found is None else len(found.queue)

    def _open(self, command: str) -> CommandRecord:
        """A command that is open."""
        return self._changed.get(command) or self.base.commands[command]

    def command(self, command: str) -> CommandRecord | None:
        found = self._changed.get(command) or self.base.commands.get(command)
        if found is not None:
            return found
        if command in self.named.commands:
            return self.named.commands[command]
        if command not in self._loaded:
            self._loaded[command] = rows.command_by_id(self.tx, command)
        return self._loaded[command]

    def by_key(self, created_by: str, device: str, key: str) -> CommandRecord | None:
        command = self._keys.get((created_by, device, key)) or self._by_key(created_by, device, key)
        return None if command is None else self.command(command)

    def _by_key(self, created_by: str, device: str, key: str) -> str | None:
        if (created_by, device, key) in self.named.keys:
            return self.named.keys[created_by, device, key]
        return rows.id_by_key(self.tx, created_by, device, key)

    def payload_size(self, command: CommandRecord) -> int:
        return len(self._payload_text(command))

    def payload(self, command: CommandRecord) -> Payload:
        return read_payload(self._payload_text(command))

    def _payload_text(self, command: CommandRecord) -> str:
        return rows.payload_of(self.tx, command.id) if command.payload is None else command.payload

    def outline(self, command: CommandRecord) -> Payload:
        payload = self.payload(command)
        return large_texts.outline(self.tx, command.id) if type(payload) is LargePayload else payload

    def load_sent(self, command: str, payload: LargePayload) -> None:
        large_texts.load(self.tx, large_texts.SENT, command, payload.sent)

    def load(self, command: Command) -> None:
        if type(command.payload) is LargePayload:
            large_texts.load(self.tx, large_texts.PAYLOAD, command.id, command.payload.text)
        if isinstance(command.result, LargeText):
            large_texts.load(self.tx, large_texts.RESULT, command.id, command.result)

    def result(self, command: CommandRecord) -> str | None:
        if command.id in self._results:
            return self._results[command.id]
        if not command.has_result:
            return None
        return rows.result_of(self.tx, command.id)

    def newest(self, device: str) -> Handover | None:
        found = self._newest(device)
        if isinstance(found, NotLoaded):
            self.save()
            found = rows.newest_handover(self.tx, device)
            if found is not None or self._is_known(device):  # any client may name devices that do not exist
                self._of_device(device).newest = found
        return found

    def _newest(self, device: str) -> Handover | NotLoaded | None:
        found = self._devices.get(device) or self.base.devices.get(device)
        return NOT_LOADED if found is None else found.newest

    def by_uuid(self, device: str, uuid: str) -> Handover | None:
        newest = self._newest(device)
        if newest is None or (not isinstance(newest, NotLoaded) and newest[0].uuid == uuid):
            return newest
        if (device, uuid) in self.named.handovers and device not in self._devices:
            return self.named.handovers[device, uuid]
        self.save()
        return rows.handover_by_uuid(self.tx, device, uuid)

    def latest_lapsed(self, device: str) -> Handover | None:
        self.save()
        return rows.latest_lapsed_handover(self.tx, device)

    def members(self, handover: Handover) -> Sequence[Member]:
        found = ((attempt, self.command(attempt.command)) for attempt in handover)
        return [
            Member(command, attempt.number, attempt.uuid, attempt.position)
            for attempt, command in found
            if command is not None
        ]

    def add(self, command: CommandRecord) -> None:
        if command.id in self._changed or command.id in self.base.commands:
            raise Unavailable(f"Unable to queue a command: the id {command.id} is taken.")
        self._unsaved[command.id] = None
        if command.idempotency_key is not None:
            self._keys[command.created_by, command.device, command.idempotency_key] = command.id
        self._put(None, command)

    def change(self, command: CommandRecord) -> None:
        name = command.id
        before = self._changed.get(name) or self.base.commands.get(name) or self.command(name)
        assert before is not None, "what is changed was seen before"
        self._unsaved.setdefault(name, before.version)
        self._put(before, command)

    def _put(self, before: CommandRecord | None, command: CommandRecord) -> None:
        self.changes += 1
        self._changed[command.id] = command
        if before is None or is_moved(before, command):
            self._of_device(command.device).move(before, command)

    def keep_payload(self, command: str, payload: LargePayload) -> None:
        large_texts.keep_payload(self.tx, command, payload)

    def set_result(self, command: CommandRecord, result: Text | None) -> None:
        before = self.result(command) if command.has_result else None
        if isinstance(result, LargeText):
            large_texts.keep_result(self.tx, command.id, result)
        elif before is not None and before.startswith(REFERENCE):
            large_texts.drop_result(self.tx, command.id)
        self._results[command.id] = to_column(result)

    def new_id(self, device: str) -> str:
        made, last = self.ids.make(self.now.wall), self.base.last_ids.get(device, "")
        if made <= last:  # another node has made that one
            self.ids.after(last)
            made = self.ids.make(self.now.wall)
        return made

    def new_handover(self) -> str:
        return self.handover_ids.make(self.now.wall)

    def add_handover(self, device: str, handover: Handover) -> None:
        for attempt in handover:
            self._attempts[attempt.command, attempt.number] = attempt
        self._of_device(device).newest = handover

    def delete_attempt(self, command: CommandRecord) -> None:
        self.changes += 1
        attempt = command.id, command.attempts
        if self._attempts.pop(attempt, None) is None:
            self._deleted_attempts.append(attempt)
        self.reload_newest(command.device)

    def reload_newest(self, device: str) -> None:
        """Attempts of a device were deleted, of which the newest may be one."""
        if self._is_known(device):
            self._of_device(device).newest = NOT_LOADED

    def _is_known(self, device: str) -> bool:
        return device in self._devices or device in self.base.devices

    def forget(self, purged: Mapping[str, str]) -> None:
        """Commands that had ended are being purged, here with their devices; the newest attempts may be theirs."""
        for command, device in purged.items():
            newest = self._newest(device)
            if not isinstance(newest, NotLoaded) and any(attempt.command == command for attempt in newest or ()):
                self.reload_newest(device)

    def keep_orphan(self, device: str, at: int, reason: str, reference: str | None, size: int, raw: bytes) -> None:
        self.changes += 1
        self._orphans.append((device, at, reason, reference, size, raw))

    def merge_facts(self, device: str, said: Facts) -> None:
        merge_facts(self.tx, device, said)

    def audit(self, action: str, what: str, before: Fields | None = None, after: Fields | None = None) -> None:
        record_audit(self.tx, action, what, before, after)

    def record(self, kind: EventType, device: str, /, **data: Any) -> None:
        self.changes += 1
        record(self.tx, kind, device, **data)

    def record_command(self, kind: EventType, command: CommandRecord, by: str | None = None, /, **data: Any) -> None:
        self.changes += 1
        if None in data.values():
            data = {name: value for name, value in data.items() if value is not None}
        if command.endpoint is None:
            data["endpoints"] = to_endpoints(command.endpoints)
        else:
            data["endpoint"] = command.endpoint
        if command.trace is not None:
            data["trace"] = command.trace
        self.tx.record(self.now.wall, kind, command.device, command.id, data, by)  # commands' events are not limited

    def _of_device(self, device: str) -> DeviceCommands:
        found = self._devices.get(device)
        if found is None:
            stored = self.base.devices.get(device)
            found = self._devices[device] = DeviceCommands() if stored is None else stored.copy()
        return found

    @property
    def is_unsaved(self) -> bool:
        """Whether there is something to save."""
        return bool(self._unsaved or self._attempts or self._deleted_attempts or self._orphans)

    def save(self) -> None:
        """Write what rules have changed since the last time.

        :raises StaleCommands: if a command in the database is not the one that was changed.
        """
        if self._unsaved:
            self._save_commands()
        if self._deleted_attempts:
            rows.delete_attempts(self.tx, self._deleted_attempts)
            self._deleted_attempts = []
        if self._attempts:
            rows.add_attempts(self.tx, list(self._attempts.values()))
            self._attempts = {}
        if self._orphans:
            rows.keep_orphans(self.tx, self._orphans)
            self._orphans = []

    def _save_commands(self) -> None:
        new: list[CommandRecord] = []
        changed: list[tuple[CommandRecord, int]] = []
        with_result: list[tuple[str | None, CommandRecord, int]] = []
        for command, before in self._unsaved.items():
            unsaved = self._changed[command]
            if before is None:
                new.append(unsaved)
            if command in self._results:
                with_result.append((self._results[command], unsaved, unsaved.version if before is None else before))
            elif before is not None:
                changed.append((unsaved, before))
        if new:
            rows.insert_commands(self.tx, new)
        if changed:
            rows.update_commands(self.tx, changed)
        if with_result:
            rows.update_commands_with_results(self.tx, with_result)
        self._unsaved, self._results = {}, {}

    def copy(self) -> "Overlay":
        """A copy, to return to if an operation fails after it has changed something."""
        copied = copy(self)
        for name in _CONTAINERS:
            setattr(copied, name, getattr(self, name).copy())
        copied._devices = {device: commands.copy() for device, commands in self._devices.items()}
        return copied

    def load_all(self) -> None:
        """Read all open commands, at the start; their leases are renewed, in memory alone. Ids follow those that there
        are.
        """
        self.ids.after(rows.last_id(self.tx))
        now = self.now
        self.base.load(renewed(command, now) for command in rows.open_commands(self.tx))

    def load_open(self) -> None:
        """Read all open commands, as they are."""
        self.base.load(rows.open_commands(self.tx))

    def reload_all(self) -> None:
        """Read all open commands again; what is known of a command in the same version is kept, with its lease."""
        self.base.load(rows.open_commands_again(self.tx, self.base.commands))

    def open(self) -> list[CommandRecord]:
        """All open commands."""
        changed = (command for command in self._changed.values() if command.finished_at is None)
        return [*changed, *(each for command, each in self.base.commands.items() if command not in self._changed)]

    def open_of(self, device: str) -> list[CommandRecord]:
        """The open commands of a device."""
        found = self._devices.get(device) or self.base.devices.get(device)
        in_flight = () if found is None else map(self._open, found.out)
        return [*self.queued(device), *in_flight]

    def touched(self) -> set[str]:
        """The devices whose commands, or which themselves, were changed."""
        reloaded = (device for device, found in self._device_records.items() if isinstance(found, NotLoaded))
        return {*(command.device for command in self._changed.values()), *reloaded}

    def changed_devices(self) -> Iterator[tuple[str, Sequence[CommandRecord], Sequence[CommandRecord]]]:
        """The devices of changed commands, each with what is queued for it and what it has in flight."""
        for device in {command.device for command in self._changed.values()}:
            found = self._of_device(device)
            yield device, list(self.queued(device)), list(map(self._open, found.out))

    def merge(self) -> None:
        """Take over into memory what was changed: it is committed."""
        if self._changed or self._devices or self._device_records:
            self.base.merge(self._changed.values(), self._devices, self._device_records)


def decide(tx: ITransaction, rule: Rule[T]) -> T:
    """The operation that lets a rule decide."""
    return rule.decide(tx.commands)


def decide_all(tx: ITransaction, rules: Iterable[Rule[object]]) -> None:
    """The operation that lets several rules decide; what they return is dropped."""
    for rule in rules:
        rule.decide(tx.commands)


_CONTAINERS = "_changed _unsaved _loaded _results _keys _device_records _attempts _deleted_attempts _orphans".split()
