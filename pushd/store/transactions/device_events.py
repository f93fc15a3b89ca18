"""Events about a device, with the fields by which people know it; and those that stand for suppressed ones."""

import json
from typing import Any

from pushd.model.device import PresenceState
from pushd.model.event import EventType
from pushd.store.transaction import ITransaction, Row, Statement, first, record_data

KNOWN_BY = "id, name, site, tags"
"""The columns of the row that :func:`record_device` takes."""


def record_device(tx: ITransaction, kind: EventType, row: Row, /, **data: Any) -> None:
    """Record an event about a device; ``row`` has the columns :data:`KNOWN_BY`."""
    known_by = {"name": row["name"], "site": row["site"], "tags": json.loads(row["tags"])}
    record_data(tx, kind, row["id"], None, data | known_by)


_PRESENCE = Statement("look up a device's presence", f"SELECT presence, {KNOWN_BY} FROM device WHERE id = :id")
PRESENCE_EVENTS = {
    PresenceState.ONLINE: EventType.DEVICE_ONLINE,
    PresenceState.OFFLINE: EventType.DEVICE_OFFLINE,
    PresenceState.SIGNED_OFF: EventType.DEVICE_SIGNED_OFF,
}
_OF_PRESENCE = frozenset({EventType.DEVICE_ONLINE, EventType.DEVICE_SIGNED_OFF})


def report_suppressed(tx: ITransaction) -> None:
    """Write one event about each device and kind of which some were suppressed in a minute that has ended.

    It says how many, and shows the device's present state, so that the last event is always true; or the latest orphan
    result or conflict.
    """
    changes: dict[str, int] = {}
    for (device, kind), suppressed in tx.limiter.take_ended(tx.now.elapsed).items():
        if kind in _OF_PRESENCE:
            changes[device] = changes.get(device, 0) + suppressed.count
        else:
            tx.record(tx.now.wall, kind, device, None, {**suppressed.data, "suppressed": suppressed.count})
    for device, count in changes.items():
        row = first(tx, _PRESENCE, id=device)
        if row is not None and row["presence"] in PRESENCE_EVENTS:
            record_device(tx, PRESENCE_EVENTS[row["presence"]], row, suppressed=count)
