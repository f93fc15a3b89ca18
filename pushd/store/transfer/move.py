"""The move of a fleet from one database to another.

Both are marked first, with the same id, so that a move that was interrupted goes on where it was: what the target has
of a table is a beginning of it, in the order of its key. Then rows and counters are compared, and both ends are
checked for inconsistencies, before the source is given up and the target may be used.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from secrets import token_hex

from attrs import evolve, frozen

from pushd.model.errors import StoreRefused
from pushd.model.timestamps import Now, milliseconds
from pushd.store.filters import Violation
from pushd.store.transactions.transfer import Transfer, TransferState
from pushd.store.transfer.ends import IEnd
from pushd.store.transfer.tables import (
    TABLES,
    UNMOVED_COLUMNS,
    UNMOVED_TABLES,
    Row,
    Table,
    batches,
    renewed,
)


class EndsDiffer(Exception):
    """The target is not what the source is, so servers must not use it."""


@frozen(kw_only=True)
class Progress:
    """How far a move is: so many rows of all tables are there, or (``is_check``) were compared."""

    table: str
    rows: int
    total: int
    is_check: bool = False


Report = Callable[[Progress], None]


@frozen(kw_only=True)
class Moved:
    """What was moved."""

    rows: Mapping[str, int]
    """How many rows, by table."""
    violations: int
    """Inconsistencies that both databases have."""


def move(source: IEnd, target: IEnd, report: Report, *, force: bool = False) -> Moved:
    """Move a fleet; ``force``: also one that was moved to another database before.

    :raises StoreRefused: if it cannot be moved; nothing was changed.
    :raises EndsDiffer: if what has arrived is not equal.
    """
    tables = matched(source, target)
    transfer = _begin(source, target, force)
    if transfer.state is TransferState.LEAVING:
        _copy(source, target, tables, report)
        target.set_counters(source.counters())
    moved = _compare(source, target, tables, report)
    source.mark(evolve(transfer, state=TransferState.MOVED, at=_now()))
    target.mark(None)
    return moved


def matched(source: IEnd, target: IEnd) -> list[Table]:
    """The tables, as both databases have them.

    :raises StoreRefused: if one has what the other does not have, and it is not known that this is not to be moved.
    """
    columns, keys, others = source.columns(), source.keys(), target.columns()
    unknown = {*columns, *others} - {*TABLES} - UNMOVED_TABLES
    tables = []
    for name in TABLES:
        unmoved = UNMOVED_COLUMNS.get(name, frozenset())
        moved = [column for column in columns[name] if column not in unmoved]
        unknown |= {f"{name}.{column}" for column in {*moved} ^ {*others[name]} - unmoved}
        tables.append(Table(name, tuple(moved), tuple(keys[name])))
    if unknown:
        raise StoreRefused(f"Not both databases have: {', '.join(sorted(unknown))}.")
    return tables


def _begin(source: IEnd, target: IEnd, force: bool) -> Transfer:
    """Mark both ends, unless this move was begun before; returns the mark of the source."""
    leaving, arriving = source.transfer(), target.transfer()
    is_half_filled = arriving is not None and arriving.state is TransferState.ARRIVING
    if leaving is not None and arriving is not None and is_half_filled and leaving.id == arriving.id:
        return leaving
    if leaving is not None and leaving.state is TransferState.ARRIVING:
        raise StoreRefused(f"{source.name} has not all of {leaving.other} yet: end that move first.")
    if leaving is not None and leaving.state is TransferState.MOVED and not force:
        raise StoreRefused(f"{source.name} was moved to {leaving.other} before; --force moves it once more.")
    if not is_half_filled:
        filled = next((name for name in TABLES if target.count(name)), None)
        if filled is not None:
            raise StoreRefused(f"{target.name} is in use: its table {filled} has rows. Name an empty database.")
    begun = Transfer(id=token_hex(8), state=TransferState.LEAVING, other=target.name, at=_now())
    target.mark(evolve(begun, state=TransferState.ARRIVING, other=source.name))  # first: a server that starts would
    target.clear()
    source.mark(begun)
    return begun


def _now() -> int:
    return milliseconds(time.time())


def _copy(source: IEnd, target: IEnd, tables: Iterable[Table], report: Report) -> None:
    """Copy what the target does not have yet."""
    total, copied = sum(source.count(name) for name in TABLES), 0
    now = Now(_now(), target.steady())
    for table in tables:
        there = target.count(table.name)
        copied += there
        if there and not table.key:
            continue  # its rows were written at once
        rows = renewed(table, source.rows(table, target.last_key(table) if there else None), now)
        for batch in batches(rows) if table.key else filter(None, [[*rows]]):
            target.insert(table, batch)
            copied += len(batch)
            report(Progress(table=table.name, rows=copied, total=total))


def _compare(source: IEnd, target: IEnd, tables: Iterable[Table], report: Report) -> Moved:
    """Compare both ends.

    :raises EndsDiffer: if they are not equal.
    """
    total, compared = 2 * sum(source.count(name) for name in TABLES), 0
    rows = {}
    for table in tables:
        digests = []
        for end in (source, target):
            count, digest = _digest(table, end.rows(table))
            digests.append((count, digest))
            compared += count
            report(Progress(table=table.name, rows=compared, total=total, is_check=True))
        if digests[0] != digests[1]:
            raise EndsDiffer(f"The table {table.name} of {target.name} differs from that of {source.name}.")
        rows[table.name] = digests[0][0]
    ours, theirs = source.counters(), target.counters()
    if (ours.last, ours.history) != (theirs.last, theirs.history):
        raise EndsDiffer(f"The numbers of {target.name} differ from those of {source.name}.")
    violations, others = _violations(source), _violations(target)
    if {*violations} != {*others}:
        what = next(iter({*violations} ^ {*others})).what
        raise EndsDiffer(f"The checks of {source.name} and {target.name} differ: {what}.")
    return Moved(rows=rows, violations=len(violations))


def _violations(end: IEnd) -> Sequence[Violation]:
    try:
        return end.find_violations()
    except StoreRefused as error:
        raise EndsDiffer(f"{end.name} cannot be checked: {error}") from error


def _digest(table: Table, rows: Iterable[Row]) -> tuple[int, bytes]:
    """How many rows there are, and a digest of what has to be equal of them."""
    count, digest = 0, sha256()
    for row in rows:
        digest.update(repr(table.lasting(row)).encode("utf-8", "surrogatepass"))
        count += 1
    return count, digest.digest()
