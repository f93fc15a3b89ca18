"""The audit log: what people and programs have changed on the admin port."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from pushd.model.epochs import public_id
from pushd.model.timestamps import to_rfc3339

Fields = Mapping[str, Any]
"""Fields of an object by their names, as the API shows them; never a secret or a payload."""


@frozen(kw_only=True)
class AuditEntry:
    """An entry of the audit log, written in the transaction of the change; ``at`` is wall milliseconds."""

    id: int
    at: int
    by: str | None
    """The name of the token or person; None if it is not known who it was, as of a refused log-in."""
    address: str | None
    """The IP address of the client, if it is known."""
    action: str
    """What was done, as ``device.change``."""
    object: str
    """To what, as ``device:controlid:4408801109440198``."""
    before: Fields | None = None
    """The changed fields before the change; None if there was nothing before."""
    after: Fields | None = None
    """The same fields after the change; None if nothing is left."""
    epoch: str = ""

    @property
    def public_id(self) -> str:
        """The id that clients know: unique for ever."""
        return public_id(self.epoch, self.id)


def to_json(entry: AuditEntry) -> dict[str, Any]:
    """The fields of an entry as the API and the log show them."""
    return {
        "id": entry.public_id,
        "at": to_rfc3339(entry.at),
        "by": entry.by,
        "from": entry.address,
        "action": entry.action,
        "object": entry.object,
        "before": entry.before,
        "after": entry.after,
    }


def changed(before: Fields, after: Fields) -> tuple[Fields, Fields]:
    """The fields that differ, before and after."""
    names = [name for name, value in after.items() if before.get(name) != value]
    return {name: before.get(name) for name in names}, {name: after[name] for name in names}
