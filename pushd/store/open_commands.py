"""All open commands, in memory: what is committed. Only a committed transaction changes it, in one step."""

import heapq
from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import takewhile
from operator import attrgetter
from typing import Final, Generic, Protocol, TypeVar

from attrs import define, field, fields

from pushd.model.device import QueueDepth
from pushd.model.lifecycle import OUT, State
from pushd.model.timestamps import Now
from pushd.rules.queueing import next_due
from pushd.rules.records import CommandRecord, DeviceRecord, Handover

MAX_PAYLOADS = 64 * 1024 * 1024
"""Characters of payloads that are kept in memory together; the rest is read from the database when it is needed."""

IDLE_DEVICES = 10_000
"""Devices without open commands whose newest handover is kept."""


class NotLoaded:
    """Stands for a value that only the database has."""


NOT_LOADED: Final = NotLoaded()


def is_moved(before: CommandRecord, after: CommandRecord) -> bool:
    """Whether a command has come to the queue or left it, or is in flight now and was not, or the other way round."""
    was, now = before.state, after.state
    return was is not now and not (was in OUT and now in OUT)


@define(eq=False)
class DeviceCommands:
    """The open commands of one device, by id."""

    queue: list[tuple[int, str]] = field(factory=list)
    """In the order in which they are sent: negative priority and id."""
    out: dict[str, None] = field(factory=dict)
    """In flight."""
    newest: Handover | NotLoaded | None = NOT_LOADED

    def copy(self) -> "DeviceCommands":
        """A copy that can be changed."""
        return DeviceCommands(self.queue.copy(), self.out.copy(), self.newest)

    def move(self, before: CommandRecord | None, after: CommandRecord) -> None:
        """Follow a command from one state, or None if it is new, to another."""
        was = None if before is None else before.state
        if was is State.QUEUED:
            if after.state is not State.QUEUED:
                self.queue.remove((-after.priority, after.id))
        elif after.state is State.QUEUED:
            insort(self.queue, (-after.priority, after.id))
        if after.state in OUT:
            self.out[after.id] = None
        elif was in OUT:
            del self.out[after.id]


class HasId(Protocol):
    """A value with an id."""

    @property
    def id(self) -> str:
        """The id."""


TimedT = TypeVar("TimedT", bound=HasId)


@define(eq=False)
class Timeouts(Generic[TimedT]):
    """Values, as commands, by the moment at which something is to happen with them, in milliseconds of one clock."""

    _moment: Callable[[TimedT], int | None]
    """The moment of a value; None: nothing happens with it."""
    _heap: list[tuple[int, str]] = field(factory=list, init=False)
    """May also have former moments of a value."""

    def add(self, value: TimedT) -> None:
        """Note the moment of a value, if it has one."""
        moment = self._moment(value)
        if moment is not None:
            heapq.heappush(self._heap, (moment, value.id))

    def due(self, values: Mapping[str, TimedT], now: int, limit: int) -> list[str]:
        """The ids of up to ``limit`` values whose moment has come, the earliest first; they stay noted."""
        self._compact(values)
        found: dict[str, int] = {}
        while self._heap and self._heap[0][0] <= now and len(found) < limit:
            moment, name = heapq.heappop(self._heap)
            stored = values.get(name)
            if stored is not None and self._moment(stored) == moment:
                found[name] = moment
        for name, moment in found.items():
            heapq.heappush(self._heap, (moment, name))
        return list(found)

    def _compact(self, values: Mapping[str, TimedT]) -> None:
        """Drop former moments once they are most of what is noted."""
        if len(self._heap) > 2 * len(values) + 1000:
            moments = ((self._moment(value), value.id) for value in values.values())
            self.load([(moment, name) for moment, name in moments if moment is not None])

    def load(self, moments: list[tuple[int, str]]) -> None:
        """Note these moments of values, by their ids, and no others."""
        self._heap = moments
        heapq.heapify(moments)


def _expiry(command: CommandRecord) -> int | None:
    return command.expires_elapsed if command.state is State.QUEUED else None


_lease: Callable[[CommandRecord], int | None] = attrgetter("lease_until")


def _size(command: CommandRecord) -> int:
    """Characters of the payload that is in memory."""
    return 0 if command.payload is None else len(command.payload)


@define(eq=False)
class OpenCommands:
    """The one index of open commands: by id, by device, and by when their lease or time to live ends."""

    commands: dict[str, CommandRecord] = field(factory=dict, init=False)
    devices: dict[str, DeviceCommands] = field(factory=dict, init=False)
    device_records: dict[str, DeviceRecord] = field(factory=dict, init=False)
    """Of the devices that were asked for."""
    last_ids: Mapping[str, str] = field(factory=dict, init=False)
    """By device, the greatest id of a command, where other processes may have made it."""
    _leases: Timeouts[CommandRecord] = field(factory=lambda: Timeouts(_lease), init=False)
    _expiries: Timeouts[CommandRecord] = field(factory=lambda: Timeouts(_expiry), init=False)
    _payload_size: int = field(default=0, init=False)
    _idle: dict[str, None] = field(factory=dict, init=False)
    """The devices without open commands, the one that became so first at the front."""

    def count_queued(self, device: str) -> int:
        """How many commands of a device are queued."""
        found = self.devices.get(device)
        return 0 if found is None else len(found.queue)

    def next_due(self, device: str, now: Now) -> int | None:
        """When the next command of a device becomes due, in wall milliseconds, now at the earliest; None: never."""
        return next_due(self.queued(device), now)

    def devices_with_queue(self) -> list[str]:
        """The devices that have commands queued."""
        return [device for device, commands in self.devices.items() if commands.queue]

    def depth(self, device: str) -> QueueDepth:
        """How many commands of a device are queued, and how many in flight."""
        found = self.devices.get(device)
        return QueueDepth() if found is None else QueueDepth(queue=len(found.queue), in_flight=len(found.out))

    def count_ahead(self, command: str, now: Now) -> int:
        """How many commands are sent before a queued one."""
        stored = self.commands.get(command)
        if stored is None or stored.state is not State.QUEUED:
            return 0
        before = takewhile(lambda other: other is not stored, self.queued(stored.device))
        return sum((other.not_before or 0) <= now.wall for other in before)

    def queued(self, device: str) -> Iterator[CommandRecord]:
        """The queued commands of a device: highest priority first, then the oldest."""
        found = self.devices.get(device)
        return iter(()) if found is None else (self.commands[command] for _, command in found.queue)

    def lapsed(self, steady: int, limit: int) -> list[str]:
        """Up to ``limit`` commands whose lease has run out."""
        return self._leases.due(self.commands, steady, limit)

    def expired(self, elapsed: int, limit: int) -> list[str]:
        """Up to ``limit`` queued commands whose time to live is over by elapsed time."""
        return self._expiries.due(self.commands, elapsed, limit)

    def load(self, commands: Iterable[CommandRecord]) -> None:
        """Take what the database has in place of what was known, in one step: the reactor may read it meanwhile."""
        loaded = OpenCommands()
        loaded._fill(commands)
        for each in fields(OpenCommands):
            setattr(self, each.name, getattr(loaded, each.name))

    def _fill(self, commands: Iterable[CommandRecord]) -> None:
        loaded = list(map(self._bounded, commands))  # first: one pass for each index is faster than all in one
        self.commands = {command.id: command for command in loaded}
        devices: defaultdict[str, DeviceCommands] = defaultdict(DeviceCommands)
        for command in loaded:
            if command.state is State.QUEUED:
                devices[command.device].queue.append((-command.priority, command.id))
            else:
                devices[command.device].out[command.id] = None
        for of_device in devices.values():
            of_device.queue.sort()
        self.devices = dict(devices)
        self._leases.load([(each.lease_until, each.id) for each in loaded if each.lease_until is not None])
        self._expiries.load([(each.expires_elapsed, each.id) for each in loaded if each.state is State.QUEUED])

    def merge(
        self,
        changed: Iterable[CommandRecord],
        devices: Mapping[str, DeviceCommands],
        device_records: Mapping[str, DeviceRecord | NotLoaded | None],
    ) -> None:
        """Take over what a transaction has committed."""
        for command in changed:
            self._merge_command(command)
        for device, commands in devices.items():
            self._merge_device(device, commands)
        for device, record in device_records.items():
            if record is None or isinstance(record, NotLoaded):  # any client may name devices that do not exist
                self.device_records.pop(device, None)
            else:
                self.device_records[device] = record

    def _merge_command(self, command: CommandRecord) -> None:
        before = self.commands.get(command.id)
        if command.finished_at is not None:
            if before is not None:
                self._payload_size -= _size(before)
                del self.commands[command.id]
            return
        if before is None or before.payload is not command.payload:
            self._payload_size -= 0 if before is None else _size(before)
            command = self._bounded(command)
        self.commands[command.id] = command
        if command.state is State.QUEUED:
            if before is None or before.state is not State.QUEUED or before.expires_elapsed != command.expires_elapsed:
                self._expiries.add(command)
        else:
            self._leases.add(command)

    def _bounded(self, command: CommandRecord) -> CommandRecord:
        """A command without its payload if those in memory are large enough."""
        size = _size(command)
        if self._payload_size + size > MAX_PAYLOADS:
            command, size = command._replace(payload=None), 0
        self._payload_size += size
        return command

    def _merge_device(self, device: str, commands: DeviceCommands) -> None:
        self.devices[device] = commands
        self._idle.pop(device, None)
        if not (commands.queue or commands.out):
            self._idle[device] = None
            if len(self._idle) > IDLE_DEVICES:
                oldest = next(iter(self._idle))
                del self._idle[oldest], self.devices[oldest]
