"""Retention: delete old rows, a limited number at a time, and only for a few milliseconds.

Rows are as old as their wall time says. That of rows that were written while the wall clock was ahead is too late, but
they are at least as old as the step by which it was set back, see :mod:`pushd.store.transactions.clock`.
"""

from collections.abc import Callable, Mapping

from pushd.model.timestamps import Now
from pushd.store.transaction import ITransaction, Statement

_ENDED = Statement(
    "find commands to purge",
    "SELECT id, device FROM command WHERE finished_at < :before ORDER BY finished_at LIMIT :limit",
)
_ENDED_AHEAD = Statement(
    "find commands to purge that ended while the wall clock was ahead",
    "SELECT id, device FROM command WHERE finished_at > :now"
    " AND id <= (SELECT MAX(command) FROM clock_set_back WHERE elapsed < :elapsed_before) LIMIT :limit",
)
_ATTEMPTS = Statement("purge a command's attempts", "DELETE FROM attempt WHERE command = :id")
_TEXTS = Statement("purge a command's large texts", "DELETE FROM large_text WHERE command = :id")
_COMMAND = Statement("purge a command", "DELETE FROM command WHERE id = :id")


def _oldest(table: str, key: str) -> Statement:
    """Deletes old rows from the first by ``key`` on, up to the first that is kept: they are in order of time, so no
    others are read, and none is left out in between.
    """
    first = f"SELECT {key} AS key, at FROM {table} ORDER BY {key} LIMIT :limit"
    ahead = f"SELECT MAX({table}) FROM clock_set_back WHERE elapsed < :elapsed_before"
    kept = f"SELECT MIN(key) FROM ({first}) AS oldest WHERE at >= :before AND key > COALESCE(({ahead}), 0)"
    return Statement(
        f"purge old rows of {table}",
        f"DELETE FROM {table} WHERE {key} IN (SELECT key FROM ({first}) AS oldest)"
        f" AND {key} < COALESCE(({kept}), {key} + 1)",
    )


_EVENTS = _oldest("event", "seq")
_ORPHANS = _oldest("orphan", "id")
_DELIVERIES = _oldest("delivery", "id")

_CLEARED = (
    "SELECT id FROM (SELECT id FROM alert WHERE cleared_at < :before ORDER BY cleared_at, id LIMIT :limit)"
    " UNION SELECT id FROM (SELECT id FROM alert WHERE cleared_at > :now"
    " AND id <= (SELECT MAX(alert) FROM clock_set_back WHERE elapsed < :elapsed_before) LIMIT :limit)"
)
_ALERT_DEVICES = Statement(
    "purge the devices of old alerts",
    "DELETE FROM alert_device WHERE (alert, device) IN (SELECT alert, device"
    f" FROM ({_CLEARED}) AS oldest JOIN alert_device ON alert = id LIMIT :limit)",
)
_ALERTS = Statement(
    "purge old alerts",
    f"DELETE FROM alert WHERE id IN (SELECT id FROM ({_CLEARED}) AS oldest"
    " WHERE NOT EXISTS (SELECT 1 FROM alert_device WHERE alert = id))",
)


MAX_SECONDS = 0.005
"""Seconds after which a transaction deletes no more: meanwhile nothing else can be written."""

STEP = 10
"""Rows of each kind that are deleted before the time is compared."""


def purge(tx: ITransaction, before: int, limit: int, now: Now, seconds: Callable[[], float]) -> int:
    """Delete up to ``limit`` old rows of each kind, fewer if that takes long; returns how many were deleted.

    ``seconds`` is a monotonic clock.
    """
    times = {"before": before, "elapsed_before": now.elapsed_at(before), "now": now.wall}
    until, deleted = seconds() + MAX_SECONDS, 0
    for left in range(limit, 0, -STEP):
        now_deleted = _purge_step(tx, times, min(left, STEP))
        deleted += now_deleted
        if not now_deleted or seconds() >= until:
            break
    return deleted


def _purge_step(tx: ITransaction, times: Mapping[str, int], limit: int) -> int:
    deleted = 0
    for row in tx.rows(_ENDED, limit=limit, **times) or tx.rows(_ENDED_AHEAD, limit=limit, **times):
        tx.run(_ATTEMPTS, id=row["id"])
        tx.run(_COMMAND, id=row["id"])
        tx.commands.reload_newest(row["device"])
        deleted += 1
        if tx.run(_TEXTS, id=row["id"]) > 0:  # to free 16 MiB takes 0.1 s
            break
    others = (_EVENTS, _ORPHANS, _DELIVERIES, _ALERT_DEVICES, _ALERTS)  # an alert may have more devices than one batch
    return deleted + sum(tx.run(statement, limit=limit, **times) for statement in others)
