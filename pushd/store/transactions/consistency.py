"""The verb that doubts: what is stored and cannot be.

Each check is one statement that gives the rows that break a promise; a sound database gives none.
What came first is told by serials and by the feed's order: of two readings of a wall clock the later may be the
smaller, since people set clocks, so no check demands that times ascend.
"""

from pushd.model.timestamps import Now
from pushd.store.filters import Violation
from pushd.store.transaction import ITransaction, Statement

GRACE = 60_000
"""Milliseconds that the sweep may be behind before what it should have ended counts as a flaw."""

_NEWEST_EVENT = (
    "SELECT type FROM event WHERE event.command = command.id AND type LIKE 'command.%' ORDER BY seq DESC LIMIT 1"
)
_IS_MISSED = "COALESCE(device.admission = 'approved' AND device.presence = 'offline', FALSE)"
_STANDS = "COALESCE(device.admission || ', ' || device.presence, 'not known')"

CHECKS: tuple[Statement, ...] = (
    Statement(
        "the number of attempts does not match those written down",
        "SELECT command.device AS device, id AS command,"
        " attempts || ' counted, ' || COUNT(attempt.serial) || ' written' AS detail FROM command"
        " LEFT JOIN attempt ON attempt.command = command.id GROUP BY command.id"
        " HAVING COUNT(attempt.serial) <> attempts OR COALESCE(MAX(attempt.number), 0) <> attempts",
    ),
    Statement(
        "an attempt belongs to no command",
        "SELECT attempt.device AS device, attempt.command AS command, 'attempt ' || number AS detail"
        " FROM attempt LEFT JOIN command ON command.id = attempt.command WHERE command.id IS NULL",
    ),
    Statement(
        "it was sent, acknowledged or ended without an attempt",
        "SELECT device, id AS command, state AS detail FROM command"
        " WHERE attempts = 0 AND state NOT IN ('queued', 'expired', 'cancelled')",
    ),
    Statement(
        "its attempts are not in order",
        "SELECT later.device AS device, later.command AS command,"
        " 'attempt ' || later.number || ' before attempt ' || earlier.number AS detail"
        " FROM attempt AS later JOIN attempt AS earlier ON earlier.command = later.command"
        " AND earlier.number < later.number AND earlier.serial > later.serial",
    ),
    Statement(
        "it was not sent when its latest attempt was",
        "SELECT device, id AS command, state AS detail FROM command WHERE sent_at IS NOT"
        " (SELECT attempt.sent_at FROM attempt WHERE attempt.command = command.id ORDER BY number DESC LIMIT 1)",
    ),
    Statement(
        "it was sent after its time to live",
        "SELECT device, id AS command, sent_at - expires_at || ' ms' AS detail FROM command"
        " WHERE sent_at >= expires_at",
    ),
    Statement(
        "it is open, and its device is not known",
        "SELECT device, id AS command, state AS detail FROM command"
        " WHERE (state = 'queued' OR lease_until IS NOT NULL) AND NOT EXISTS"
        " (SELECT 1 FROM device WHERE device.id = command.device)",
    ),
    Statement(
        "its time to live is over, and nothing has ended it",
        "SELECT device, id AS command, :now - expires_at || ' ms ago' AS detail FROM command"
        " WHERE state = 'queued' AND expires_at < :now - :grace",
    ),
    Statement(
        "the device's word is claimed, and no result is there",
        "SELECT device, id AS command, state AS detail FROM command"
        " WHERE state IN ('succeeded', 'failed') AND (evidence IS NULL OR (evidence = 'device' AND result IS NULL))",
    ),
    Statement(
        "it was sent again as a command that is not its successor",
        "SELECT command.device AS device, command.id AS command, command.resent_as AS detail FROM command"
        " JOIN command AS successor ON successor.id = command.resent_as WHERE successor.resend_of <> command.id",
    ),
    Statement(
        "the feed tells another state",
        f"SELECT device, id AS command, state || ', the feed: ' || told AS detail FROM"
        f" (SELECT id, device, state, created_at, ({_NEWEST_EVENT}) AS told FROM command)"
        " WHERE told <> 'command.' || state AND NOT (told = 'command.resolved' AND state IN ('succeeded', 'failed'))",
    ),
    Statement(
        "the feed does not tell of it",
        f"SELECT device, id AS command, state AS detail FROM command WHERE ({_NEWEST_EVENT}) IS NULL"
        " AND created_at >= COALESCE((SELECT MIN(at) FROM event), created_at + 1)",
    ),
    Statement(
        "a proof belongs to no device",
        "SELECT proof.device AS device, NULL AS command, kind AS detail FROM proof"
        " LEFT JOIN device ON device.id = proof.device WHERE device.id IS NULL",
    ),
    Statement(
        "a grace period runs for a device that is not approved and offline",
        f"SELECT pending_outage.device AS device, NULL AS command, {_STANDS} AS detail FROM pending_outage"
        f" LEFT JOIN device ON device.id = pending_outage.device WHERE NOT {_IS_MISSED}",
    ),
    Statement(
        "an alert is open about a device that is not approved and offline",
        f"SELECT alert_device.device AS device, NULL AS command, 'alert ' || alert || ', ' || {_STANDS} AS detail"
        " FROM alert_device LEFT JOIN device ON device.id = alert_device.device"
        f" WHERE kind IN ('offline', 'site_offline') AND cleared_at IS NULL AND NOT {_IS_MISSED}",
    ),
    Statement(
        "an alert is open without a device, or cleared with one",
        "SELECT NULL AS device, NULL AS command, 'alert ' || id AS detail FROM alert"
        " WHERE kind <> 'webhook' AND (cleared_at IS NULL) <> EXISTS (SELECT 1 FROM alert_device"
        " WHERE alert_device.alert = alert.id AND alert_device.cleared_at IS NULL)",
    ),
    Statement(
        "a device belongs to an alert that is not known",
        "SELECT device, NULL AS command, 'alert ' || alert AS detail FROM alert_device"
        " LEFT JOIN alert ON alert.id = alert_device.alert WHERE alert.id IS NULL",
    ),
    Statement(
        "an alert tells of a webhook that is not disabled",
        "SELECT NULL AS device, NULL AS command, 'alert ' || alert.id || ', webhook ' || webhook AS detail FROM alert"
        " LEFT JOIN webhook ON webhook.id = alert.webhook"
        " WHERE kind = 'webhook' AND cleared_at IS NULL AND webhook.disabled_at IS NULL",
    ),
)


def fsck(tx: ITransaction, now: Now) -> list[Violation]:
    """See :meth:`IStore.fsck`."""
    return [
        Violation(what=check.description, device=row["device"], command=row["command"], detail=row["detail"])
        for check in CHECKS
        for row in tx.rows(check, now=now.wall, grace=GRACE)
    ]
