"""Alerts: raised once, cleared when the last of their devices is no longer affected, acknowledged by an operator; and
which mails about them are due.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from attrs import evolve

from pushd.model.alert import MAX_LISTED, Alert, AlertKind, AlertRules
from pushd.model.epochs import public_id
from pushd.model.errors import UnknownAlert
from pushd.model.event import EventType
from pushd.model.timestamps import milliseconds
from pushd.store.filters import AlertFilter, Slice
from pushd.store.transaction import ITransaction, Row, Statement, filtered, first, record
from pushd.store.transactions.audit import record_audit
from pushd.store.transactions.epochs import epoch_of_alert

Covers = Callable[[str], bool]
"""Whether a device is in scope."""


def unknown_alert(alert: object) -> UnknownAlert:
    """The error that there is no such alert."""
    return UnknownAlert(f"No alert {alert} is known; it may have been purged.")


ALERTS_LOCK = 0x616C657274
_LOCK = Statement("lock the alerts", "SELECT TRUE", postgres=f"SELECT pg_advisory_xact_lock({ALERTS_LOCK})")
"""Only one transaction at a time may raise and clear: else two that clear the last devices of an alert each see the
device of the other one, and leave the alert open.
"""

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
    *,
    address: str | None = None,
    site: str | None = None,
    webhook: str | None = None,
    recheck_at: int | None = None,
) -> None:
    """Raise an alert about these devices, which have no open one of this kind, or about a webhook; ``recheck_at`` is
    when, as elapsed time, an alert of kind ``flapping`` may be over.
    """
    tx.rows(_LOCK)
    about = {"address": address, "site": site, "webhook": webhook}
    due = {"recheck_at": recheck_at, "mail_at": tx.now.elapsed if rules.mails else None}
    count = len(devices)
    [row] = tx.rows(_INSERT, kind=kind, count=count, now=tx.now.wall, elapsed=tx.now.elapsed, **about, **due)
    tx.run(_ADD_DEVICES, alert=row["id"], devices=json.dumps(devices), kind=kind)
    _record(tx, EventType.ALERT_RAISED, row["id"], kind, devices, count, **about)


def _record(
    tx: ITransaction,
    event: EventType,
    alert: int,
    kind: str,
    devices: Sequence[str],
    count: int,
    by: str | None = None,
    **data: Any,
) -> None:
    device = devices[0] if count == 1 else None
    shown = list(devices[:MAX_LISTED]) or None
    alert_id = public_id(epoch_of_alert(tx, alert), alert)
    record(tx, event, device, None, by, alert=alert_id, kind=kind, devices=shown, count=count or None, **data)


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
    " mail_at = CASE WHEN mailed_at IS NULL THEN mail_at ELSE :elapsed END"
    " WHERE id = :alert AND cleared_at IS NULL RETURNING kind, count, address, site, webhook, duration",
)
_DEVICES = Statement(
    "find the devices of an alert",
    f"SELECT device FROM alert_device WHERE alert = :alert ORDER BY device LIMIT {MAX_LISTED}",
)


def clear(tx: ITransaction, device: str, *kinds: AlertKind) -> None:
    """Clear a device's part of its open alerts of these kinds; and the alert, if no other device is left in it."""
    for row in tx.rows(_OPEN_OF_DEVICE, device=device):
        if row["kind"] in kinds:
            tx.rows(_LOCK)
            tx.run(_CLEAR_DEVICE, alert=row["alert"], device=device, now=tx.now.wall)
            if first(tx, _REMAINING, alert=row["alert"]) is None:
                _clear(tx, row["alert"])


def _clear(tx: ITransaction, alert: int) -> None:
    row = first(tx, _CLEAR, alert=alert, now=tx.now.wall, elapsed=tx.now.elapsed)
    if row is not None:
        devices = [each["device"] for each in tx.rows(_DEVICES, alert=alert)]
        about = {name: row[name] for name in ("address", "site", "webhook")}
        duration = float(row["duration"])  # SQLite returns whole numbers as int
        _record(tx, EventType.ALERT_CLEARED, alert, row["kind"], devices, row["count"], duration=duration, **about)


_MISSING = Statement(
    "find the devices of an alert that have not returned",
    "SELECT device FROM alert_device WHERE alert = :alert AND cleared_at IS NULL LIMIT :limit",
)
_CLEAR_DEVICES = Statement(
    "clear an alert of its last devices",
    "UPDATE alert_device SET cleared_at = :now WHERE alert = :alert AND cleared_at IS NULL",
)


def clear_if_most_returned(tx: ITransaction, alert: int, most: int) -> list[str]:
    """If at most so many devices of an alert have not returned, clear it; these devices."""
    missing = [row["device"] for row in tx.rows(_MISSING, alert=alert, limit=most + 1)]
    if len(missing) > most:
        return []
    tx.run(_CLEAR_DEVICES, alert=alert, now=tx.now.wall)
    _clear(tx, alert)
    return missing


def raise_webhook(tx: ITransaction, webhook: str, rules: AlertRules) -> None:
    """A webhook was disabled: raise an alert, unless one about it is open."""
    if first(tx, _OPEN_OF_WEBHOOK, webhook=webhook) is None:
        raise_alert(tx, AlertKind.WEBHOOK, (), rules, webhook=webhook)


_OPEN_OF_WEBHOOK = Statement(
    "find a webhook's open alert", "SELECT id FROM alert WHERE webhook = :webhook AND cleared_at IS NULL"
)


def clear_webhook(tx: ITransaction, webhook: str) -> None:
    """A webhook was enabled or deleted: clear the alert about it."""
    row = first(tx, _OPEN_OF_WEBHOOK, webhook=webhook)
    if row is not None:
        _clear(tx, row["id"])


_OPEN_OF_KIND = Statement(
    "find the open alert of a kind", "SELECT id FROM alert WHERE kind = :kind AND cleared_at IS NULL"
)


def raise_about_database(tx: ITransaction, kind: AlertKind, rules: AlertRules) -> None:
    """Raise an alert of a kind that is about the database itself, unless one is open."""
    if first(tx, _OPEN_OF_KIND, kind=kind) is None:
        raise_alert(tx, kind, (), rules)


def clear_about_database(tx: ITransaction, kind: AlertKind) -> None:
    """Clear the open alert of a kind that is about the database itself."""
    row = first(tx, _OPEN_OF_KIND, kind=kind)
    if row is not None:
        _clear(tx, row["id"])


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


def acknowledge(tx: ITransaction, alert: int, by: str) -> Alert:
    """Record who takes care of an alert, with an event the first time."""
    changed = tx.run(_ACKNOWLEDGE, id=alert, by=by, now=tx.now.wall)
    found = get_alert(tx, alert)
    if changed:
        _record(tx, EventType.ALERT_ACKNOWLEDGED, alert, found.kind, found.devices, found.count, by)
        record_audit(tx, "alert.acknowledge", f"alert:{found.public_id}", None, {"kind": found.kind})
    return found


def get_alert(tx: ITransaction, alert: int) -> Alert:
    """An alert by its number."""
    row = first(tx, _BY_ID, id=alert)
    if row is None:
        raise unknown_alert(alert)
    return _to_alert(tx, row)


def _to_alert(tx: ITransaction, row: Row) -> Alert:
    """An alert with the first of its devices."""
    devices = tuple(each["device"] for each in tx.rows(_DEVICES, alert=row["id"]))
    epoch = epoch_of_alert(tx, row["id"])
    return Alert(kind=AlertKind(row["kind"]), devices=devices, epoch=epoch, **{name: row[name] for name in _SCALARS})


_ALL_DEVICES = Statement(
    "find all devices of an alert", "SELECT device FROM alert_device WHERE alert = :alert ORDER BY device"
)


def _narrowed(tx: ITransaction, row: Row, covers: Covers) -> Alert | None:
    """An alert with those of its devices that are in scope; None if there are none."""
    devices = [device for (device,) in tx.tuples(_ALL_DEVICES, alert=row["id"]) if covers(device)]
    if not devices:
        return None
    return evolve(_to_alert(tx, row), devices=tuple(devices[:MAX_LISTED]), count=len(devices))


def get_alert_in_scope(tx: ITransaction, alert: int, covers: Covers) -> tuple[Alert, bool]:
    """An alert with those of its devices that are in scope, and whether these are all.

    :raises UnknownAlert: if there is none, or none of its devices is in scope.
    """
    row = first(tx, _BY_ID, id=alert)
    found = None if row is None else _narrowed(tx, row, covers)
    if row is None or found is None:
        raise unknown_alert(alert)
    return found, found.count == row["count"]


_OPEN = {None: "TRUE", True: "cleared_at IS NULL", False: "cleared_at IS NOT NULL"}
_LIST = f"SELECT {_COLUMNS} FROM alert WHERE {{open}} AND {{{{where}}}} ORDER BY id DESC LIMIT :limit"


_CONDITIONS = {
    "before": "id < :before",
    "kinds": "kind IN (SELECT value FROM json_each(:kinds))",
    "acknowledged": "(acknowledged_at IS NOT NULL) = :acknowledged",
    "since": "raised_at >= :since",
}


def list_alerts(tx: ITransaction, which: AlertFilter, before: int | None, limit: int) -> list[Alert]:
    """A page of alerts, newest first."""
    return [_to_alert(tx, row) for row in _rows(tx, which, before, limit)]


def _rows(tx: ITransaction, which: AlertFilter, before: int | None, limit: int) -> Sequence[Row]:
    wanted = {
        "before": before,
        "kinds": json.dumps(which.kinds) if which.kinds else None,
        "acknowledged": which.is_acknowledged,
        "since": which.since,
    }
    statement, values = filtered("list alerts", _LIST.format(open=_OPEN[which.is_open]), _CONDITIONS, wanted)
    return tx.rows(statement, limit=limit, **values)


BEHIND_ALL = 2**62
"""Greater than the id of any alert."""


def list_alerts_in_scope(
    tx: ITransaction, which: AlertFilter, covers: Covers, limit: int, before: int
) -> Slice[Alert]:
    """Of a page of alerts those of which a device is in scope, as far as they are."""
    page = _rows(tx, which, before, limit)
    found = [alert for row in page if (alert := _narrowed(tx, row, covers)) is not None]
    return Slice(items=found, resume=page[-1]["id"] if len(page) == limit else None)


_DUE_MAILS = Statement(
    "find alerts to mail",
    f"SELECT {_COLUMNS} FROM alert WHERE mail_at <= :now ORDER BY mail_at, id LIMIT :limit",
)
_SAVE_MAILED = Statement(
    "save that an alert was mailed",
    "UPDATE alert SET mailed_at = :now, mail_error = :error, mail_at = CASE"
    " WHEN cleared_at IS NOT NULL THEN CASE WHEN :as_open THEN :elapsed END"  # the mail said that it was open
    " WHEN acknowledged_at IS NULL THEN :remind_at END WHERE id = :id",
)
_SAVE_MAIL_ERROR = Statement("save why an alert was not mailed", "UPDATE alert SET mail_error = :error WHERE id = :id")


def due_mails(tx: ITransaction, limit: int) -> list[Alert]:
    """Alerts about which a mail is due, oldest first."""
    return [_to_alert(tx, row) for row in tx.rows(_DUE_MAILS, now=tx.now.elapsed, limit=limit)]


_SKIP_MAIL = Statement(
    "save that the mail about an alert has no recipients", "UPDATE alert SET mail_at = NULL WHERE id = :id"
)


def save_mailed(tx: ITransaction, mailed: Alert, error: str | None, rules: AlertRules) -> None:
    """Save that a mail about an alert as it was then was sent, and when the next one is due: at once if the alert was
    cleared since, later if it is open and not acknowledged.
    """
    remind_at = None if rules.remind is None else tx.now.elapsed + milliseconds(rules.remind)
    as_open = mailed.cleared_at is None
    times = {"now": tx.now.wall, "elapsed": tx.now.elapsed, "remind_at": remind_at}
    tx.run(_SAVE_MAILED, id=mailed.id, error=error, as_open=as_open, **times)


def skip_mail(tx: ITransaction, alert: int) -> None:
    """Save that the mail that is due about an alert has no recipients."""
    tx.run(_SKIP_MAIL, id=alert)


def save_mail_error(tx: ITransaction, alert: int, error: str) -> None:
    """Save why no recipient has a mail that is due; it stays due."""
    tx.run(_SAVE_MAIL_ERROR, id=alert, error=error)
