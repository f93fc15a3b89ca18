"""Consistency checks: each is a statement that selects the rows that violate it; a sound database gives none.

A check is about the rows of one table. They are checked in slices, in the order of a key, so that other readers need
not wait for the whole table, and no long transaction keeps SQLite from emptying its write-ahead log.

No check compares wall times to find out what came first, for a wall clock may be set back; serial numbers and the
order of events say it.
"""

from collections.abc import Iterator
from typing import Any

from attrs import evolve, frozen

from pushd.model.large_text import REFERENCE
from pushd.store.device_indexes import is_left_out
from pushd.store.filters import Slice, Violation
from pushd.store.transaction import ITransaction, Statement

GRACE = 60_000
"""Milliseconds by which the sweep may be late before a command that it should have ended is a violation."""

SLICE_SIZE = 1000
"""Rows that are checked in one transaction: for some 10 ms."""


@frozen
class CheckedTable:
    """A table with the checks of its rows; each of them has the place ``{slice}`` for the range of the key."""

    name: str
    key: str
    checks: tuple[Statement, ...]
    lowest: Any = ""
    """Less than any key; text is less than any blob."""

    def end_of_slice(self) -> Statement:
        """The statement that finds the last key of the slice after ``:after``; null if there are no more rows."""
        keys = f"SELECT {self.key} AS key FROM {self.name} WHERE {self.key} > :after ORDER BY {self.key} LIMIT :size"
        last = f"SELECT (SELECT key FROM ({keys}) AS slice ORDER BY key DESC LIMIT 1) AS until"
        return Statement(f"read the keys of {self.name}", last)

    def sliced(self) -> Iterator[Statement]:
        """The checks of a slice, from behind ``:after`` to ``:until``."""
        for check in self.checks:
            within = f"{self.name}.{self.key} > :after AND {self.name}.{self.key} <= :until"
            yield evolve(check, sql=check.sql.replace("{slice}", within))


_NEWEST_EVENT = (
    "SELECT type FROM event WHERE event.command = command.id AND type LIKE 'command.%' ORDER BY seq DESC LIMIT 1"
)
_IS_OFFLINE = "COALESCE(device.admission = 'approved' AND device.presence = 'offline', FALSE)"
_DEVICE_STATE = "COALESCE(device.admission || ', ' || device.presence, 'unknown device')"

_LOWEST_NUMBER = -(2**63)


def _missing_text(name: str) -> str:
    return (
        f"SELECT device, id AS command, '{name}' AS detail FROM command WHERE {{slice}}"
        f" AND substr({name}, 1, {len(REFERENCE)}) = '{REFERENCE}' AND NOT EXISTS"
        f" (SELECT 1 FROM large_text WHERE large_text.command = command.id AND name = '{name}')"
    )


def _left_out(table: str, command: str) -> Statement:
    """On PostgreSQL each row is in all indexes."""
    query = f"SELECT device, {command} AS command, NULL AS detail FROM {table} WHERE "
    return Statement(
        f"the {table}s of a device are listed without one",
        f"{query} {{slice}} AND {is_left_out(table)}",
        postgres=f"{query} FALSE",
    )


TABLES = (
    CheckedTable(
        "command",
        "id",
        (
            _left_out("command", "id"),
            Statement(
                "the number of attempts does not match the stored attempts",
                "SELECT command.device AS device, id AS command,"
                " attempts || ' counted, ' || COUNT(attempt.serial) || ' stored' AS detail FROM command"
                " LEFT JOIN attempt ON attempt.command = command.id WHERE {slice} GROUP BY command.id"
                " HAVING COUNT(attempt.serial) <> attempts OR COALESCE(MAX(attempt.number), 0) <> attempts",
            ),
            Statement(
                "a command was sent, acknowledged or ended without an attempt",
                "SELECT device, id AS command, state AS detail FROM command"
                " WHERE {slice} AND attempts = 0 AND state NOT IN ('queued', 'expired', 'cancelled')"
                " AND id > COALESCE((SELECT MAX(last_command) FROM epoch), '')",  # up to there a copy had them
            ),
            Statement(
                "sent_at differs from that of the latest attempt",
                "SELECT device, id AS command, state AS detail FROM command WHERE {slice} AND COALESCE(sent_at, -1) <>"
                " COALESCE((SELECT attempt.sent_at FROM attempt WHERE attempt.command = command.id"
                " ORDER BY number DESC LIMIT 1), -1)",
            ),
            Statement(
                "a command was sent after its time to live",
                "SELECT device, id AS command, (sent_at - expires_at) || ' ms' AS detail FROM command"
                " WHERE {slice} AND sent_at >= expires_at",
            ),
            Statement(
                "a command is open, and its device does not exist",
                "SELECT device, id AS command, state AS detail FROM command"
                " WHERE {slice} AND (state = 'queued' OR lease_until IS NOT NULL) AND NOT EXISTS"
                " (SELECT 1 FROM device WHERE device.id = command.device)",
            ),
            Statement(
                "a queued command was not ended after its time to live",
                "SELECT device, id AS command, (:now - expires_at) || ' ms ago' AS detail FROM command"
                " WHERE {slice} AND state = 'queued' AND expires_at < :now - :grace",
            ),
            Statement(
                "a known outcome has no evidence or no result",
                "SELECT device, id AS command, state AS detail FROM command"
                " WHERE {slice} AND state IN ('succeeded', 'failed')"
                " AND (evidence IS NULL OR (evidence = 'device' AND result IS NULL))",
            ),
            Statement(
                "a large text of a command is missing",
                " UNION ALL ".join(_missing_text(name) for name in ("payload", "result")),
            ),
            Statement(
                "a command was resent as a command that is not its successor",
                "SELECT command.device AS device, command.id AS command, command.resent_as AS detail FROM command"
                " JOIN command AS successor ON successor.id = command.resent_as"
                " WHERE {slice} AND successor.resend_of <> command.id",
            ),
            Statement(
                "the newest event shows another state",
                f"SELECT device, id AS command, state || ', event: ' || recorded AS detail FROM"
                f" (SELECT id, device, state, created_at, ({_NEWEST_EVENT}) AS recorded FROM command WHERE {{slice}})"
                " AS command"
                " WHERE recorded <> 'command.' || state "
                " AND NOT (recorded = 'command.resolved' AND state IN ('succeeded', 'failed'))",
            ),
            Statement(
                "a command has no event",
                "SELECT device, id AS command, state AS detail FROM command"
                f" WHERE {{slice}} AND ({_NEWEST_EVENT}) IS NULL"
                " AND created_at >= COALESCE((SELECT at FROM event ORDER BY seq LIMIT 1), created_at + 1)",
            ),
        ),
    ),
    CheckedTable(
        "attempt",
        "serial",
        (
            Statement(
                "an attempt belongs to no command",
                "SELECT attempt.device AS device, attempt.command AS command, 'attempt ' || number AS detail"
                " FROM attempt LEFT JOIN command ON command.id = attempt.command WHERE {slice} AND command.id IS NULL",
            ),
            Statement(
                "the attempts of a command are not in order",
                "SELECT attempt.device AS device, attempt.command AS command,"
                " 'attempt ' || attempt.number || ' before attempt ' || earlier.number AS detail"
                " FROM attempt JOIN attempt AS earlier ON earlier.command = attempt.command"
                " AND earlier.number < attempt.number AND earlier.serial > attempt.serial WHERE {slice}",
            ),
            _left_out("attempt", "command"),
        ),
        lowest=_LOWEST_NUMBER,
    ),
    CheckedTable("event", "seq", (_left_out("event", "command"),), lowest=_LOWEST_NUMBER),
    CheckedTable(
        "large_text",
        "command",
        (
            Statement(
                "a large text belongs to no command",
                "SELECT NULL AS device, large_text.command AS command, name AS detail FROM large_text"
                " LEFT JOIN command ON command.id = large_text.command WHERE {slice} AND command.id IS NULL",
            ),
        ),
    ),
    CheckedTable(
        "proof",
        "digest",
        (
            Statement(
                "a proof belongs to no device",
                "SELECT proof.device AS device, NULL AS command, kind AS detail FROM proof"
                " LEFT JOIN device ON device.id = proof.device WHERE {slice} AND device.id IS NULL",
            ),
        ),
    ),
    CheckedTable(
        "token_secret",
        "digest",
        (
            Statement(
                "a secret belongs to no token",
                "SELECT NULL AS device, NULL AS command, token_secret.token AS detail FROM token_secret"
                " LEFT JOIN token ON token.id = token_secret.token WHERE {slice} AND token.id IS NULL",
            ),
        ),
    ),
    CheckedTable(
        "invitation",
        "person",
        (
            Statement(
                "an invitation is for no person",
                "SELECT NULL AS device, NULL AS command, invitation.person AS detail FROM invitation"
                " LEFT JOIN person ON person.name = invitation.person WHERE {slice} AND person.name IS NULL",
            ),
        ),
    ),
    CheckedTable(
        "session",
        "id",
        (
            Statement(
                "a session is that of no person",
                "SELECT NULL AS device, NULL AS command, session.person AS detail FROM session"
                " LEFT JOIN person ON person.name = session.person"
                " WHERE {slice} AND session.person IS NOT NULL AND person.name IS NULL",
            ),
        ),
    ),
    CheckedTable(
        "pending_outage",
        "device",
        (
            Statement(
                "a grace period runs for a device that is not approved and offline",
                f"SELECT pending_outage.device AS device, NULL AS command, {_DEVICE_STATE} AS detail"
                " FROM pending_outage"
                f" LEFT JOIN device ON device.id = pending_outage.device WHERE {{slice}} AND NOT {_IS_OFFLINE}",
            ),
        ),
    ),
    CheckedTable(
        "alert_device",
        "alert",
        (
            Statement(
                "an alert is open about a device that is not approved and offline",
                "SELECT alert_device.device AS device, NULL AS command,"
                f" 'alert ' || alert || ', ' || {_DEVICE_STATE} AS detail FROM alert_device"
                " LEFT JOIN device ON device.id = alert_device.device"
                " WHERE {slice} AND kind IN ('offline', 'site_offline', 'fleet_offline') AND cleared_at IS NULL"
                f" AND NOT {_IS_OFFLINE}",
            ),
            Statement(
                "a device belongs to an alert that does not exist",
                "SELECT device, NULL AS command, 'alert ' || alert AS detail FROM alert_device"
                " LEFT JOIN alert ON alert.id = alert_device.alert WHERE {slice} AND alert.id IS NULL",
            ),
        ),
        lowest=_LOWEST_NUMBER,
    ),
    CheckedTable(
        "alert",
        "id",
        (
            Statement(
                "an alert is open without an affected device, or cleared with one",
                "SELECT NULL AS device, NULL AS command, 'alert ' || id AS detail FROM alert"
                " WHERE {slice} AND kind NOT IN ('webhook', 'restored', 'notification_queue')"
                " AND (cleared_at IS NULL) <> EXISTS (SELECT 1 FROM alert_device"
                " WHERE alert_device.alert = alert.id AND alert_device.cleared_at IS NULL)",
            ),
            Statement(
                "an alert is open about a webhook that is not disabled",
                "SELECT NULL AS device, NULL AS command, 'alert ' || alert.id || ', webhook ' || webhook AS detail"
                " FROM alert LEFT JOIN webhook ON webhook.id = alert.webhook"
                " WHERE {slice} AND kind = 'webhook' AND cleared_at IS NULL AND webhook.disabled_at IS NULL",
            ),
        ),
        lowest=_LOWEST_NUMBER,
    ),
)
"""In the order in which they are checked."""

Position = tuple[int, Any]
"""Where a slice begins: the number of the table, and the key before its first row."""

START: Position = (0, TABLES[0].lowest)


def check_slice(tx: ITransaction, start: Position) -> Slice[Violation]:
    """Run all checks on the next rows of a table."""
    number, after = start
    table = TABLES[number]
    until = tx.rows(table.end_of_slice(), after=after, size=SLICE_SIZE)[0]["until"]
    if until is None:
        later = number + 1
        return Slice(items=(), resume=(later, TABLES[later].lowest) if later < len(TABLES) else None)
    found = [
        Violation(what=check.description, device=row["device"], command=row["command"], detail=row["detail"])
        for check in table.sliced()
        for row in tx.rows(check, now=tx.now.wall, grace=GRACE, after=after, until=until)
    ]
    return Slice(items=found, resume=(number, until))


def fsck(tx: ITransaction) -> list[Violation]:
    """Run all checks on all rows, in one transaction."""
    found: list[Violation] = []
    position: Position | None = START
    while position is not None:
        part = check_slice(tx, position)
        found += part.items
        position = part.resume
    return found
