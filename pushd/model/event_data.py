"""What the ``data`` of events has, by their type; a field without a value is left out."""

from collections.abc import Mapping
from typing import Literal, NotRequired, TypedDict

from pushd.model.alert import AlertKind
from pushd.model.device import PresenceState
from pushd.model.event import EventType
from pushd.model.facts import Fact
from pushd.model.lifecycle import State


class DeviceData(TypedDict):
    """Of an event about a device: what people know it by, as it was then."""

    name: str
    site: str | None
    tags: list[str]


class DeviceChangedData(DeviceData):
    """Fields of a device have changed."""

    fields: list[str]
    facts: NotRequired[dict[str, Fact]]


class DeviceSeenData(DeviceData):
    """The device has reported, or signed off; or events that say so were suppressed."""

    after: NotRequired[PresenceState]
    suppressed: NotRequired[int]


class DeviceOfflineData(DeviceData):
    """The device has not reported in time; or it was so after events were suppressed."""

    heartbeat_timeout: NotRequired[float]
    suppressed: NotRequired[int]


class DeviceConflictData(DeviceData):
    """Two devices may share one id."""

    takeovers: int
    suppressed: NotRequired[int]


class CommandData(TypedDict):
    """Of an event about a command: what it calls, and what its sender notes about it."""

    endpoint: NotRequired[str]
    endpoints: NotRequired[list[str]]
    trace: NotRequired[str]


class CommandQueuedData(CommandData):
    """A command was accepted, or is queued again."""

    resend_of: NotRequired[str]
    reason: NotRequired[Literal["unsent", "lapsed"]]
    attempts: NotRequired[int]
    late: NotRequired[bool]


class CommandSentData(CommandData):
    """A command was claimed for a poll."""

    attempt: int


class CommandStateData(CommandData):
    """A command is in the state that the type names."""

    attempts: int
    error: NotRequired[str]
    late: NotRequired[bool]


class CommandResolvedData(CommandData):
    """An operator has set the outcome of a command."""

    state: Literal[State.SUCCEEDED, State.FAILED]
    note: NotRequired[str]


class ResultOrphanedData(TypedDict):
    """A result matches no command."""

    reason: str
    reference: NotRequired[str]
    size: int
    suppressed: NotRequired[int]


class AlertData(TypedDict):
    """Of an event about an alert."""

    alert: str
    kind: AlertKind
    devices: NotRequired[list[str]]
    count: NotRequired[int]


class AlertRaisedData(AlertData):
    """An alert was raised."""

    address: NotRequired[str]
    site: NotRequired[str]
    webhook: NotRequired[str]


class AlertClearedData(AlertRaisedData):
    """The cause of an alert is over."""

    duration: float


class WebhookFailedData(TypedDict):
    """A webhook was disabled, because an event could not be delivered."""

    webhook: str
    reason: str
    seq: str


EVENT_DATA: Mapping[EventType, type] = {
    EventType.DEVICE_REGISTERED: DeviceData,
    EventType.DEVICE_PENDING: DeviceData,
    EventType.DEVICE_APPROVED: DeviceData,
    EventType.DEVICE_BLOCKED: DeviceData,
    EventType.DEVICE_DELETED: DeviceData,
    EventType.DEVICE_ONLINE: DeviceSeenData,
    EventType.DEVICE_OFFLINE: DeviceOfflineData,
    EventType.DEVICE_SIGNED_OFF: DeviceSeenData,
    EventType.DEVICE_CHANGED: DeviceChangedData,
    EventType.DEVICE_CONFLICT: DeviceConflictData,
    EventType.COMMAND_QUEUED: CommandQueuedData,
    EventType.COMMAND_SENT: CommandSentData,
    EventType.COMMAND_ACKNOWLEDGED: CommandStateData,
    EventType.COMMAND_SUCCEEDED: CommandStateData,
    EventType.COMMAND_FAILED: CommandStateData,
    EventType.COMMAND_EXPIRED: CommandStateData,
    EventType.COMMAND_CANCELLED: CommandStateData,
    EventType.COMMAND_UNKNOWN: CommandStateData,
    EventType.COMMAND_RESOLVED: CommandResolvedData,
    EventType.RESULT_ORPHANED: ResultOrphanedData,
    EventType.ALERT_RAISED: AlertRaisedData,
    EventType.ALERT_CLEARED: AlertClearedData,
    EventType.ALERT_ACKNOWLEDGED: AlertData,
    EventType.WEBHOOK_FAILED: WebhookFailedData,
}
"""The class of the ``data`` of each type."""
