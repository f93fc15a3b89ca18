"""Retention: delete old rows, a limited number at a time, and only for a few milliseconds.

Rows are as old as their wall time says. That of rows that were written while the wall clock was ahead is too late, but
they are at least as old as the step by which it was set back, see :mod:`pushd.store.transactions.clock`.
"""

import json
from collections.abc import Callable, Mapping

from attrs import frozen

from pushd.store.transaction import ITransaction, Statement

_ENDED = (
    "SELECT id, device, finished_at, EXISTS (SELECT 1 FROM large_text WHERE large_text.command = id) AS is_large"
    " FROM command WHERE"
)
_FIND = (
    Statement("find commands to purge", f"{_ENDED} finished_at < :before ORDER BY finished_at LIMIT :limit"),
    Statement(
        "find commands to purge",
        f"{_ENDED} finished_at > :now"
        " AND id <= (SELECT MAX(command) FROM clock_set_back WHERE elapsed < :elapsed_before) LIMIT :limit",
    ),
)
_DELETE = tuple(  # one statement for each table: each gives up the GIL
    Statement(f"purge {what}", f"DELETE FROM {table} WHERE {key} IN (SELECT value FROM json_each(:commands))")
    for what, table, key in (
        ("large texts", "large_text", "command"),
        ("attempts", "attempt", "command"),
        ("commands", "command", "id"),
    )
)


@frozen
class _Oldest:
    """Purges the oldest rows of a table, up to the first that is kept: they are in order of time, so no others are
    read, and none is left out in between.
    """

    end: Statement
    """Finds the key behind the last of them."""
    delete: Statement

    @classmethod
    def of(cls, table: str, key: str) -> "_Oldest":
        """The statements for a table."""
        first = f"SELECT {key} AS key, at FROM {table} ORDER BY {key} LIMIT :limit"
        ahead = f"SELECT MAX({table}) FROM clock_set_back WHERE elapsed < :elapsed_before"
        return cls(
            end=Statement(
                f"find old rows of {table}",
                f"WITH oldest AS ({first}) SELECT COALESCE((SELECT MIN(key) FROM oldest WHERE at >= :before"
                f" AND key > COALESCE(({ahead}), 0)), (SELECT MAX(key) + 1 FROM oldest)) AS key",
            ),
            delete=Statement(f"purge old rows of {table}", f"DELETE FROM {table} WHERE {key} < :end"),
        )


_OLDEST = (_Oldest.of("event", "seq"), _Oldest.of("orphan", "id"), _Oldest.of("delivery", "id"))

_CLEARED = (
    "SELECT id FROM (SELECT id FROM alert WHERE cleared_at < :before ORDER BY cleared_at, id LIMIT :limit) AS old"
    " UNION SELECT id FROM (SELECT id FROM alert WHERE cleared_at > :now"
    " AND id <= (SELECT MAX(alert) FROM clock_set_back WHERE elapsed < :elapsed_before) LIMIT :limit) AS ahead"
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

FIRST_STEP = 10
"""Commands that are deleted before the time is compared; then twice as many, as long as there is time."""

EVENTS_OF_COMMAND = 16
"""Events, and other rows, that are deleted at most for each command."""


def purge(
    tx: ITransaction, before: int, limit: int, seconds: Callable[[], float], first_step: int = FIRST_STEP
) -> int:
    """Delete up to ``limit`` old commands, and what else is as old, less if that takes long; returns how many rows.

    ``seconds`` is a monotonic clock; it is read after ``first_step`` commands for the first time.
    """
    times = {"before": before, "elapsed_before": tx.now.elapsed_at(before), "now": tx.now.wall}
    until, deleted, step = seconds() + MAX_SECONDS, 0, min(first_step, limit)
    while step > 0:
        now_deleted, tried = _purge_step(tx, times, step)
        deleted += now_deleted
        if not now_deleted or seconds() >= until:
            break
        limit -= tried
        step = min(2 * tried, limit)
    return deleted


def _purge_step(tx: ITransaction, times: Mapping[str, int], limit: int) -> tuple[int, int]:
    """Delete old commands, and the other rows that are as old, so that neither kind waits for the other.

    Returns how many rows were deleted, and the limit: 1 if there are large texts, as to free 16 MiB takes 0.1 s.
    """
    deleted, until = 0, times["before"]
    for statement in _FIND:
        found = tx.rows(statement, limit=limit, **times)
        if limit > 1 and any(row["is_large"] for row in found):
            return _purge_step(tx, times, 1)
        if found:
            tx.commands.forget({row["id"]: row["device"] for row in found})
            commands = json.dumps([row["id"] for row in found])
            deleted = [tx.run(delete, commands=commands) for delete in _DELETE][-1]
            until = until if deleted < limit else min(max(row["finished_at"] for row in found) + 1, until)
            break
    for oldest in _OLDEST:
        end = tx.rows(oldest.end, limit=limit * EVENTS_OF_COMMAND, **{**times, "before": until})[0]["key"]
        deleted += 0 if end is None else tx.run(oldest.delete, end=end)
    for statement in (_ALERT_DEVICES, _ALERTS):  # an alert may have more devices than one batch
        deleted += tx.run(statement, limit=limit, **times)
    return deleted, limit
