"""Queries: commands and what explains their state, orphan results, and the event log."""

import json
from typing import Any

from pushd.model.command import Command
from pushd.model.device import Orphan
from pushd.model.errors import EventsPurged
from pushd.model.lifecycle import ENDED
from pushd.model.uuid7 import lower_bound
from pushd.rules import replies
from pushd.rules.operator_actions import look_up
from pushd.store.filters import SLICE_SIZE, CommandFilter, EventFilter, EventPage, Slice
from pushd.store.rows import COMMAND_COLUMNS, to_command, to_event, to_orphan
from pushd.store.transaction import ITransaction, Row, Statement, filtered, first
from pushd.store.transactions.epochs import EPOCH_OF_EVENT, event_id


def get_command(tx: ITransaction, command: str) -> Command:
    """A command with its payload and result.

    :raises UnknownCommand: if there is none.
    """
    return replies.whole(tx.commands, look_up(tx.commands, command))


ID_MARGIN = 60_000
"""Milliseconds by which the time in a command's id may be before its ``created_at``: the id is made first."""

_COMMANDS = f"SELECT {COMMAND_COLUMNS} FROM command {{index}} WHERE {{where}} ORDER BY id DESC LIMIT :limit"
_COMMAND_CONDITIONS = {
    "before": "id < :before",
    "device": "device = :device",
    "state": "state = :state",
    "oldest": "id > :oldest",
    "first": "id >= :first",
}
_OPEN_SLICE = Statement(
    "read the ids of open commands",
    "SELECT MIN(id) AS first, COUNT(*) AS size FROM (SELECT id FROM command INDEXED BY command_open"
    " WHERE finished_at IS NULL AND id < :before ORDER BY id DESC LIMIT :size)",
)


def list_commands(tx: ITransaction, which: CommandFilter, start: tuple[str | None, int]) -> Slice[Command]:
    """Commands that match a filter, newest first, without payloads and results; ``start`` is the id before which they
    are read, and how many rows.

    The rows are found by an index, and all match unless the clock was set: then ids and times differ.
    """
    before, size = start
    statement, values = command_listing(which, before)
    rows = tx.rows(statement, limit=size, **values)
    found = [row for row in rows if _is_since(row, which)]
    resume = (rows[-1]["id"], SLICE_SIZE) if len(rows) == size else None
    return Slice(items=[to_command(row) for row in found], resume=resume)


def _is_since(row: Row, which: CommandFilter) -> bool:
    return which.since is None or bool(row["created_at"] >= which.since)


BEHIND_ALL = "~"
"""Greater than the id of any command."""


def list_open_commands(tx: ITransaction, which: CommandFilter, before: str) -> Slice[Command]:
    """Commands in a state that is not final, as :func:`list_commands`, among the next :data:`SLICE_SIZE` open ones."""
    [part] = tx.rows(_OPEN_SLICE, before=before, size=SLICE_SIZE)
    if not part["size"]:
        return Slice(items=(), resume=None)
    statement, values = command_listing(which, before, part["first"])
    found = [row for row in tx.rows(statement, limit=SLICE_SIZE, **values) if _is_since(row, which)]
    resume = part["first"] if part["size"] == SLICE_SIZE else None
    return Slice(items=[to_command(row) for row in found], resume=resume)


def command_listing(which: CommandFilter, before: str | None, first: str | None = None) -> tuple[Statement, Any]:
    """The statement that lists commands by an index, and its values without ``limit``."""
    oldest = None if which.since is None else lower_bound(which.since - ID_MARGIN)
    wanted = {"before": before, "device": which.device, "state": which.state, "oldest": oldest, "first": first}
    condition, index = "TRUE", ""
    if which.state in ENDED:  # the condition of the index as it was declared, else SQLite does not use it
        condition = "finished_at IS NOT NULL"
    elif which.state is not None:
        condition, index = "finished_at IS NULL", "INDEXED BY command_open"
    sql = _COMMANDS.format(index=index, where=f"{condition} AND {{where}}")
    return filtered("list commands", sql, _COMMAND_CONDITIONS, wanted)


_ORPHANS = (
    "SELECT id, device, at, reason, reference, size, raw FROM orphan WHERE {where} ORDER BY id DESC LIMIT :limit"
)
_ORPHAN_CONDITIONS = {"device": "device = :device", "before": "id < :before"}


def list_orphans(tx: ITransaction, device: str, before: int | None, limit: int) -> list[Orphan]:
    """A page of a device's orphan results, newest first."""
    wanted = {"device": device, "before": before}
    statement, values = filtered("list orphan results", _ORPHANS, _ORPHAN_CONDITIONS, wanted)
    return [to_orphan(row) for row in tx.rows(statement, limit=limit, **values)]


_EVENTS = (
    f"SELECT seq, type, at, device, command, data, {EPOCH_OF_EVENT.format(seq='event.seq')} AS epoch"
    " FROM event WHERE {where} ORDER BY seq LIMIT :limit"
)
NEVER_HAD = "This database has no such event: it may have been restored from a backup."
_OLDEST = Statement("find the oldest event", "SELECT MIN(seq) AS oldest FROM event")
_NEWEST = Statement("find the newest event", "SELECT seq AS last FROM sqlite_sequence WHERE name = 'event'")
_SLICE = (
    "SELECT MAX(seq) AS until, COUNT(*) AS size FROM (SELECT seq FROM event WHERE {where} ORDER BY seq LIMIT :size)"
)
_EVENT_CONDITIONS = {
    "after": "seq > :after",
    "device": "device = :device",
    "until": "seq <= :until",
    "types": "type IN (SELECT value FROM json_each(:types))",
}


def list_events(tx: ITransaction, which: EventFilter, after: int, limit: int, resume: int | None = None) -> EventPage:
    """A page of the event log; with types, only as much of it as :data:`SLICE_SIZE` rows hold.

    ``resume`` is the ``next`` of an earlier part of the same page.
    """
    last = last_event(tx)
    if resume is None:
        _check_kept(tx, after, last)
    elif after > 0:  # retention may have been here since
        _check_kept(tx, resume, last)
    wanted: dict[str, Any] = {"after": after if resume is None else resume, "device": which.device}
    until, complete = last, True
    if which.types:
        statement, values = filtered("read the numbers of events", _SLICE, _EVENT_CONDITIONS, wanted)
        [rows] = tx.rows(statement, size=SLICE_SIZE, **values)
        if rows["size"] == SLICE_SIZE:
            until, complete = rows["until"], False
        wanted |= {"until": until, "types": json.dumps(which.types)}
    statement, values = filtered("list events", _EVENTS, _EVENT_CONDITIONS, wanted)
    items = tuple(to_event(row) for row in tx.rows(statement, limit=limit, **values))
    if len(items) == limit:
        until, complete = items[-1].seq, True
    return EventPage(items=items, next=until, complete=complete)


def _check_kept(tx: ITransaction, after: int, last: int) -> None:
    oldest = tx.rows(_OLDEST)[0]["oldest"]
    first_kept = last + 1 if oldest is None else oldest
    if 0 < after < first_kept - 1:
        raise EventsPurged(first_kept, event_id(tx, first_kept))
    if after > last:
        raise EventsPurged(first_kept, event_id(tx, first_kept), NEVER_HAD)


def last_event(tx: ITransaction) -> int:
    """The ``seq`` of the newest event; 0 if there was none yet."""
    rows = tx.rows(_NEWEST)
    return int(rows[0]["last"]) if rows else 0


_SIGNED_OFF = Statement(  # backwards: a device that is signed off has few newer events
    "look up when a device signed off",
    "SELECT at FROM event WHERE device = :device AND type = 'device.signed_off'"
    " AND (SELECT presence FROM device WHERE id = :device) = 'signed_off' ORDER BY seq DESC LIMIT 1",
)


def command_with_sign_off(tx: ITransaction, command: str) -> tuple[Command, int | None]:
    """A command without its payload and result, and when its device signed off, while it is signed off."""
    found = replies.to_command(look_up(tx.commands, command), {}, None)
    signed_off = first(tx, _SIGNED_OFF, device=found.device)
    return found, None if signed_off is None else signed_off["at"]
