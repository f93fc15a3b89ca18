"""What the database of a stepped store contains, read past its executor."""

from sqlite3 import Row

from pushd.store.sqlite.connection import SqliteConnection
from tests.stepped import SteppedStore

_CLAIMABLE = (
    "SELECT command.id FROM command JOIN device ON device.id = command.device WHERE device.id = :device"
    " AND admission = 'approved' AND state = 'queued' AND expires_at > :now AND COALESCE(not_before, 0) <= :now"
)
_IN_FLIGHT = (
    "SELECT uuid FROM attempt JOIN command ON command.id = attempt.command AND number = attempts"
    " WHERE attempt.device = :device AND lease_until IS NOT NULL ORDER BY serial DESC LIMIT 1"
)
_SENT = "SELECT id, attempts FROM command WHERE state = 'sent'"


def claimable(store: SteppedStore, device: str, retry: str | None, now: int) -> list[str]:
    """The commands that a poll should get; ``retry`` is its uuid, if a repeated uuid makes it a retry."""
    in_flight = _rows(store, _IN_FLIGHT, device=device)
    if retry is not None and in_flight and in_flight[0]["uuid"] == retry:
        return []
    return [row["id"] for row in _rows(store, _CLAIMABLE, device=device, now=now)]


def sent(store: SteppedStore) -> set[tuple[str, int]]:
    """The commands in state ``sent``, each with its attempt."""
    return {(row["id"], row["attempts"]) for row in _rows(store, _SENT)}


def _rows(store: SteppedStore, sql: str, **values: object) -> list[Row]:
    assert isinstance(store.executor.connection, SqliteConnection)
    return store.executor.connection.connection.execute(sql, values).fetchall()
