"""Retention: delete old rows, a limited number at a time, and only for a few milliseconds."""

from collections.abc import Callable

from pushd.store.transaction import ITransaction, Statement

_ENDED = Statement(
    "find commands to purge",
    "SELECT id FROM command WHERE finished_at < :before ORDER BY finished_at LIMIT :limit",
)
_ATTEMPTS = Statement("purge a command's attempts", "DELETE FROM attempt WHERE command = :id")
_COMMAND = Statement("purge a command", "DELETE FROM command WHERE id = :id")


def _oldest(table: str, key: str) -> Statement:
    """Deletes old rows in the range of the first by ``key``: they are in order of time, so rows that are kept are not
    read.
    """
    first = f"SELECT {key} FROM {table} ORDER BY {key} LIMIT :limit"
    return Statement(
        f"purge old rows of {table}",
        f"DELETE FROM {table} WHERE {key} <= (SELECT MAX({key}) FROM ({first}) AS oldest) AND at < :before",
    )


_EVENTS = _oldest("event", "seq")
_ORPHANS = _oldest("orphan", "id")
_DELIVERIES = _oldest("delivery", "id")

_CLEARED = "SELECT id, cleared_at FROM alert WHERE cleared_at < :before ORDER BY cleared_at, id LIMIT :limit"
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


def purge(tx: ITransaction, before: int, limit: int, seconds: Callable[[], float]) -> int:
    """Delete up to ``limit`` old rows of each kind, fewer if that takes long; returns how many were deleted.

    ``seconds`` is a monotonic clock.
    """
    until, deleted = seconds() + MAX_SECONDS, 0
    for left in range(limit, 0, -STEP):
        now_deleted = _purge_step(tx, before, min(left, STEP))
        deleted += now_deleted
        if not now_deleted or seconds() >= until:
            break
    return deleted


def _purge_step(tx: ITransaction, before: int, limit: int) -> int:
    ended = tx.rows(_ENDED, before=before, limit=limit)
    for row in ended:
        tx.run(_ATTEMPTS, id=row["id"])
        tx.run(_COMMAND, id=row["id"])
    others = (_EVENTS, _ORPHANS, _DELIVERIES, _ALERT_DEVICES, _ALERTS)  # an alert may have more devices than one batch
    return len(ended) + sum(tx.run(statement, before=before, limit=limit) for statement in others)
