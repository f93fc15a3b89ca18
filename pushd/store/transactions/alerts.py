"""Alerts: raised once, cleared when the last of their devices is no longer affected, acknowledged by an operator; and
which mails about them are due.
"""

import json
from collections.abc import Sequence
from typing import Any

from pushd.model.alert import MAX_LISTED, Alert, AlertKind, AlertRules
from pushd.model.epochs import public_id
from pushd.model.errors import UnknownAlert
from pushd.model.event import EventType
from pushd.model.timestamps import Now, milliseconds
from pushd.store.transaction import ITransaction, Row, Statement, filtered, first, record
from pushd.store.transactions.epochs import epoch_of_alert

_INSERT = Statement(
    "raise an alert",
    "INSERT INTO alert (kind, address, site, webhook, count, raised_at, raised_elapsed, recheck_at, mail_at)"
    " VALUES (:kind, :address, :site, :webhook, :count, :now, :elapsed, :recheck_at, :mail_at) RETURNING id",
)
_ADD_DEVICES = Statement(  # at once: they may be a whole fleet
    "save the devices of an alert",
    "INSERT INTO alert_device (alert, device, kind) SELECT :alert, value, :kind FROM json_each(:devices)",
)


def raise_alert(
    tx: ITransaction,
    kind: AlertKind,
    devices: Sequence[str],
    rules: AlertRules,
    now: Now,
    *,
    address: str | None = None,
    site: str | None = None,
    webhook: str | None = None,
    recheck_at: int | None = None,
) -> None:
    """Raise an alert about these devices, which have no open one of this kind, or about a webhook; ``recheck_at`` is
    when, as elapsed time, an alert of kind ``flapping`` may be over.
    """
    about = {"address": address, "site": site, "webhook": webhook}
    due = {"recheck_at": recheck_at, "mail_at": now.elapsed if rules.mails else None}
    count = len(devices)
    [row] = tx.rows(_INSERT, kind=kind, count=count, now=now.wall, elapsed=now.elapsed, **about, **due)
    tx.run(_ADD_DEVICES, alert=row["id"], devices=json.dumps(devices), kind=kind)
    _record(tx, now, EventType.ALERT_RAISED, row["id"], kind, devices, count, **about)


def _record(
    tx: ITransaction,
    now: Now,
    event: EventType,
    alert: int,
    kind: str,
    devices: Sequence[str],
    count: int,
    **data: Any,
) -> None:
    device = devices[0] if count == 1 else None
    shown = list(devices[:MAX_LISTED]) or None
    alert_id = public_id(epoch_of_alert(tx, alert), alert)
    record(tx, now, event, device, alert=alert_id, kind=kind, devices=shown, count=count or None, **data)


_OPEN_OF_DEVICE = Statement(
    "find a device's open alerts",
    "SELECT alert, kind FROM alert_device WHERE device = :device AND cleared_at IS NULL",
)
_CLEAR_DEVICE = Statement(
    "clear an alert of a device",
    "UPDATE alert_device SET cleared_at = :now WHERE alert = :alert AND device = :device",
)
_REMAINING = Statement(
    "check whether an alert has devices left",
    "SELECT 1 FROM alert_device WHERE alert = :alert AND cleared_at IS NULL LIMIT 1",
)
_CLEAR = Statement(
    "clear an alert",
    "UPDATE alert SET cleared_at = :now, duration = (:elapsed - raised_elapsed) / 1000.0, recheck_at = NULL,"
    " mail_at = CASE WHEN mailed_at IS NULL THEN mail_at END"
    " WHERE id = :alert AND cleared_at IS NULL RETURNING kind, count, address, site, webhook, duration",
)
_DEVICES = Statement(
    "find the devices of an alert",
    f"SELECT device FROM alert_device WHERE alert = :alert ORDER BY device LIMIT {MAX_LISTED}",
)


def clear(tx: ITransaction, now: Now, device: str, *kinds: AlertKind) -> None:
    """Clear a device's part of its open alerts of these kinds; and the alert, if no other device is left in it."""
    for row in tx.rows(_OPEN_OF_DEVICE, device=device):
        if row["kind"] in kinds:
            tx.run(_CLEAR_DEVICE, alert=row["alert"], device=device, now=now.wall)
            if first(tx, _REMAINING, alert=row["alert"]) is None:
                _clear(tx, row["alert"], now)


def _clear(tx: ITransaction, alert: int, now: Now) -> None:
    row = first(tx, _CLEAR, alert=alert, now=now.wall, elapsed=now.elapsed)
    if row is not None:
        devices = [each["device"] for each in tx.rows(_DEVICES, alert=alert)]
        about = {name: row[name] for name in ("address", "site", "webhook")}
        duration = float(row["duration"])  # SQLite returns whole numbers as int
        _record(
            tx, now, EventType.ALERT_CLEARED, alert, row["kind"], devices, row["count"], duration=duration, **about
        )


_MISSING = Statement(
    "find the devices of an alert that have not returned",
    "SELECT device FROM alert_device WHERE alert = :alert AND cleared_at IS NULL LIMIT :limit",
)
_CLEAR_DEVICES = Statement(
    "clear an alert of its last devices",
    "UPDATE alert_device SET cleared_at = :now WHERE alert = :alert AND cleared_at IS NULL",
)


def clear_if_most_returned(tx: ITransaction, now: Now, alert: int, most: int) -> list[str]:
    """If at most so many devices of an alert have not returned, clear it; these devices."""
    missing = [row["device"] for row in tx.rows(_MISSING, alert=alert, limit=most + 1)]
    if len(missing) > most:
        return []
    tx.run(_CLEAR_DEVICES, alert=alert, now=now.wall)
    _clear(tx, alert, now)
    return missing


def raise_webhook(tx: ITransaction, now: Now, webhook: str, rules: AlertRules) -> None:
    """A webhook was disabled: raise an alert, unless one about it is open."""
    if first(tx, _OPEN_OF_WEBHOOK, webhook=webhook) is None:
        raise_alert(tx, AlertKind.WEBHOOK, (), rules, now, webhook=webhook)


_OPEN_OF_WEBHOOK = Statement(
    "find a webhook's open alert", "SELECT id FROM alert WHERE webhook = :webhook AND cleared_at IS NULL"
)


def clear_webhook(tx: ITransaction, now: Now, webhook: str) -> None:
    """A webhook was enabled or deleted: clear the alert about it."""
    row = first(tx, _OPEN_OF_WEBHOOK, webhook=webhook)
    if row is not None:
        _clear(tx, row["id"], now)


_SCALARS = (
    "id address site webhook count raised_at raised_elapsed cleared_at duration acknowledged_at acknowledged_by"
    " mailed_at mail_error"
).split()
_COLUMNS = ", ".join(["kind", *_SCALARS])
_ACKNOWLEDGE = Statement(
    "acknowledge an alert",
    "UPDATE alert SET acknowledged_at = :now, acknowledged_by = :by,"
    " mail_at = CASE WHEN mailed_at IS NULL THEN mail_at END WHERE id = :id AND acknowledged_at IS NULL",
)
_BY_ID = Statement("look up an alert", f"SELECT {_COLUMNS} FROM alert WHERE id = :id")


def acknowledge(tx: ITransaction, alert: int, by: str, now: Now) -> Alert:
    """Record who takes care of an alert, with an event the first time."""
    changed = tx.run(_ACKNOWLEDGE, id=alert, by=by, now=now.wall)
    row = first(tx, _BY_ID, id=alert)
    if row is None:
        raise UnknownAlert(f"No alert {alert} is known; it may have been purged.")
    found = _to_alert(tx, row)
    if changed:
        _record(tx, now, EventType.ALERT_ACKNOWLEDGED, alert, found.kind, found.devices, found.count, by=by)
    return found


def _to_alert(tx: ITransaction, row: Row) -> Alert:
    """An alert with the first of its devices."""
    devices = tuple(each["device"] for each in tx.rows(_DEVICES, alert=row["id"]))
    epoch = epoch_of_alert(tx, row["id"])
    return Alert(kind=AlertKind(row["kind"]), devices=devices, epoch=epoch, **{name: row[name] for name in _SCALARS})


_OPEN = {None: "TRUE", True: "cleared_at IS NULL", False: "cleared_at IS NOT NULL"}
_LIST = f"SELECT {_COLUMNS} FROM alert WHERE {{open}} AND {{{{where}}}} ORDER BY id DESC LIMIT :limit"


def list_alerts(tx: ITransaction, is_open: bool | None, before: int | None, limit: int) -> list[Alert]:
    """A page of alerts, newest first."""
    sql = _LIST.format(open=_OPEN[is_open])
    statement, values = filtered("list alerts", sql, {"before": "id < :before"}, {"before": before})
    return [_to_alert(tx, row) for row in tx.rows(statement, limit=limit, **values)]


_DUE_MAILS = Statement(
    "find alerts to mail",
    f"SELECT {_COLUMNS} FROM alert WHERE mail_at <= :now ORDER BY mail_at, id LIMIT :limit",
)
_SAVE_MAILED = Statement(
    "save that an alert was mailed",
    "UPDATE alert SET mailed_at = :now, mail_error = :error, mail_at = CASE"
    " WHEN cleared_at IS NULL AND acknowledged_at IS NULL THEN :remind_at END WHERE id = :id",
)
_SAVE_MAIL_ERROR = Statement("save why an alert was not mailed", "UPDATE alert SET mail_error = :error WHERE id = :id")


def due_mails(tx: ITransaction, limit: int, now: Now) -> list[Alert]:
    """Alerts about which a mail is due, oldest first."""
    return [_to_alert(tx, row) for row in tx.rows(_DUE_MAILS, now=now.elapsed, limit=limit)]


def save_mailed(tx: ITransaction, alert: int, error: str | None, rules: AlertRules, now: Now) -> None:
    """Save that a mail was sent, and when the reminder is due, if the alert is still open and not acknowledged."""
    remind_at = None if rules.remind is None else now.elapsed + milliseconds(rules.remind)
    tx.run(_SAVE_MAILED, id=alert, error=error, now=now.wall, remind_at=remind_at)


def save_mail_error(tx: ITransaction, alert: int, error: str) -> None:
    """Save why no recipient has a mail that is due; it stays due."""
    tx.run(_SAVE_MAIL_ERROR, id=alert, error=error)
