"""Mails about alerts: which are due, which were sent, and why others were not."""

from pushd.model.alert import Alert, AlertRules
from pushd.model.timestamps import Now, milliseconds
from pushd.store.transaction import ITransaction, Statement
from pushd.store.transactions.alerts import to_alert

_DUE = Statement("find alerts to mail", "SELECT * FROM alert WHERE mail_at <= :now ORDER BY mail_at, id LIMIT :limit")
_SAVE_MAILED = Statement(
    "save that an alert was mailed",
    "UPDATE alert SET mailed_at = :now, mail_error = :error, mail_at = CASE"
    " WHEN cleared_at IS NULL AND acknowledged_at IS NULL THEN :remind_at END WHERE id = :id",
)
_SAVE_ERROR = Statement("save why an alert was not mailed", "UPDATE alert SET mail_error = :error WHERE id = :id")


def due_mails(tx: ITransaction, limit: int, now: Now) -> list[Alert]:
    """Alerts about which a mail is due, oldest first."""
    return [to_alert(tx, row) for row in tx.rows(_DUE, now=now.elapsed, limit=limit)]


def save_mailed(tx: ITransaction, alert: int, error: str | None, rules: AlertRules, now: Now) -> None:
    """Save that a mail was sent, and when the reminder is due, if the alert is still open and not acknowledged."""
    remind_at = None if rules.remind is None else now.elapsed + milliseconds(rules.remind)
    tx.run(_SAVE_MAILED, id=alert, error=error, now=now.wall, remind_at=remind_at)


def save_mail_error(tx: ITransaction, alert: int, error: str) -> None:
    """Save why no recipient has a mail that is due; it stays due."""
    tx.run(_SAVE_ERROR, id=alert, error=error)
