"""Offline devices: the grace period, grouping of devices behind one address into one alert, and flapping."""

import json
from collections.abc import Mapping, Sequence

from pushd.lib.ip_networks import site_of
from pushd.model.alert import FLEET_MIN, STILL_MISSING, AlertKind, AlertRules
from pushd.model.device import Admission
from pushd.model.event import EventType
from pushd.model.timestamps import Now, milliseconds
from pushd.store.transaction import ITransaction, Row, Statement, first
from pushd.store.transactions.alerts import clear, clear_if_most_returned, raise_alert
from pushd.store.transactions.device_events import KNOWN_BY, record_device

RECHECK = 60.0
"""Seconds until a device whose alert is withheld, because it is muted or flaps, is checked again, at the latest."""

_MARK_OFFLINE = Statement(
    "mark a device offline",
    "UPDATE device SET presence = 'offline' WHERE id = :device AND presence = 'online'"
    f" RETURNING {KNOWN_BY}, admission, last_seen_at, last_address, heartbeat_timeout, muted_elapsed",
)
_START_GRACE = Statement(
    "start the grace period of an offline device",
    "INSERT INTO pending_outage (device, address, offline_at, grace, grace_until)"
    " VALUES (:device, :address, :offline_at, :grace, :grace_until) ON CONFLICT (device) DO UPDATE"
    " SET address = :address, offline_at = :offline_at, grace = :grace, grace_until = :grace_until",
)


def mark_offline(tx: ITransaction, devices: Mapping[str, str | None], rules: AlertRules) -> None:
    """Mark devices that were online offline, and start the grace period of approved ones, by their newest address."""
    for device, address in devices.items():
        row = first(tx, _MARK_OFFLINE, device=device)
        if row is None:
            continue
        tx.commands.reload_device(device)
        record_device(tx, EventType.DEVICE_OFFLINE, row, heartbeat_timeout=row["heartbeat_timeout"])
        tx.run(ADD_CHANGE, device=device, elapsed=tx.now.elapsed)
        tx.run(_TRIM_CHANGES, device=device, kept=rules.changes)
        if row["admission"] == Admission.APPROVED:
            _start_grace(tx, device, address or row["last_address"], rules)
            recheck_at = _flaps_until(tx, device, rules)
            if recheck_at is not None and not _is_muted(row, tx.now) and first(tx, _FLAPS, device=device) is None:
                raise_alert(tx, AlertKind.FLAPPING, [device], rules, recheck_at=recheck_at)


def _start_grace(tx: ITransaction, device: str, address: str | None, rules: AlertRules) -> None:
    grace_until = tx.now.steady + milliseconds(rules.window)
    values = {"address": site_of(address), "offline_at": tx.now.wall, "grace": rules.window}
    tx.run(_START_GRACE, device=device, grace_until=grace_until, **values)


ADD_CHANGE = Statement(
    "save that a device went offline or returned",
    "INSERT INTO presence_change (device, elapsed) VALUES (:device, :elapsed)",
)
_TRIM_CHANGES = Statement(
    "drop the oldest changes of a device's presence",
    "DELETE FROM presence_change WHERE device = :device AND id <="
    " (SELECT id FROM presence_change WHERE device = :device ORDER BY id DESC LIMIT 1 OFFSET :kept)",
)
FORGET_CHANGES = Statement(
    "drop the changes of a device's presence", "DELETE FROM presence_change WHERE device = :device"
)
_CHANGE = Statement(
    "count how often a device went offline and returned",
    "SELECT elapsed FROM presence_change WHERE device = :device ORDER BY id DESC LIMIT 1 OFFSET :nth",
)


def _flaps_until(tx: ITransaction, device: str, rules: AlertRules) -> int | None:
    """When a device will no longer flap unless it changes again, as elapsed time; None: it does not flap."""
    change = first(tx, _CHANGE, device=device, nth=rules.changes - 1)
    if change is None or change["elapsed"] + milliseconds(rules.within) <= tx.now.elapsed:
        return None
    until: int = change["elapsed"] + milliseconds(rules.within)
    return until


def _is_muted(row: Row, now: Now) -> bool:
    return row["muted_elapsed"] is not None and row["muted_elapsed"] > now.elapsed


_DUE = Statement(
    "find offline devices whose grace period is over",
    "SELECT pending_outage.device, pending_outage.address, muted_elapsed FROM pending_outage"
    " JOIN device ON device.id = pending_outage.device WHERE grace_until <= :now ORDER BY grace_until LIMIT :limit",
)
_PENDING = (
    "SELECT pending_outage.device, site FROM pending_outage JOIN device ON device.id = pending_outage.device"
    " WHERE {where} AND COALESCE(muted_elapsed, 0) <= :now AND NOT EXISTS"
    " (SELECT 1 FROM alert_device WHERE alert_device.device = pending_outage.device AND kind = 'flapping'"
    " AND alert_device.cleared_at IS NULL) ORDER BY pending_outage.device"
)
_BEHIND = Statement(
    "find offline devices behind one address", _PENDING.format(where="pending_outage.address = :address")
)
_COUNT_PENDING = Statement("count offline devices", "SELECT COUNT(*) AS pending FROM pending_outage")
_ALL_PENDING = Statement("find all offline devices", _PENDING.format(where="TRUE"))
_COUNT_ONLINE = Statement(
    "count devices that are online",
    "SELECT COUNT(*) AS online FROM device WHERE presence = 'online' AND admission = 'approved'",
)
_END_GRACE = Statement("end the grace period of a device", "DELETE FROM pending_outage WHERE device = :device")
_END_GRACES = Statement(
    "end the grace periods of devices",
    "DELETE FROM pending_outage WHERE device IN (SELECT value FROM json_each(:devices))",
)
_EXTEND_GRACE = Statement(
    "extend the grace period of a device",
    "UPDATE pending_outage SET grace_until = :grace_until WHERE device = :device",
)
_FLAPS = Statement(
    "check whether a device flaps",
    "SELECT alert FROM alert_device WHERE device = :device AND kind = 'flapping' AND cleared_at IS NULL",
)


def raise_alerts(tx: ITransaction, rules: AlertRules, limit: int) -> int:
    """Raise the alerts of devices whose grace period is over; clear those of devices that flap no longer."""
    _end_fleet_offline(tx, rules)
    due = tx.rows(_DUE, now=tx.now.steady, limit=limit)
    alerted: set[str] = set(_raise_fleet_offline(tx, rules)) if due else set()
    for row in due:
        if row["device"] not in alerted:
            alerted.update(_raise_offline(tx, row, rules))
    return max(len(due), _end_flapping(tx, rules, limit))


def _raise_fleet_offline(tx: ITransaction, rules: AlertRules) -> Sequence[str]:
    """If more than half of the devices that were online are offline now, raise one alert about them; these devices."""
    if tx.rows(_COUNT_PENDING)[0]["pending"] <= FLEET_MIN:
        return ()
    devices = [row["device"] for row in tx.rows(_ALL_PENDING, now=tx.now.elapsed)]
    if len(devices) <= FLEET_MIN or len(devices) <= tx.rows(_COUNT_ONLINE)[0]["online"]:
        return ()
    tx.run(_END_GRACES, devices=json.dumps(devices))
    raise_alert(tx, AlertKind.FLEET_OFFLINE, devices, rules)
    return devices


_FLEET_ALERTS = Statement(
    "find open alerts about the fleet",
    "SELECT id, count FROM alert WHERE kind = 'fleet_offline' AND cleared_at IS NULL",
)
_LAST_ADDRESS = Statement(
    "look up from where a device was last seen", "SELECT last_address FROM device WHERE id = :id"
)


def _end_fleet_offline(tx: ITransaction, rules: AlertRules) -> None:
    """Clear alerts about the fleet most of whose devices have returned; the others wait for an alert of their own."""
    for alert in tx.rows(_FLEET_ALERTS):
        for device in clear_if_most_returned(tx, alert["id"], alert["count"] // STILL_MISSING):
            row = tx.rows(_LAST_ADDRESS, id=device)[0]
            _start_grace(tx, device, row["last_address"], rules)


def _raise_offline(tx: ITransaction, row: Row, rules: AlertRules) -> Sequence[str]:
    """Raise the alert of a device and of those offline behind its address, unless it is muted or flaps; the devices
    that the alert is about.
    """
    flaps = first(tx, _FLAPS, device=row["device"]) is not None
    if flaps or _is_muted(row, tx.now):
        left = milliseconds(RECHECK) if flaps else min(row["muted_elapsed"] - tx.now.elapsed, milliseconds(RECHECK))
        tx.run(_EXTEND_GRACE, device=row["device"], grace_until=tx.now.steady + left)
        return ()
    behind = tx.rows(_BEHIND, address=row["address"], now=tx.now.elapsed)
    if len(behind) >= rules.together:
        devices, kind = [each["device"] for each in behind], AlertKind.SITE_OFFLINE
        place = {"address": row["address"], "site": _shared_site(behind)}
    else:
        devices, kind, place = [row["device"]], AlertKind.OFFLINE, {}
    tx.run(_END_GRACES, devices=json.dumps(devices))
    raise_alert(tx, kind, devices, rules, **place)
    return devices


def _shared_site(devices: Sequence[Row]) -> str | None:
    site: str | None = devices[0]["site"]
    return site if all(each["site"] == site for each in devices) else None


_RECHECK_DUE = Statement(
    "find devices that may no longer flap",
    "SELECT alert.id, device FROM alert JOIN alert_device ON alert_device.alert = alert.id"
    " WHERE recheck_at <= :now ORDER BY recheck_at LIMIT :limit",
)
_RECHECK_LATER = Statement(
    "postpone the check whether a device flaps", "UPDATE alert SET recheck_at = :recheck_at WHERE id = :id"
)


def _end_flapping(tx: ITransaction, rules: AlertRules, limit: int) -> int:
    rows = tx.rows(_RECHECK_DUE, now=tx.now.elapsed, limit=limit)
    for row in rows:
        recheck_at = _flaps_until(tx, row["device"], rules)
        if recheck_at is not None:
            tx.run(_RECHECK_LATER, id=row["id"], recheck_at=recheck_at)
        else:
            clear(tx, row["device"], AlertKind.FLAPPING)
            restart_grace(tx, row["device"])  # the device may be offline for good now
    return len(rows)


def on_device_seen(tx: ITransaction, device: str) -> None:
    """A device is no longer offline: end its grace period and clear its part of an alert."""
    tx.run(_END_GRACE, device=device)
    clear(tx, device, AlertKind.OFFLINE, AlertKind.SITE_OFFLINE, AlertKind.FLEET_OFFLINE)


def drop_alerts(tx: ITransaction, device: str) -> None:
    """A device was blocked or deleted: clear all that is open about it."""
    on_device_seen(tx, device)
    clear(tx, device, AlertKind.FLAPPING)


_RESTART_GRACE = Statement(
    "restart the grace period of a device",
    "UPDATE pending_outage SET grace_until = :now + grace * 1000 WHERE device = :device",
)


def restart_grace(tx: ITransaction, device: str) -> None:
    """If a device is offline and not alerted yet, its grace period starts again, after it was muted for example."""
    tx.run(_RESTART_GRACE, device=device, now=tx.now.steady)


_RESTART_ALL = Statement("restart all grace periods", "UPDATE pending_outage SET grace_until = :now + grace * 1000")


def restart_all(tx: ITransaction) -> None:
    """All grace periods start again: the server was down, and could not see that devices returned."""
    tx.run(_RESTART_ALL, now=tx.now.steady)
