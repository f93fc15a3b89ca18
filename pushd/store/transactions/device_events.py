"""Events about a device, with the fields by which people know it, as they are at that moment."""

import json
from typing import Any

from pushd.model.event import EventType
from pushd.model.timestamps import Now
from pushd.store.transaction import ITransaction, Row, record_data

KNOWN_BY = "id, name, site, tags"
"""The columns of the row that :func:`record_device` takes."""


def record_device(tx: ITransaction, now: Now, kind: EventType, row: Row, /, **data: Any) -> None:
    """Record an event about a device; ``row`` has the columns :data:`KNOWN_BY`."""
    known_by = {"name": row["name"], "site": row["site"], "tags": json.loads(row["tags"])}
    record_data(tx, now, kind, row["id"], None, data | known_by)
