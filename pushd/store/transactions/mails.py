"""The verbs about mails that tell of alerts."""

from pushd.model.alert import Alert, AlertRules
from pushd.model.timestamps import Now, milliseconds
from pushd.store.transaction import ITransaction, Statement
from pushd.store.transactions.alerts import to_alert

_DUE = Statement(
    "look for alerts to mail", "SELECT * FROM alert WHERE mail_at <= :now ORDER BY mail_at, id LIMIT :limit"
)
_NOTE = Statement(
    "write that an alert was mailed",
    "UPDATE alert SET mailed_at = :now, mail_at = CASE"
    " WHEN cleared_at IS NULL AND acknowledged_at IS NULL THEN :remind_at END WHERE id = :id",
)


def due(tx: ITransaction, limit: int, now: Now) -> list[Alert]:
    """See :meth:`IAlertStore.due_mails`."""
    return [to_alert(tx, row) for row in tx.rows(_DUE, now=now.wall, limit=limit)]


def note(tx: ITransaction, alert: int, rules: AlertRules, now: Now) -> None:
    """See :meth:`IAlertStore.save_mailed`."""
    remind_at = None if rules.remind is None else now.wall + milliseconds(rules.remind)
    tx.run(_NOTE, id=alert, now=now.wall, remind_at=remind_at)
