"""What the start looks at in PostgreSQL: whether sessions are sessions, and whether what is committed survives."""

from typing import Any

from twisted.logger import Logger

from pushd.model.errors import StoreRefused
from pushd.store.postgres.session import Connection

_log = Logger()

_SETTINGS = (
    "SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync,"
    " current_setting('full_page_writes') AS full_page_writes,"
    " current_setting('synchronous_commit') AS synchronous_commit,"
    " current_setting('synchronous_standby_names') AS standbys"
)


def check_server(one: Connection, other: Connection) -> None:
    """Check a server over two sessions, and log how durable its commits are.

    :raises StoreRefused: if a pooler gives each transaction another session.
    """
    if is_pooled_by_transaction(one, other):
        raise StoreRefused(
            "a pooler such as pgbouncer gives each transaction another session; let it pool by session, or connect to"
            " PostgreSQL itself."
        )
    settings = _row(one, _SETTINGS)
    _log.info(
        "PostgreSQL {version}: synchronous_commit is {synchronous_commit}, synchronous standbys: {standbys}",
        **{**settings, "standbys": settings["standbys"] or "none"},
    )
    for name in ("fsync", "full_page_writes"):
        if settings[name] != "on":
            _log.warn("{setting} of PostgreSQL is off: a power cut may lose what was answered", setting=name)


def is_pooled_by_transaction(one: Connection, other: Connection) -> bool:
    """Whether two sessions share, in turn, what is a session of PostgreSQL."""
    if one.info.backend_pid == (before := _pid(one)) and one is not other:
        return False  # no pooler: its clients learn other numbers
    other.execute("BEGIN")
    try:
        return _pid(other) == before or _pid(one) != before
    finally:
        other.execute("ROLLBACK")


def _pid(connection: Connection) -> int:
    pid: int = _row(connection, "SELECT pg_backend_pid() AS pid")["pid"]
    return pid


def _row(connection: Connection, sql: str) -> dict[str, Any]:
    row = connection.execute(sql.encode()).fetchone()
    assert row is not None, "settings are one row"
    return row
