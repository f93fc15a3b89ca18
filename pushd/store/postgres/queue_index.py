"""What a process knows of the queues of devices without asking the database: so an idle poll costs it nothing.

It may be late by what other nodes have committed and not announced yet: it decides only whether the database is asked.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from attrs import define, field, frozen

from pushd.model.device import QueueDepth
from pushd.model.lifecycle import State
from pushd.model.timestamps import Now
from pushd.rules.queueing import next_due
from pushd.rules.records import CommandRecord
from pushd.store.open_commands import Timeouts
from pushd.store.transaction import ITransaction, Statement

QUEUED_TIMES = "device, state, not_before, expires_at, expires_elapsed, lease_until"
_ALL = Statement("read the queues", f"SELECT {QUEUED_TIMES} FROM command WHERE finished_at IS NULL")
_SOME = Statement(
    "read some queues",
    f"SELECT {QUEUED_TIMES} FROM command WHERE finished_at IS NULL"
    " AND device IN (SELECT value FROM json_each(:devices))",
)
_LAST_EVENT = Statement("read the number of the last event", "SELECT last FROM feed")


class QueuedTimes(NamedTuple):
    """When a queued command may be sent."""

    not_before: int | None
    expires_at: int
    expires_elapsed: int


@frozen
class DeviceQueue:
    """The open commands of a device, as far as memory knows them."""

    id: str
    """Of the device."""
    queued: Sequence[QueuedTimes] = ()
    in_flight: int = 0
    lease_until: int | None = None
    """When the first lease runs out, or earlier."""

    @classmethod
    def of(cls, device: str, queued: Iterable[CommandRecord], out: Sequence[CommandRecord]) -> "DeviceQueue":
        """The queue of a device with these commands."""
        return cls(
            device,
            tuple(QueuedTimes(each.not_before, each.expires_at, each.expires_elapsed) for each in queued),
            len(out),
            min((each.lease_until for each in out if each.lease_until is not None), default=None),
        )

    @property
    def expires(self) -> int | None:
        """When the first queued command expires, in elapsed time."""
        return min((each.expires_elapsed for each in self.queued), default=None)


def read_queues(tx: ITransaction, devices: Collection[str] | None) -> tuple[Mapping[str, DeviceQueue], int]:
    """The queues of devices (None: of all that have one), and the number of the last event of which they know."""
    [last] = tx.rows(_LAST_EVENT)
    rows = tx.tuples(_ALL) if devices is None else tx.tuples(_SOME, devices=json.dumps(list(devices)))
    return to_queues(devices or (), rows), last["last"]


def to_queues(devices: Iterable[str], rows: Iterable[Sequence[Any]]) -> Mapping[str, DeviceQueue]:
    """The queues of devices, and of all others that have rows of :data:`QUEUED_TIMES`."""
    queued: dict[str, list[QueuedTimes]] = {device: [] for device in devices}
    leases: dict[str, list[int]] = {}
    for device, state, not_before, expires_at, expires_elapsed, lease_until in rows:
        of_device = queued.setdefault(device, [])
        if state == State.QUEUED:
            of_device.append(QueuedTimes(not_before, expires_at, expires_elapsed))
        else:
            leases.setdefault(device, []).append(lease_until)
    found: dict[str, DeviceQueue] = {}
    for device, times in queued.items():
        out = leases.get(device, [])
        found[device] = DeviceQueue(device, tuple(times), len(out), min(out, default=None))
    return found


_EMPTY = DeviceQueue("")


@define(eq=False)
class QueueIndex:
    """The queues of all devices that have open commands."""

    queues: dict[str, DeviceQueue] = field(factory=dict, init=False)
    _as_of: dict[str, int] = field(factory=dict, init=False)
    """The number of the event as of which what is known of a device was read, or changed by this process."""
    _read_at: int = field(default=0, init=False)
    """The same of devices that are not in there."""
    _leases: Timeouts[DeviceQueue] = field(factory=lambda: Timeouts(_lease), init=False)
    _expiries: Timeouts[DeviceQueue] = field(factory=lambda: Timeouts(_expiry), init=False)

    def count_queued(self, device: str) -> int:
        """How many commands of a device are queued."""
        return len(self.queues.get(device, _EMPTY).queued)

    def next_due(self, device: str, now: Now) -> int | None:
        """When the next command of a device becomes due, in wall milliseconds, now at the earliest; None: never."""
        return next_due(self.queues.get(device, _EMPTY).queued, now)

    def devices_with_queue(self) -> list[str]:
        """The devices that have commands queued."""
        return [device for device, queue in self.queues.items() if queue.queued]

    def depth(self, device: str) -> QueueDepth:
        """How many commands of a device are queued, and how many in flight."""
        queue = self.queues.get(device, _EMPTY)
        return QueueDepth(queue=len(queue.queued), in_flight=queue.in_flight)

    def lapsed(self, steady: int, limit: int) -> list[str]:
        """Up to ``limit`` devices that may have commands whose lease has run out."""
        return self._leases.due(self.queues, steady, limit)

    def expired(self, elapsed: int, limit: int) -> list[str]:
        """Up to ``limit`` devices that may have queued commands whose time to live is over."""
        return self._expiries.due(self.queues, elapsed, limit)

    def update(self, queues: Mapping[str, DeviceQueue], as_of: int) -> None:
        """Take over the queues of devices as of the number of an event, unless something newer is known."""
        for device, queue in queues.items():
            if as_of >= self._as_of.get(device, self._read_at):
                self._put(queue, as_of)

    def load(self, queues: Mapping[str, DeviceQueue], as_of: int) -> None:
        """Take over the queues of all devices, unless something newer is known of some."""
        newer = {device: number for device, number in self._as_of.items() if number > as_of}
        for device in [device for device in self.queues if device not in queues and device not in newer]:
            self._put(DeviceQueue(device), as_of)
        self.update(queues, as_of)
        self._read_at = max(self._read_at, as_of)
        self._as_of = newer

    def _put(self, queue: DeviceQueue, as_of: int) -> None:
        self._as_of[queue.id] = as_of
        if not (queue.queued or queue.in_flight):
            self.queues.pop(queue.id, None)
            return
        self.queues[queue.id] = queue
        self._leases.add(queue)
        self._expiries.add(queue)


def _lease(queue: DeviceQueue) -> int | None:
    return queue.lease_until


def _expiry(queue: DeviceQueue) -> int | None:
    return queue.expires
