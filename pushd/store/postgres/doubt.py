"""What became of a commit whose connection was lost before the answer came."""

from time import monotonic, sleep

import psycopg
from psycopg.rows import tuple_row

from pushd.model.errors import Unavailable
from pushd.store.postgres.pipeline import Rows
from pushd.store.postgres.session import Connection, Identity, Session

SECONDS = 5.0
"""How long it is asked for."""

_INTERVAL = 0.1

_END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND backend_start::text = %s"


def is_committed(session: Session, xid: str) -> bool | None:
    """Whether a transaction was committed; None: that cannot be known, now.

    The former session is ended first: while it lives, it may still commit.
    """
    before, until = session.identity, monotonic() + SECONDS
    session.drop()
    while monotonic() < until:
        try:
            status = _ask(session.get(), session.identity, before, xid)
        except (psycopg.Error, Unavailable):
            sleep(_INTERVAL)
            continue
        if status != "in progress":
            return None if status is None else status == "committed"
        sleep(_INTERVAL)
    return None


_FIRST = (
    "SELECT seq - 1 AS before, (SELECT history FROM feed) AS history FROM event"
    " WHERE seq > %s AND xmin = %s::xid8::xid ORDER BY seq LIMIT 1"
)


def first_number(session: Session, xid: str, after: int) -> Rows:
    """What numbering the events of a transaction has answered, which was committed after the ``after``-th event."""
    rows = session.get().cursor(row_factory=tuple_row).execute(_FIRST, (after, xid)).fetchall()
    if not rows:
        raise Unavailable("The events of a transaction are not to be found.")
    return rows


def _ask(connection: Connection, now: Identity | None, before: Identity | None, xid: str) -> str | None:
    if now is None or before is None or now.timeline != before.timeline:
        return None  # another server has taken over, whose transactions may have the same numbers
    connection.execute(_END, (before.pid, before.started))
    row = connection.execute("SELECT pg_xact_status(%s::xid8) AS status", (xid,)).fetchone()
    return None if row is None else row["status"]
