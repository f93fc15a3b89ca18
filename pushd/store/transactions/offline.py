"""The verbs about silence: it waits out a window as a row, then somebody is told, of one device or of all that are
behind its address.
"""

from collections.abc import Sequence

from pushd.model.alert import AlertKind, AlertRules
from pushd.model.device import Admission
from pushd.model.event import EventType
from pushd.model.timestamps import Now, milliseconds
from pushd.store.transaction import ITransaction, Row, Statement, first, record
from pushd.store.transactions.alerts import clear, raise_alert

LOOK_AGAIN = 60.0
"""Seconds until a silence that must not be told yet is looked at again, at the latest."""

_FALL_SILENT = Statement(
    "write that a device is offline",
    "UPDATE device SET presence = 'offline' WHERE id = :device AND presence = 'online'"
    " RETURNING admission, last_seen_at, last_address, heartbeat_timeout, muted_until",
)
_BEGIN = Statement(
    "begin a silence",
    "INSERT OR REPLACE INTO silence (device, address, at, pause, quiet_until)"
    " VALUES (:device, :address, :at, :pause, :quiet_until)",
)


def mark_offline(tx: ITransaction, devices: Sequence[str], rules: AlertRules, now: Now) -> None:
    """See :meth:`IAlertStore.mark_offline`."""
    for device in devices:
        row = first(tx, _FALL_SILENT, device=device)
        if row is not None:
            record(tx, now, EventType.DEVICE_OFFLINE, device, heartbeat_timeout=row["heartbeat_timeout"])
            if row["admission"] == Admission.APPROVED:
                _begin(tx, device, row, rules, now)


def _begin(tx: ITransaction, device: str, row: Row, rules: AlertRules, now: Now) -> None:
    quiet_until = now.steady + milliseconds(rules.window)
    tx.run(
        _BEGIN, device=device, address=row["last_address"], at=now.wall, pause=rules.window, quiet_until=quiet_until
    )
    look_at = _flaps_until(tx, device, rules, now)
    if look_at is not None and not _is_muted(row, now) and first(tx, _FLAPS, device=device) is None:
        raise_alert(tx, AlertKind.FLAPPING, [device], rules, now, look_at=look_at)


_CHANGE = Statement(
    "look how often a device came and went",
    "SELECT at FROM event WHERE device = :device AND type IN ('device.online', 'device.offline')"
    " AND (type = 'device.offline' OR json_extract(data, '$.after') = 'offline')"
    " ORDER BY at DESC LIMIT 1 OFFSET :nth",
)


def _flaps_until(tx: ITransaction, device: str, rules: AlertRules, now: Now) -> int | None:
    """Until when, in wall milliseconds, a device is said to flap if it changes no more; None if it does not flap."""
    tx.flush()
    change = first(tx, _CHANGE, device=device, nth=rules.changes - 1)
    if change is None or change["at"] + milliseconds(rules.within) <= now.wall:
        return None
    until: int = change["at"] + milliseconds(rules.within)
    return until


def _is_muted(row: Row, now: Now) -> bool:
    return row["muted_until"] is not None and row["muted_until"] > now.wall


_QUIET = Statement(
    "look for silences to tell of",
    "SELECT silence.device, silence.address, muted_until FROM silence JOIN device ON device.id = silence.device"
    " WHERE quiet_until <= :now ORDER BY quiet_until LIMIT :limit",
)
_BEHIND = Statement(
    "look for silences behind one address",
    "SELECT silence.device FROM silence JOIN device ON device.id = silence.device"
    " WHERE silence.address = :address AND COALESCE(muted_until, 0) <= :now AND NOT EXISTS"
    " (SELECT 1 FROM alert_device WHERE alert_device.device = silence.device AND kind = 'flapping'"
    " AND alert_device.cleared_at IS NULL) ORDER BY silence.device",
)
_TOLD = Statement("end the wait of a silence", "DELETE FROM silence WHERE device = :device")
_PUT_OFF = Statement("put a silence off", "UPDATE silence SET quiet_until = :quiet_until WHERE device = :device")
_FLAPS = Statement(
    "look whether a device flaps",
    "SELECT alert FROM alert_device WHERE device = :device AND kind = 'flapping' AND cleared_at IS NULL",
)


def raise_alerts(tx: ITransaction, rules: AlertRules, limit: int, now: Now) -> int:
    """See :meth:`IAlertStore.raise_alerts`."""
    due = tx.rows(_QUIET, now=now.steady, limit=limit)
    told: set[str] = set()
    for row in due:
        if row["device"] not in told:
            told.update(_tell(tx, row, rules, now))
    return max(len(due), _end_flapping(tx, rules, limit, now))


def _tell(tx: ITransaction, row: Row, rules: AlertRules, now: Now) -> Sequence[str]:
    """Raise an alert for a silence and those that belong to it, unless it must not be told yet; who is in it."""
    flaps = first(tx, _FLAPS, device=row["device"]) is not None
    if flaps or _is_muted(row, now):
        left = milliseconds(LOOK_AGAIN) if flaps else min(row["muted_until"] - now.wall, milliseconds(LOOK_AGAIN))
        tx.run(_PUT_OFF, device=row["device"], quiet_until=now.steady + left)
        return ()
    behind = [each["device"] for each in tx.rows(_BEHIND, address=row["address"], now=now.wall)]
    if len(behind) >= rules.together:
        devices, address = behind, row["address"]
    else:
        devices, address = [row["device"]], None
    for device in devices:
        tx.run(_TOLD, device=device)
    raise_alert(tx, AlertKind.SILENCE, devices, rules, now, address=address)
    return devices


_LOOK = Statement(
    "look for devices that may no longer flap",
    "SELECT alert.id, device FROM alert JOIN alert_device ON alert_device.alert = alert.id"
    " WHERE look_at <= :now ORDER BY look_at LIMIT :limit",
)
_LOOK_LATER = Statement("look later whether a device flaps", "UPDATE alert SET look_at = :look_at WHERE id = :id")


def _end_flapping(tx: ITransaction, rules: AlertRules, limit: int, now: Now) -> int:
    rows = tx.rows(_LOOK, now=now.wall, limit=limit)
    for row in rows:
        look_at = _flaps_until(tx, row["device"], rules, now)
        if look_at is not None:
            tx.run(_LOOK_LATER, id=row["id"], look_at=look_at)
        else:
            clear(tx, now, row["device"], AlertKind.FLAPPING)
            wait_anew(tx, row["device"], now)  # it may have gone for good
    return len(rows)


def on_device_seen(tx: ITransaction, device: str, now: Now) -> None:
    """A device spoke: its silence is over."""
    tx.run(_TOLD, device=device)
    clear(tx, now, device, AlertKind.SILENCE)


def dismiss(tx: ITransaction, device: str, now: Now) -> None:
    """A device is blocked, or no longer known: nobody waits for it."""
    on_device_seen(tx, device, now)
    clear(tx, now, device, AlertKind.FLAPPING)


_WAIT_ANEW = Statement(
    "let a silence wait anew",
    "UPDATE silence SET quiet_until = :now + pause * 1000 WHERE device = :device",
)


def wait_anew(tx: ITransaction, device: str, now: Now) -> None:
    """If a device is silent and nobody was told, that waits out its window from now on: it was muted, say, until
    now.
    """
    tx.run(_WAIT_ANEW, device=device, now=now.steady)


_ALL_ANEW = Statement("let all silences wait anew", "UPDATE silence SET quiet_until = :now + pause * 1000")


def renew(tx: ITransaction, now: Now) -> None:
    """All silences of which nobody was told wait anew: we were away, and could not have heard that they are over."""
    tx.run(_ALL_ANEW, now=now.steady)
