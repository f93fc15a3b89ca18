"""Consistency checks: each is one statement that selects the rows that violate it; a sound database gives none.

No check compares wall times to find out what came first, for a wall clock may be set back; serial numbers and the
order of events say it.
"""

from pushd.model.timestamps import Now
from pushd.store.filters import Violation
from pushd.store.transaction import ITransaction, Statement

GRACE = 60_000
"""Milliseconds by which the sweep may be late before a command that it should have ended is a violation."""

_NEWEST_EVENT = (
    "SELECT type FROM event WHERE event.command = command.id AND type LIKE 'command.%' ORDER BY seq DESC LIMIT 1"
)
_IS_OFFLINE = "COALESCE(device.admission = 'approved' AND device.presence = 'offline', FALSE)"
_DEVICE_STATE = "COALESCE(device.admission || ', ' || device.presence, 'unknown device')"

CHECKS: tuple[Statement, ...] = (
    Statement(
        "the number of attempts does not match the stored attempts",
        "SELECT command.device AS device, id AS command,"
        " attempts || ' counted, ' || COUNT(attempt.serial) || ' stored' AS detail FROM command"
        " LEFT JOIN attempt ON attempt.command = command.id GROUP BY command.id"
        " HAVING COUNT(attempt.serial) <> attempts OR COALESCE(MAX(attempt.number), 0) <> attempts",
    ),
    Statement(
        "an attempt belongs to no command",
        "SELECT attempt.device AS device, attempt.command AS command, 'attempt ' || number AS detail"
        " FROM attempt LEFT JOIN command ON command.id = attempt.command WHERE command.id IS NULL",
    ),
    Statement(
        "a command was sent, acknowledged or ended without an attempt",
        "SELECT device, id AS command, state AS detail FROM command"
        " WHERE attempts = 0 AND state NOT IN ('queued', 'expired', 'cancelled')",
    ),
    Statement(
        "the attempts of a command are not in order",
        "SELECT later.device AS device, later.command AS command,"
        " 'attempt ' || later.number || ' before attempt ' || earlier.number AS detail"
        " FROM attempt AS later JOIN attempt AS earlier ON earlier.command = later.command"
        " AND earlier.number < later.number AND earlier.serial > later.serial",
    ),
    Statement(
        "sent_at differs from that of the latest attempt",
        "SELECT device, id AS command, state AS detail FROM command WHERE sent_at IS NOT"
        " (SELECT attempt.sent_at FROM attempt WHERE attempt.command = command.id ORDER BY number DESC LIMIT 1)",
    ),
    Statement(
        "a command was sent after its time to live",
        "SELECT device, id AS command, sent_at - expires_at || ' ms' AS detail FROM command"
        " WHERE sent_at >= expires_at",
    ),
    Statement(
        "a command is open, and its device does not exist",
        "SELECT device, id AS command, state AS detail FROM command"
        " WHERE (state = 'queued' OR lease_until IS NOT NULL) AND NOT EXISTS"
        " (SELECT 1 FROM device WHERE device.id = command.device)",
    ),
    Statement(
        "a queued command was not ended after its time to live",
        "SELECT device, id AS command, :now - expires_at || ' ms ago' AS detail FROM command"
        " WHERE state = 'queued' AND expires_at < :now - :grace",
    ),
    Statement(
        "a known outcome has no evidence or no result",
        "SELECT device, id AS command, state AS detail FROM command"
        " WHERE state IN ('succeeded', 'failed') AND (evidence IS NULL OR (evidence = 'device' AND result IS NULL))",
    ),
    Statement(
        "a command was resent as a command that is not its successor",
        "SELECT command.device AS device, command.id AS command, command.resent_as AS detail FROM command"
        " JOIN command AS successor ON successor.id = command.resent_as WHERE successor.resend_of <> command.id",
    ),
    Statement(
        "the newest event shows another state",
        f"SELECT device, id AS command, state || ', event: ' || recorded AS detail FROM"
        f" (SELECT id, device, state, created_at, ({_NEWEST_EVENT}) AS recorded FROM command)"
        " WHERE recorded <> 'command.' || state "
        " AND NOT (recorded = 'command.resolved' AND state IN ('succeeded', 'failed'))",
    ),
    Statement(
        "a command has no event",
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
        f"SELECT pending_outage.device AS device, NULL AS command, {_DEVICE_STATE} AS detail FROM pending_outage"
        f" LEFT JOIN device ON device.id = pending_outage.device WHERE NOT {_IS_OFFLINE}",
    ),
    Statement(
        "an alert is open about a device that is not approved and offline",
        "SELECT alert_device.device AS device, NULL AS command,"
        f" 'alert ' || alert || ', ' || {_DEVICE_STATE} AS detail FROM alert_device"
        " LEFT JOIN device ON device.id = alert_device.device"
        f" WHERE kind IN ('offline', 'site_offline') AND cleared_at IS NULL AND NOT {_IS_OFFLINE}",
    ),
    Statement(
        "an alert is open without an affected device, or cleared with one",
        "SELECT NULL AS device, NULL AS command, 'alert ' || id AS detail FROM alert"
        " WHERE kind <> 'webhook' AND (cleared_at IS NULL) <> EXISTS (SELECT 1 FROM alert_device"
        " WHERE alert_device.alert = alert.id AND alert_device.cleared_at IS NULL)",
    ),
    Statement(
        "a device belongs to an alert that does not exist",
        "SELECT device, NULL AS command, 'alert ' || alert AS detail FROM alert_device"
        " LEFT JOIN alert ON alert.id = alert_device.alert WHERE alert.id IS NULL",
    ),
    Statement(
        "an alert is open about a webhook that is not disabled",
        "SELECT NULL AS device, NULL AS command, 'alert ' || alert.id || ', webhook ' || webhook AS detail FROM alert"
        " LEFT JOIN webhook ON webhook.id = alert.webhook"
        " WHERE kind = 'webhook' AND cleared_at IS NULL AND webhook.disabled_at IS NULL",
    ),
)


def fsck(tx: ITransaction, now: Now) -> list[Violation]:
    """Run all checks."""
    return [
        Violation(what=check.description, device=row["device"], command=row["command"], detail=row["detail"])
        for check in CHECKS
        for row in tx.rows(check, now=now.wall, grace=GRACE)
    ]
