"""Events: the entries of the event log."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from pushd.model.epochs import public_id
from pushd.model.lifecycle import State
from pushd.model.timestamps import to_rfc3339


class EventType(StrEnum):
    """The types of events."""

    DEVICE_REGISTERED = "device.registered"
    DEVICE_PENDING = "device.pending"
    DEVICE_APPROVED = "device.approved"
    DEVICE_BLOCKED = "device.blocked"
    DEVICE_DELETED = "device.deleted"
    DEVICE_ONLINE = "device.online"
    DEVICE_OFFLINE = "device.offline"
    DEVICE_SIGNED_OFF = "device.signed_off"
    DEVICE_CHANGED = "device.changed"
    DEVICE_CONFLICT = "device.conflict"
    COMMAND_QUEUED = "command.queued"
    COMMAND_SENT = "command.sent"
    COMMAND_ACKNOWLEDGED = "command.acknowledged"
    COMMAND_SUCCEEDED = "command.succeeded"
    COMMAND_FAILED = "command.failed"
    COMMAND_EXPIRED = "command.expired"
    COMMAND_CANCELLED = "command.cancelled"
    COMMAND_UNKNOWN = "command.unknown"
    COMMAND_RESOLVED = "command.resolved"
    RESULT_ORPHANED = "result.orphaned"
    ALERT_RAISED = "alert.raised"
    ALERT_CLEARED = "alert.cleared"
    ALERT_ACKNOWLEDGED = "alert.acknowledged"
    WEBHOOK_FAILED = "webhook.failed"


STATE_EVENTS = {state: EventType(f"command.{state}") for state in State}
"""The event of a command's new state."""

WITH_RESULT = (
    EventType.COMMAND_SUCCEEDED,
    EventType.COMMAND_FAILED,
    EventType.COMMAND_UNKNOWN,
    EventType.COMMAND_RESOLVED,
)
"""The events whose command may have a result."""


@frozen(kw_only=True)
class Event:
    """An entry of the event log, written in the transaction of the change that it is about.

    ``seq`` ascends in the order of commits, over all epochs; ``at`` is wall milliseconds.
    """

    seq: int
    type: EventType
    at: int
    device: str | None = None
    by: str | None = None
    """The name of the token that caused it; None: a device or the server did."""
    command: str | None = None
    data: Mapping[str, Any] = field(factory=dict)
    epoch: str = ""

    @property
    def public_id(self) -> str:
        """The id that clients know, as ``seq``: unique for ever."""
        return public_id(self.epoch, self.seq)


def to_json(event: Event) -> dict[str, Any]:
    """The fields of an event as the API, webhooks and streams show them; ``seq`` is a string, and opaque."""
    return {
        "seq": event.public_id,
        "type": event.type,
        "at": to_rfc3339(event.at),
        "device": event.device,
        "by": event.by,
        "command": event.command,
        "data": event.data,
    }
