"""Queries: commands and what explains their state, orphan results, and the event log."""

from typing import Any

from pushd.model.command import Command
from pushd.model.device import Orphan
from pushd.model.errors import EventsPurged
from pushd.model.lifecycle import ENDED, OUT, State
from pushd.model.timestamps import Now
from pushd.model.uuid7 import lower_bound
from pushd.store.filters import SLICE_SIZE, CommandContext, CommandFilter, EventFilter, EventPage, Slice
from pushd.store.rows import to_command, to_event, to_orphan
from pushd.store.transaction import ITransaction, Statement, first
from pushd.store.transactions import lifecycle_guards
from pushd.store.transactions.command_lookup import look_up, to_whole_command
from pushd.store.transactions.devices import queue_depth
from pushd.store.transactions.epochs import EPOCH_OF_EVENT, event_id


def get_command(tx: ITransaction, command: str) -> Command:
    """A command with its payload and result."""
    return to_whole_command(tx, look_up(tx, command))


def _filtered(description: str, sql: str, conditions: dict[str, str], wanted: dict[str, Any]) -> tuple[Statement, Any]:
    """The statement with those conditions whose value is not None, and these values."""
    values = {name: value for name, value in wanted.items() if value is not None}
    where = " AND ".join(conditions[name] for name in values) or "TRUE"
    return Statement(description, sql.format(where=where)), values


ID_MARGIN = 60_000
"""Milliseconds by which the time in a command's id may be before its ``created_at``: the id is made first."""

_COMMANDS = f"SELECT {lifecycle_guards.COLUMNS} FROM command {{index}} WHERE {{where}} ORDER BY id DESC LIMIT :limit"
_COMMAND_CONDITIONS = {
    "before": "id < :before",
    "device": "device = :device",
    "state": "state = :state",
    "first": "id > :first",
}
_INDEX_CONDITIONS = {
    State.QUEUED: "state = 'queued'",
    **dict.fromkeys(OUT, "lease_until IS NOT NULL"),
    **dict.fromkeys(ENDED, "finished_at IS NOT NULL"),
}
_OPEN_INDEXES = {
    (State.QUEUED, False): "INDEXED BY command_expiry",
    (State.QUEUED, True): "INDEXED BY command_queue",
    (State.SENT, False): "INDEXED BY command_lease",
    (State.SENT, True): "INDEXED BY command_out",
    (State.ACKNOWLEDGED, False): "INDEXED BY command_lease",
    (State.ACKNOWLEDGED, True): "INDEXED BY command_out",
}
"""The index of the open commands in a state, of all devices and of one. It is not in the order of ids, so SQLite's
planner would rather read all commands, also those that have ended.
"""


def list_commands(tx: ITransaction, which: CommandFilter, start: tuple[str | None, int]) -> Slice[Command]:
    """Commands that match a filter, newest first, without payloads and results; ``start`` is the id before which they
    are read, and how many rows.

    The rows are found by an index, and all match unless the clock was set: then ids and times differ.
    """
    before, size = start
    statement, values = command_listing(which, before)
    rows = tx.rows(statement, limit=size, **values)
    found = [row for row in rows if which.since is None or row["created_at"] >= which.since]
    resume = (rows[-1]["id"], SLICE_SIZE) if len(rows) == size else None
    return Slice(items=[to_command(row, whole=False) for row in found], resume=resume)


def command_listing(which: CommandFilter, before: str | None) -> tuple[Statement, Any]:
    """The statement that lists commands by an index, and its values without ``limit``."""
    oldest = None if which.since is None else lower_bound(which.since - ID_MARGIN)
    wanted = {"before": before, "device": which.device, "state": which.state, "first": oldest}
    condition, index = "TRUE", ""
    if which.state is not None:  # the condition of the index as it was declared, else SQLite does not use it
        condition = _INDEX_CONDITIONS[which.state]
        index = _OPEN_INDEXES.get((which.state, which.device is not None), "")
    sql = _COMMANDS.format(index=index, where=f"{condition} AND {{where}}")
    return _filtered("list commands", sql, _COMMAND_CONDITIONS, wanted)


_ORPHANS = (
    "SELECT id, device, at, reason, reference, size, raw FROM orphan WHERE {where} ORDER BY id DESC LIMIT :limit"
)
_ORPHAN_CONDITIONS = {"device": "device = :device", "before": "id < :before"}


def list_orphans(tx: ITransaction, device: str, before: int | None, limit: int) -> list[Orphan]:
    """A page of a device's orphan results, newest first."""
    wanted = {"device": device, "before": before}
    statement, values = _filtered("list orphan results", _ORPHANS, _ORPHAN_CONDITIONS, wanted)
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


def list_events(tx: ITransaction, which: EventFilter, after: int, limit: int, resume: int | None = None) -> EventPage:
    """A page of the event log; with types, only as much of it as :data:`SLICE_SIZE` rows hold.

    ``resume`` is the ``next`` of an earlier part of the same page.
    """
    last = last_event(tx)
    if resume is None:
        _check_kept(tx, after, last)
    elif after > 0:  # retention may have been here since
        _check_kept(tx, resume, last)
    conditions = ["seq > :after"]
    values: dict[str, Any] = {"after": after if resume is None else resume}
    if which.device is not None:
        conditions.append("device = :device")
        values["device"] = which.device
    until, complete = last, True
    if which.types:
        statement = Statement("read the numbers of events", _SLICE.format(where=" AND ".join(conditions)))
        [rows] = tx.rows(statement, size=SLICE_SIZE, **values)
        if rows["size"] == SLICE_SIZE:
            until, complete = rows["until"], False
        names = {f"type{n}": kind for n, kind in enumerate(which.types)}
        conditions += ["seq <= :until", f"type IN ({', '.join(':' + name for name in names)})"]
        values |= names | {"until": until}
    statement = Statement("list events", _EVENTS.format(where=" AND ".join(conditions)))
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


_AHEAD = Statement(
    "count the commands ahead of a command",
    "SELECT COUNT(*) AS ahead FROM command WHERE device = :device AND state = 'queued'"
    " AND (priority > :priority OR (priority = :priority AND id < :id)) AND COALESCE(not_before, 0) <= :now",
)
_LEASE = Statement("look up a lease", "SELECT lease_until FROM command WHERE id = :id")
_SIGNED_OFF = Statement(  # backwards: a device that is signed off has few newer events
    "look up when a device signed off",
    "SELECT at FROM event WHERE device = :device AND type = 'device.signed_off'"
    " AND (SELECT presence FROM device WHERE id = :device) = 'signed_off' ORDER BY seq DESC LIMIT 1",
)


def command_context(tx: ITransaction, command: str, now: Now) -> CommandContext:
    """A command with what explains its state."""
    found = to_command(look_up(tx, command), whole=False)
    ahead = tx.rows(_AHEAD, device=found.device, priority=found.priority, id=found.id, now=now.wall)[0]["ahead"]
    until = tx.rows(_LEASE, id=command)[0]["lease_until"]
    signed_off = first(tx, _SIGNED_OFF, device=found.device)
    return CommandContext(
        command=found,
        ahead=ahead if found.state is State.QUEUED else 0,
        in_flight=queue_depth(tx, found.device).in_flight,
        lease_left=None if until is None else max(round(until) - now.steady, 0),
        signed_off_at=None if signed_off is None else signed_off["at"],
    )
