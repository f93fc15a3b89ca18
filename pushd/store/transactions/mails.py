"""Mails about alerts: which are due, and that one was sent."""

from pushd.model.alert import Alert, AlertRules
from pushd.model.timestamps import Now, milliseconds
from pushd.store.transaction import ITransaction, Statement
from pushd.store.transactions.alerts import to_alert

_DUE = Statement("find alerts to mail", "SELECT * FROM alert WHERE mail_at <= :now ORDER BY mail_at, id LIMIT :limit")
_SAVE_MAILED = Statement(
    "save that an alert was mailed",
    "UPDATE alert SET mailed_at = :now, mail_at = CASE"
    " WHEN cleared_at IS NULL AND acknowledged_at IS NULL THEN :remind_at END WHERE id = :id",
)


def due_mails(tx: ITransaction, limit: int, now: Now) -> list[Alert]:
    """Alerts about which a mail is due, oldest first."""
    return [to_alert(tx, row) for row in tx.rows(_DUE, now=now.wall, limit=limit)]


def save_mailed(tx: ITransaction, alert: int, rules: AlertRules, now: Now) -> None:
    """Save that a mail was sent, and when the reminder is due, if the alert is still open and not acknowledged."""
    remind_at = None if rules.remind is None else now.wall + milliseconds(rules.remind)
    tx.run(_SAVE_MAILED, id=alert, now=now.wall, remind_at=remind_at)
