"""What is read of open commands outside of groups, without locks: what is due, and where a command is in its queue."""

import json
from collections.abc import Sequence

from attrs import frozen

from pushd.store.transaction import ITransaction, Statement, first

_DUE = (
    "SELECT id, device FROM command WHERE finished_at IS NULL"
    " AND device IN (SELECT value FROM json_each(:devices)) AND {is_due} ORDER BY {first}, id LIMIT :limit"
)
EXPIRED = Statement(
    "find expired commands",
    _DUE.format(is_due="state = 'queued' AND expires_elapsed <= :moment", first="expires_elapsed"),
)
LAPSED = Statement(
    "find commands whose lease ran out", _DUE.format(is_due="lease_until <= :moment", first="lease_until")
)


def find(
    tx: ITransaction, statement: Statement, devices: Sequence[str], moment: int, limit: int
) -> list[tuple[str, str]]:
    """Up to ``limit`` commands of devices that are due, each with its device."""
    rows = tx.rows(statement, devices=json.dumps(devices), moment=moment, limit=limit)
    return [(row["id"], row["device"]) for row in rows]


_OPEN = Statement("find open commands", "SELECT id FROM command WHERE finished_at IS NULL")


def open_commands(tx: ITransaction) -> list[str]:
    """The ids of all open commands."""
    return [command for (command,) in tx.tuples(_OPEN)]


@frozen
class Place:
    """Where a command is in its queue.

    ``ahead`` is how many commands are sent before it; ``in_flight`` how many the device has now; ``lease_left`` is in
    milliseconds.
    """

    ahead: int = 0
    in_flight: int = 0
    lease_left: int | None = None


_PLACE = Statement(
    "find the place of a command in its queue",
    "SELECT command.lease_until, COUNT(*) FILTER (WHERE other.state <> 'queued') AS in_flight,"
    " COUNT(*) FILTER (WHERE command.state = 'queued' AND other.state = 'queued'"
    " AND (-other.priority, other.id) < (-command.priority, command.id)"
    " AND COALESCE(other.not_before, 0) <= :now) AS ahead"
    " FROM command JOIN command AS other ON other.device = command.device AND other.finished_at IS NULL"
    " WHERE command.id = :id GROUP BY command.id",
)


def place_of(tx: ITransaction, command: str) -> Place:
    """Where a command is in its queue."""
    row = first(tx, _PLACE, id=command, now=tx.now.wall)
    if row is None:
        return Place()
    lease_until = row["lease_until"]
    lease_left = None if lease_until is None else max(lease_until - tx.now.steady, 0)
    return Place(row["ahead"], row["in_flight"], lease_left)
