"""The audit log in SQL."""

import json

from pushd.model.admin_api import START
from pushd.model.audit import AuditEntry, Fields
from pushd.model.epochs import is_public_id, public_id
from pushd.model.errors import EventsPurged, InvalidQuery
from pushd.store.filters import AuditFilter
from pushd.store.rows import report_corruption
from pushd.store.transaction import ITransaction, Row, Statement, filtered, first

_COLUMNS = "id, epoch, at, by, address, action, object, before, after"
_INSERT = Statement(
    "write the audit log",
    "INSERT INTO audit (epoch, at, by, address, action, object, before, after) VALUES"
    " (COALESCE((SELECT name FROM epoch ORDER BY number DESC LIMIT 1), ''), :at, :by, :address, :action, :object,"
    f" :before, :after) RETURNING {_COLUMNS}",
    postgres="WITH numbered AS (UPDATE feed SET last_audit = last_audit + 1 RETURNING last_audit, history)"
    " INSERT INTO audit (id, epoch, at, by, address, action, object, before, after)"
    " SELECT last_audit, history, :at, :by, :address, :action, :object, :before, :after FROM numbered"
    f" RETURNING {_COLUMNS}",
)


def record_audit(
    tx: ITransaction, action: str, what: str, before: Fields | None = None, after: Fields | None = None
) -> None:
    """Record what the actor changes for whom the operation runs; what the server does by itself is not recorded.

    ``what`` is the object of the action.
    """
    if tx.actor is None:
        return
    [row] = tx.rows(
        _INSERT,
        at=tx.now.wall,
        by=tx.actor.name,
        address=tx.actor.address,
        action=action,
        object=what,
        before=_to_text(before),
        after=_to_text(after),
    )
    tx.audited.append(_to_entry(row))


def _to_text(fields: Fields | None) -> str | None:
    return None if fields is None else json.dumps(fields)


@report_corruption("An audit entry")
def _to_entry(row: Row) -> AuditEntry:
    before, after = (None if row[name] is None else json.loads(row[name]) for name in ("before", "after"))
    names = ("id", "epoch", "at", "address", "action", "object")
    return AuditEntry(before=before, after=after, by=row["by"] or None, **{name: row[name] for name in names})


_LIST = f"SELECT {_COLUMNS} FROM audit WHERE {{where}} ORDER BY id LIMIT :limit"
_CONDITIONS = {"after": "id > :after", "by": "by = :by", "object": "object = :object"}
_BOUNDS = Statement(
    "find the ends of the audit log",
    "SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), 0) AS last,"
    " (SELECT MIN(id) FROM audit) AS oldest",
    postgres="SELECT last_audit AS last, (SELECT MIN(id) FROM audit) AS oldest FROM feed",
)
_BY_ID = Statement("look up an audit entry", "SELECT epoch, id FROM audit WHERE id = :id")


def list_audit(tx: ITransaction, which: AuditFilter, after: str, limit: int) -> list[AuditEntry]:
    """A page of the audit log, oldest first, from the entry behind the one with the id ``after`` on."""
    position = _position(tx, after)
    wanted = {"after": position, "by": which.by, "object": which.object}
    statement, values = filtered("list the audit log", _LIST, _CONDITIONS, wanted)
    return [_to_entry(row) for row in tx.rows(statement, limit=limit, **values)]


def _position(tx: ITransaction, after: str) -> int:
    """The number of an entry.

    :raises InvalidQuery: if this is not the id of an entry.
    :raises EventsPurged: if entries behind it were purged, or this database never had it.
    """
    if after == START:
        return 0
    if not is_public_id(after):
        raise InvalidQuery("after must be the id of an audit entry, or the next of a page of them.")
    number = int(after.rpartition("-")[2])
    bounds = tx.rows(_BOUNDS)[0]
    oldest = bounds["last"] + 1 if bounds["oldest"] is None else bounds["oldest"]
    row = first(tx, _BY_ID, id=number)
    if row is None and number < oldest - 1:
        raise EventsPurged(oldest, _id_of(tx, oldest), "Audit entries that old are no longer kept.")
    if number > bounds["last"] or (row is not None and public_id(row["epoch"], row["id"]) != after):
        raise EventsPurged(oldest, _id_of(tx, oldest), "This database has no such audit entry.")
    return number


def _id_of(tx: ITransaction, number: int) -> str:
    row = first(tx, _BY_ID, id=number)
    return str(number) if row is None else public_id(row["epoch"], row["id"])


_OLDEST = "(SELECT id, at FROM audit ORDER BY id LIMIT :limit)"
_PURGE = Statement(  # the oldest up to the first that is kept: entries are in the order of time
    "purge the audit log",
    f"DELETE FROM audit WHERE id < COALESCE((SELECT MIN(id) FROM {_OLDEST} AS oldest WHERE at >= :before),"
    f" (SELECT MAX(id) + 1 FROM {_OLDEST} AS oldest))",
)


def purge_audit(tx: ITransaction, before: int, limit: int) -> int:
    """Delete up to ``limit`` entries older than ``before``, in wall milliseconds; how many."""
    return tx.run(_PURGE, before=before, limit=limit)
