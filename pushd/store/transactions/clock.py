"""The clocks over restarts and steps of the wall clock."""

from attrs import evolve

from pushd.model.timestamps import LARGE_STEP
from pushd.rules.time_limits import clock_steps
from pushd.store.transaction import ITransaction, Statement, first

_SAVED = Statement("read the clocks", "SELECT wall, elapsed, retention_from FROM clock")
_LAST_EVENT = Statement("look for the last event", "SELECT at FROM event ORDER BY seq DESC LIMIT 1")
_SAVE = Statement(
    "save the clocks",
    "INSERT INTO clock (id, wall, elapsed, retention_from) VALUES (1, :wall, :elapsed, :retention_from)"
    " ON CONFLICT (id) DO UPDATE SET wall = :wall, elapsed = :elapsed, retention_from = :retention_from",
)
_DROP_EXPIRED = (
    Statement("drop expired proofs", "DELETE FROM proof WHERE expires_at <= :elapsed"),
    Statement("drop expired secrets of tokens", "DELETE FROM token_secret WHERE expires_at <= :elapsed"),
    Statement("drop expired invitations", "DELETE FROM invitation WHERE expires_at <= :elapsed"),
    Statement("drop expired secrets of webhooks", "DELETE FROM webhook_secret WHERE expires_at <= :elapsed"),
)


def last_event_at(tx: ITransaction) -> int | None:
    """When the newest event that is stored was recorded, in wall milliseconds; None if there is none."""
    row = first(tx, _LAST_EVENT)
    return None if row is None else row["at"]


def save(tx: ITransaction, retention_from: int) -> None:
    """Save the clocks, and drop what has expired by now: then no step and no restart can make it valid again."""
    tx.run(_SAVE, wall=tx.now.wall, elapsed=tx.now.elapsed, retention_from=retention_from)
    for statement in _DROP_EXPIRED:
        tx.run(statement, elapsed=tx.now.elapsed)


def save_step(tx: ITransaction, retention_from: int, step: int) -> None:
    """Save that the wall clock was set forward by ``step`` milliseconds, or back, if it is negative; it was applied to
    the queued commands before, or is by the next start.
    """
    if step < -LARGE_STEP:
        _mark(tx)
    save(tx, retention_from)


def resume(tx: ITransaction, writable: bool = True) -> tuple[int | None, int]:
    """Continue elapsed time at the start of a process: it includes the time since the clocks were saved, as far as the
    wall clock shows it. Returns the newest wall time that is known, and when retention may start.
    """
    saved, event = first(tx, _SAVED), last_event_at(tx) if writable else None  # events may be damaged
    known = (None if saved is None else saved["wall"], event)
    newest: int | None = max((moment for moment in known if moment is not None), default=None)
    retention_from: int = 0 if saved is None else saved["retention_from"]
    if saved is not None:
        tx.now = evolve(tx.now, elapsed=saved["elapsed"] + max(tx.now.wall - saved["wall"], 0))
    if not writable:  # a step is applied, and the clocks are saved, when there is space again
        return newest, retention_from
    _apply_step(tx, tx.now.wall if newest is None else max(tx.now.wall, newest))
    if newest is not None and tx.now.wall < newest - LARGE_STEP:
        _mark(tx)
    save(tx, retention_from)
    return newest, retention_from


def _apply_step(tx: ITransaction, latest: int) -> None:
    """Apply a step of the wall clock to the time to live of queued commands."""
    for command in clock_steps(tx.commands.open(), latest, tx.now):
        tx.commands.change(command)


_MARK = Statement(
    "mark what was written before the wall clock was set back",
    "INSERT INTO clock_set_back (elapsed, event, orphan, delivery, alert, command) SELECT :elapsed, "
    + ", ".join(
        f"COALESCE((SELECT MAX({key}) FROM {table}), 0)"
        for table, key in (("event", "seq"), ("orphan", "id"), ("delivery", "id"), ("alert", "id"))
    )
    + ", COALESCE((SELECT MAX(id) FROM command), '')",
)


def _mark(tx: ITransaction) -> None:
    tx.flush()
    tx.run(_MARK, elapsed=tx.now.elapsed)
