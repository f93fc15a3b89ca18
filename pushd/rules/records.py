"""What rules decide on: commands, the attempts to deliver them, and devices, as immutable tuples.

Tuples, because each step of a command makes a new one, and a server may hold a million of them.
"""

from typing import Any, NamedTuple

from pushd.model.device import Admission, PresenceState
from pushd.model.lifecycle import Delivery, State


class CommandRecord(NamedTuple):
    """A command without its result; durations in seconds, timestamps in wall milliseconds unless noted."""

    id: str
    device: str
    payload: str | None
    """Its JSON text; None where only the database has it."""
    endpoint: str | None
    endpoints: str | None
    """Those of a batch, as the JSON text of a list."""
    delivery: Delivery
    priority: int
    ttl: float
    not_before: int | None
    created_at: int
    expires_at: int
    lease: float
    deadline: float
    created_by: str
    resend_of: str | None
    idempotency_key: str | None
    fingerprint: bytes | None
    """SHA-256 of the request that came with the idempotency key."""
    trace: str | None

    state: State
    attempts: int
    max_attempts: int
    expires_elapsed: int
    """When its time to live is over, in elapsed milliseconds."""
    lease_until: int | None = None
    """In steady milliseconds; set exactly while the command is in flight."""
    deadline_until: int | None = None
    """In steady milliseconds; no lease of this attempt goes beyond."""
    sent_at: int | None = None
    acknowledged_at: int | None = None
    finished_at: int | None = None
    error: str | None = None
    late: bool = False
    evidence: str | None = None
    matched_by: str | None = None
    resent_as: str | None = None
    has_result: bool = False
    version: int = 0
    """Counts its changes."""
    handover: str | None = None
    """The claim by which it was sent last; None if that is not known, or it was never sent."""
    sent_before: int | None = None
    """When it was sent the time before the last."""

    def changed(self, **fields: Any) -> "CommandRecord":
        """The command after a change of these fields, in its next version if none is given."""
        values: list[Any] = list(self)
        values[_PLACES["version"]] += 1
        for name, value in fields.items():
            values[_PLACES[name]] = value
        return tuple.__new__(CommandRecord, values)  # one call: _replace() takes twice as long


_PLACES = {name: place for place, name in enumerate(CommandRecord._fields)}


class Attempt(NamedTuple):
    """A command in the answer to a poll; ``number`` counts from 1, ``sent_at`` is wall milliseconds."""

    command: str
    number: int
    device: str
    uuid: str | None
    """The device's own name for the poll."""
    sent_at: int
    handover: str
    """The id of the claim: the same for all commands of one answer."""
    position: int | None
    """Its position in an answer with several commands, from 1."""


Handover = tuple[Attempt, ...]
"""The attempts of one answer, by their position; never empty."""


class DeviceRecord(NamedTuple):
    """What decides whether commands may be queued for a device, and sent to it."""

    admission: Admission
    presence: PresenceState
    is_served: bool = True
    """Whether it polls at this process, and not at another one that uses the same database."""
    revision: int | None = None
    """As of :class:`pushd.model.device.Device`."""


class Member(NamedTuple):
    """A command with the attempt that a result answers."""

    command: CommandRecord
    number: int
    """Of the attempt."""
    uuid: str | None
    position: int | None
