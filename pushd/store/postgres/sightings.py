"""Sightings: which node serves a device, when the device was last seen, and what that means for its presence."""

import json
from collections.abc import Mapping, Sequence

from attrs import asdict, frozen

from pushd.model.alert import AlertKind, AlertRules
from pushd.model.device import LastSeen, PresenceState
from pushd.store.membership import TakenOver
from pushd.store.transaction import ITransaction, Statement
from pushd.store.transactions import alerts, offline
from pushd.store.transactions import devices as device_operations
from pushd.store.transactions.alerts import ALERTS_LOCK

MOVES = "pushd_moves"
"""The channel of notifications that a device is served by another node."""


@frozen
class Move:
    """A device is served by ``node``, its ``number``-th."""

    device: str
    node: str
    number: int

    def to_payload(self) -> str:
        """As it is sent; no part has a space in it."""
        return f"{self.number} {self.node} {self.device}"

    @classmethod
    def of_payload(cls, payload: str) -> "Move":
        """The move that was sent as this payload."""
        number, node, device = payload.split(" ")
        return cls(device, node, int(number))


_SERVE = Statement(
    "save which node serves devices",
    "INSERT INTO sighting (device, node, moves, since) SELECT id, :node, 1, :now FROM device"
    " WHERE id IN (SELECT value FROM json_each(:devices)) AND admission <> 'pending'"
    " ON CONFLICT (device) DO UPDATE SET node = excluded.node, moves = sighting.moves + 1, seen = NULL,"
    " since = excluded.since"
    " RETURNING device, moves",
)
_NOTIFY = Statement("notify the nodes", "SELECT pg_notify(:channel, value) FROM json_each(:payloads)")
_NOT_ONLINE = Statement(
    "find devices that are not online",
    "SELECT id FROM device WHERE id IN (SELECT value FROM json_each(:devices)) AND presence <> 'online' ORDER BY id",
)


def serve(tx: ITransaction, devices: Sequence[str], node: str) -> Mapping[str, Move]:
    """Devices have polled at a node, which serves them from now on, and they are online.

    Nothing is stored of a pending device: any client may be one. The rows of the devices must be locked: another node
    may just be marking them offline. When a node has died, thousands come at once, most of them online: so their
    number makes no more round trips.
    """
    rows = tx.rows(_SERVE, devices=json.dumps(devices), node=node, now=tx.now.steady)
    moves = {row["device"]: Move(row["device"], node, row["moves"]) for row in rows}
    tx.rows(_NOTIFY, channel=MOVES, payloads=json.dumps([move.to_payload() for move in moves.values()]))
    for row in tx.rows(_NOT_ONLINE, devices=json.dumps(list(moves))):
        device_operations.set_presence(tx, row["id"], PresenceState.ONLINE)
    return moves


_SERVED_ELSEWHERE = Statement(
    "look up the presence of a device that another node serves",
    "SELECT presence FROM sighting JOIN device ON device.id = device WHERE device = :device AND node <> :node",
)


def set_presence(tx: ITransaction, device: str, presence: PresenceState, node: str) -> tuple[PresenceState, bool]:
    """Save that a device came online at the node that serves it, or signed off.

    A node that was cut off may save late that it is online: if another one serves it since, nothing is changed, for
    that one may have found it offline. The row of the device must be locked: it may just be moving.

    :returns: the presence that is stored, and whether it is the one that was to be saved.
    """
    if presence is PresenceState.ONLINE:
        for row in tx.rows(_SERVED_ELSEWHERE, device=device, node=node):
            return PresenceState(row["presence"]), False
    return device_operations.set_presence(tx, device, presence), True


_SEEN = Statement(
    "read where devices poll",
    "SELECT device, node, seen, heartbeat_timeout FROM sighting JOIN device ON device.id = sighting.device"
    " WHERE device IN (SELECT value FROM json_each(:devices))",
)


def mark_offline(
    tx: ITransaction, devices: Mapping[str, str | None], node: str, rules: AlertRules
) -> Mapping[str, float]:
    """Mark those of these devices offline that this node serves, and that no other node has seen since.

    The rows of the devices must be locked: one of them may just be moving to another node.

    :returns: the others, with the seconds for which they have been silent.
    """
    kept: dict[str, float] = {}
    for row in tx.rows(_SEEN, devices=json.dumps(list(devices))):
        silent = 0.0 if row["seen"] is None else max(tx.now.steady - row["seen"], 0) / 1000
        if row["node"] != node or (row["seen"] is not None and silent < row["heartbeat_timeout"]):
            kept[row["device"]] = silent
    offline.mark_offline(tx, {name: devices[name] for name in devices if name not in kept}, rules)
    return kept


_TRY_LOCK = Statement("lock the alerts", "SELECT pg_try_advisory_xact_lock(:lock) AS is_locked")
_CONDITION = Statement(
    "read the condition of the database",
    "SELECT lost, pg_notification_queue_usage() AS queue_usage, EXISTS (SELECT 1 FROM alert"
    f" WHERE kind = '{AlertKind.NOTIFICATION_QUEUE}' AND cleared_at IS NULL) AS is_queue_alert_open FROM feed",
)


def raise_alerts(tx: ITransaction, rules: AlertRules, limit: int) -> int:
    """As :func:`pushd.store.transactions.offline.raise_alerts`, unless another node is doing that."""
    if not tx.rows(_TRY_LOCK, lock=ALERTS_LOCK)[0]["is_locked"]:
        return 0
    _raise_about_database(tx, rules)
    return offline.raise_alerts(tx, rules, limit)


def _raise_about_database(tx: ITransaction, rules: AlertRules) -> None:
    """Raise and clear the alerts about the database itself."""
    [row] = tx.rows(_CONDITION)
    if row["lost"] is not None:
        alerts.raise_about_database(tx, AlertKind.RESTORED, rules)
    if row["queue_usage"] > rules.notification_queue:
        alerts.raise_about_database(tx, AlertKind.NOTIFICATION_QUEUE, rules)
    elif row["is_queue_alert_open"] and row["queue_usage"] < rules.notification_queue / 2:
        alerts.clear_about_database(tx, AlertKind.NOTIFICATION_QUEUE)


_TAKE_OVER = Statement(
    "take over devices of dead nodes",
    "WITH taken AS (UPDATE sighting SET node = :node, moves = moves + 1, seen = NULL, since = :now WHERE device IN"
    " (SELECT device FROM sighting WHERE node IN (SELECT value FROM json_each(:dead)) LIMIT :limit"
    " FOR UPDATE SKIP LOCKED) RETURNING device, moves)"
    " SELECT device, moves, presence, heartbeat_timeout FROM taken JOIN device ON device.id = taken.device",
)
_ADOPT = Statement(
    "take over devices that no node serves",
    "WITH taken AS (INSERT INTO sighting (device, node, moves, since)"
    " SELECT id, :node, 1, :now FROM device WHERE presence = 'online' AND admission = 'approved'"
    " AND NOT EXISTS (SELECT 1 FROM sighting WHERE sighting.device = device.id) LIMIT :limit"
    " ON CONFLICT (device) DO NOTHING RETURNING device, moves)"
    " SELECT taken.device, moves, presence, heartbeat_timeout FROM taken JOIN device ON device.id = taken.device",
)


def take_over(tx: ITransaction, node: str, dead: Sequence[str], limit: int) -> list[tuple[TakenOver, Move]]:
    """Have a node serve up to ``limit`` devices of dead nodes, or that no node has ever served."""
    values = {"node": node, "limit": limit, "now": tx.now.steady}
    rows = tx.rows(_TAKE_OVER, dead=json.dumps(list(dead)), **values) if dead else ()
    rows = rows or tx.rows(_ADOPT, **values)
    return [
        (
            TakenOver(row["device"], PresenceState(row["presence"]), row["heartbeat_timeout"]),
            Move(row["device"], node, row["moves"]),
        )
        for row in rows
    ]


_SERVED = Statement("read which devices a node serves", "SELECT device, moves FROM sighting WHERE node = :node")


def served_by(tx: ITransaction, node: str) -> list[Move]:
    """The devices that a node serves."""
    return [Move(device, node, moves) for device, moves in tx.tuples(_SERVED, node=node)]


_SINCE = Statement(
    "read since when a node serves devices",
    "SELECT device, since FROM sighting WHERE node = :node AND since IS NOT NULL",
)


def served_for(tx: ITransaction, node: str) -> dict[str, float]:
    """For how many seconds a node serves its devices, or served them before it was started again."""
    return {device: (tx.now.steady - since) / 1000 for device, since in tx.tuples(_SINCE, node=node)}


_SAVE_SEEN = Statement(
    "save when devices were seen that other nodes serve",
    "UPDATE sighting SET seen = GREATEST(COALESCE(sighting.seen, 0), new.seen)"
    " FROM json_to_recordset(:updates::json) AS new (device text, seen bigint)"
    " WHERE sighting.device = new.device AND sighting.node <> :node",
)
# A device that another transaction holds is left out: it is seen again.
_SAVE_LAST_SEEN = Statement(
    "save when devices were last seen",
    "UPDATE device SET last_seen_at = new.last_seen_at, last_address = new.last_address,"
    " poll_gap = COALESCE(new.poll_gap, device.poll_gap) FROM json_to_recordset(:updates::json)"
    " AS new (device text, last_seen_at bigint, last_address text, poll_gap double precision)"
    " WHERE device.id = new.device AND device.id IN (SELECT id FROM device WHERE admission <> 'pending'"
    " AND id IN (SELECT each.device FROM json_to_recordset(:updates::json) AS each (device text))"
    " ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)",
)


def save_last_seen(tx: ITransaction, updates: Sequence[LastSeen], node: str) -> None:
    """Save when, and from where, devices were last seen by a node."""
    now = tx.now
    seen = [{"device": each.device, "seen": now.steady - max(now.wall - each.last_seen_at, 0)} for each in updates]
    tx.run(_SAVE_SEEN, updates=json.dumps(seen), node=node)
    tx.run(_SAVE_LAST_SEEN, updates=json.dumps([asdict(each, recurse=False) for each in updates]))
