"""Queries: commands and what explains their state, orphan results, and the event log."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any

from pushd.lib.text import caseless
from pushd.model.command import Command
from pushd.model.device import Admission, Orphan, PresenceState
from pushd.model.errors import EventsPurged
from pushd.model.event import Event
from pushd.model.lifecycle import ENDED
from pushd.model.timestamps import LARGE_STEP
from pushd.model.uuid7 import lower_bound
from pushd.rules import replies
from pushd.rules.operator_actions import look_up
from pushd.store.device_indexes import of_devices
from pushd.store.filters import SLICE_SIZE, CommandFilter, Counts, EventFilter, EventPage, IView, Slice
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

_COMMANDS = (COMMAND_COLUMNS, "{rows} ORDER BY id DESC LIMIT :limit")
_KNOWN_BY = ("id", "device", "endpoint", "endpoints", "trace", "created_by", "error")
"""What people know a command by."""

_COMMAND_CONDITIONS = {
    "before": "id < :before",
    "device": "device = :device",
    "state": "state = :state",
    "trace": "trace = :trace",
    "oldest": "id > :oldest",
    "first": "id >= :first",
    "by": "created_by = :by",
    "endpoint": "(endpoint = :endpoint OR :endpoint IN (SELECT value FROM json_each(command.endpoints)))",
}
_SLICE_OF_COMMANDS = (
    "id",
    "SELECT MIN(id) AS first, COUNT(*) AS size FROM ({rows} ORDER BY id DESC LIMIT :size) AS slice",
)
_OPEN_SLICE = Statement(
    "read the ids of open commands",
    "SELECT MIN(id) AS first, COUNT(*) AS size FROM (SELECT id FROM command INDEXED BY command_open"
    " WHERE finished_at IS NULL AND id < :before ORDER BY id DESC LIMIT :size) AS slice",
)


def list_commands(tx: ITransaction, which: CommandFilter, start: tuple[str | None, int]) -> Slice[Command]:
    """Commands that match a filter, newest first, without payloads and results; ``start`` is the id before which they
    are read, and how many rows.

    The rows are found by an index, and all match but for what :func:`_visible` looks at.
    """
    before, size = start
    statement, values = command_listing(which, before)
    rows = tx.rows(statement, limit=size, **values)
    resume = (rows[-1]["id"], SLICE_SIZE) if len(rows) == size else None
    return Slice(items=_visible(rows, which), resume=resume)


def _visible(rows: Iterable[Row], which: CommandFilter) -> list[Command]:
    """Those commands of rows that the client may see, that have the searched text, and that are new enough: if the
    clock was set, ids and times differ.
    """
    since, view = which.since, which.view
    if which.q is not None:
        searched = caseless(which.q)
        rows = [row for row in rows if searched in _known_by(row)]
    if since is not None:
        rows = [row for row in rows if row["created_at"] >= since]
    if view is None:
        return [to_command(row) for row in rows]
    covered = (to_command(row) for row in rows if view.covers(row["device"]))
    return [command for command in covered if view.shows(command)]


def _known_by(row: Row) -> str:
    return caseless("\n".join([row[name] or "" for name in _KNOWN_BY]))


BEHIND_ALL = "~"
"""Greater than the id of any command."""


def search_commands(tx: ITransaction, which: CommandFilter, before: str) -> Slice[Command]:
    """Commands that match a filter, as :func:`list_commands`, among the next :data:`SLICE_SIZE` of an index."""
    if which.state is None or which.state in ENDED:
        statement, values = _listing(_SLICE_OF_COMMANDS, which, _indexed(which, before))
    else:
        statement, values = _OPEN_SLICE, {"before": before}
    [part] = tx.rows(statement, size=SLICE_SIZE, **values)
    if not part["size"]:
        return Slice(items=(), resume=None)
    statement, values = command_listing(which, before, part["first"])
    found = _visible(tx.rows(statement, limit=SLICE_SIZE, **values), which)
    return Slice(items=found, resume=part["first"] if part["size"] == SLICE_SIZE else None)


def command_listing(which: CommandFilter, before: str | None, first: str | None = None) -> tuple[Statement, Any]:
    """The statement that lists commands by an index, and its values without ``limit``."""
    searched = {"first": first, "by": which.by, "endpoint": which.endpoint}
    return _listing(_COMMANDS, which, _indexed(which, before) | searched)


def _indexed(which: CommandFilter, before: str | None) -> dict[str, Any]:
    """The conditions by which an index finds commands."""
    oldest = None if which.since is None else lower_bound(which.since - ID_MARGIN)
    return {"before": before, "device": which.device, "state": which.state, "trace": which.trace, "oldest": oldest}


def _listing(query: tuple[str, str], which: CommandFilter, wanted: Mapping[str, Any]) -> tuple[Statement, Any]:
    """A query, of columns and of what is selected from the rows that have them."""
    columns, sql = query
    condition, index, of_device = "TRUE", "", "command_device"
    if which.state in ENDED:  # the condition of the index as it was declared, else SQLite does not use it
        condition, of_device = "finished_at IS NOT NULL", "command_ended"
    elif which.state is not None:
        condition, index = "finished_at IS NULL", "INDEXED BY command_open"
    if which.trace is not None and not index:  # else SQLite would read all commands of the device
        index = "INDEXED BY command_trace"
    where = f"{condition} AND {{where}}"
    plain = rows = f"SELECT {columns} FROM command {index} WHERE {where}"
    if which.device is not None and not index:
        rows = of_devices(columns, of_device, where)
    return filtered("list commands", sql.format(rows=rows), _COMMAND_CONDITIONS, wanted, sql.format(rows=plain))


_ORPHANS = (
    "SELECT id, device, at, reason, reference, size, raw FROM orphan WHERE {where} ORDER BY id DESC LIMIT :limit"
)
_ORPHAN_CONDITIONS = {"device": "device = :device", "before": "id < :before"}


def list_orphans(tx: ITransaction, device: str, before: int | None, limit: int) -> list[Orphan]:
    """A page of a device's orphan results, newest first."""
    wanted = {"device": device, "before": before}
    statement, values = filtered("list orphan results", _ORPHANS, _ORPHAN_CONDITIONS, wanted)
    return [to_orphan(row) for row in tx.rows(statement, limit=limit, **values)]


_EVENT = f"seq, type, at, device, by, command, data, {EPOCH_OF_EVENT.format(seq='event.seq')} AS epoch"
_EVENTS = (_EVENT, "{rows} ORDER BY seq LIMIT :limit")
NEVER_HAD = "This database has no such event: it may have been restored from a backup."
_OLDEST = Statement("find the oldest event", "SELECT MIN(seq) AS oldest FROM event")
_NEWEST = Statement(
    "find the newest event",
    "SELECT seq AS last FROM sqlite_sequence WHERE name = 'event'",
    postgres="SELECT last FROM feed",
)
_SLICE = ("seq", "SELECT MAX(seq) AS until, COUNT(*) AS size FROM ({rows} ORDER BY seq LIMIT :size) AS slice")

_FEW = 100
"""Events of so many devices are found by the index of devices, those of more in the order of the log."""

_SHARE = (
    "SELECT MIN((SELECT seq FROM event WHERE {of}device = listed.value AND seq > :after ORDER BY seq LIMIT 1"
    " OFFSET :share - 1)) AS until FROM json_each(:few) AS listed"
)
_SLICE_OF_FEW = Statement(
    "read the numbers of events of some devices",
    _SHARE.format(of="indexed = 1 AND "),  # the others are few, and newer
    postgres=_SHARE.format(of=""),
)
_EVENTS_OF_FEW = _EVENTS[1].format(
    rows=of_devices(_EVENT, "event_device", "device IN (SELECT value FROM json_each(:few)) AND {where}")
)
_EVENTS_OF_FEW_ON_POSTGRES = (  # which would read the whole log for that
    f"SELECT {_EVENT} FROM json_each(:few) AS listed CROSS JOIN LATERAL (SELECT * FROM event"
    " WHERE device = listed.value AND seq > :after AND seq <= :until ORDER BY seq) AS event"
    " WHERE {where} ORDER BY seq LIMIT :limit"
)

_EVENT_CONDITIONS = {
    "after": "seq > :after",
    "device": "device = :device",
    "devices": "device || '' IN (SELECT value FROM json_each(:devices))",
    "since": "at >= :since",
    "until": "seq <= :until",
    "types": "type IN (SELECT value FROM json_each(:types))",
}


def list_events(tx: ITransaction, which: EventFilter, after: int, limit: int, resume: int | None = None) -> EventPage:
    """A page of the event log; if the filter may leave out many, only as much of it as :data:`SLICE_SIZE` rows hold.

    ``resume`` is the ``next`` of an earlier part of the same page.
    """
    last = last_event(tx)
    if resume is None:
        _check_kept(tx, after, last)
    elif after > 0:  # retention may have been here since
        _check_kept(tx, resume, last)
    start = after if resume is None else resume
    read = _read_few if 1 < len(which.devices) <= _FEW else _read_log
    rows, end = read(tx, which, start, last, limit if which.view is None else SLICE_SIZE)
    seen = map(to_event, rows) if which.view is None else _seen(rows, which.view)
    items = tuple(islice(seen, limit))
    if len(items) == limit:
        return EventPage(items=items, next=items[-1].seq, complete=True)
    return EventPage(items=items, next=last if end is None else end, complete=end is None)


def _read_log(
    tx: ITransaction, which: EventFilter, after: int, last: int, limit: int
) -> tuple[Sequence[Row], int | None]:
    """The rows of events, and where the part ends in which they were looked for; None: with the log."""
    device = which.devices[0] if len(which.devices) == 1 else None
    wanted: dict[str, Any] = {"after": after, "device": device}
    end = None
    if _is_sparse(which):
        statement, values = _log("read the numbers of events", _SLICE, wanted)
        [part] = tx.rows(statement, size=SLICE_SIZE, **values)
        if part["size"] == SLICE_SIZE:
            end = part["until"]
        devices = json.dumps(which.devices) if len(which.devices) > 1 else None
        wanted |= {"devices": devices, **_narrowed(which, last if end is None else end)}
    statement, values = _log("list events", _EVENTS, wanted)
    return tx.rows(statement, limit=limit, **values), end


def _log(description: str, query: tuple[str, str], wanted: Mapping[str, Any]) -> tuple[Statement, Any]:
    """A query, of columns and of what is selected from the rows of the log that have them."""
    columns, sql = query
    plain = rows = f"SELECT {columns} FROM event WHERE {{where}}"
    if wanted["device"] is not None:
        rows = of_devices(columns, "event_device", "{where}")
    return filtered(description, sql.format(rows=rows), _EVENT_CONDITIONS, wanted, sql.format(rows=plain))


def _read_few(
    tx: ITransaction, which: EventFilter, after: int, last: int, limit: int
) -> tuple[Sequence[Row], int | None]:
    """The same of some devices, each of which has an equal share of the rows that are looked at."""
    few, share = json.dumps(which.devices), max(1, SLICE_SIZE // len(which.devices))
    [part] = tx.rows(_SLICE_OF_FEW, few=few, after=after, share=share)
    end = part["until"]
    wanted = {"after": after, **_narrowed(which, last if end is None else end)}
    statement, values = filtered(
        "list events of some devices", _EVENTS_OF_FEW, _EVENT_CONDITIONS, wanted, _EVENTS_OF_FEW_ON_POSTGRES
    )
    rows = tx.rows(statement, few=few, limit=limit, **values)
    if end is None and len(rows) == limit:  # those that are not in the index yet come on top of the shares
        end = rows[-1]["seq"]
    return rows, end


def _narrowed(which: EventFilter, until: int) -> dict[str, Any]:
    types = json.dumps(which.types) if which.types else None
    return {"until": until, "types": types, "since": which.since}


def _is_sparse(which: EventFilter) -> bool:
    """Whether a filter may leave out many events, which are read nevertheless."""
    return bool(which.types or which.since is not None or len(which.devices) > 1 or which.view is not None)


def _seen(rows: Sequence[Row], view: IView) -> Iterator[Event]:
    """What a client may see of some events."""
    for row in rows:
        if row["device"] is None or view.covers(row["device"]):
            event = view.narrow(to_event(row))
            if event is not None:
                yield event


def _check_kept(tx: ITransaction, after: int, last: int) -> None:
    oldest = tx.rows(_OLDEST)[0]["oldest"]
    first_kept = last + 1 if oldest is None else oldest
    if 0 < after < first_kept - 1:
        raise EventsPurged(first_kept, event_id(tx, first_kept))
    if after > last:
        raise EventsPurged(first_kept, event_id(tx, first_kept), NEVER_HAD)


_AT = Statement("look up when an event was", "SELECT seq, at FROM event WHERE seq > :seq ORDER BY seq LIMIT 1")
_SET_BACK = Statement(
    "read when the clock was set back",
    "SELECT event FROM clock_set_back WHERE event >= :oldest AND event < :last ORDER BY event",
)


def seq_before(tx: ITransaction, since: int) -> int:
    """A ``seq`` behind which are all events since a time, in wall milliseconds; 0: all that are kept may be.

    Events are in the order of time, but for steps of the clock: large ones are known, and begin another search.
    """
    last, oldest = last_event(tx), tx.rows(_OLDEST)[0]["oldest"]
    if oldest is None:
        return last
    steps = [row["event"] for row in tx.rows(_SET_BACK, oldest=oldest, last=last)]
    for low, high in pairwise([oldest - 1, *steps, last]):
        found = _search(tx, low, high, since - LARGE_STEP)
        if found < high:
            return 0 if found < oldest else found
    return last


def _search(tx: ITransaction, low: int, high: int, since: int) -> int:
    """The least ``seq`` from ``low`` on behind which the next event is at ``since`` or later; ``high`` if there is
    none before.
    """
    while low < high:
        middle = (low + high) // 2
        following = first(tx, _AT, seq=middle)
        if following is not None and following["at"] >= since:
            high = middle
        else:
            low = middle + 1
    return high


def last_event(tx: ITransaction) -> int:
    """The ``seq`` of the newest event; 0 if there was none yet."""
    rows = tx.rows(_NEWEST)
    return int(rows[0]["last"]) if rows else 0


_IS_SIGNED_OFF = (
    "device = :device AND type = 'device.signed_off'"
    " AND (SELECT presence FROM device WHERE id = :device) = 'signed_off'"
)
_NEWEST_FIRST = "{rows} ORDER BY seq DESC LIMIT 1"
_SIGNED_OFF = Statement(  # backwards: a device that is signed off has few newer events
    "look up when a device signed off",
    _NEWEST_FIRST.format(rows=of_devices("seq, at", "event_device", _IS_SIGNED_OFF)),
    postgres=_NEWEST_FIRST.format(rows=f"SELECT seq, at FROM event WHERE {_IS_SIGNED_OFF}"),
)


def command_with_sign_off(tx: ITransaction, command: str) -> tuple[Command, int | None]:
    """A command without its payload and result, and when its device signed off, while it is signed off."""
    found = replies.to_command(look_up(tx.commands, command), {}, None)
    signed_off = first(tx, _SIGNED_OFF, device=found.device)
    return found, None if signed_off is None else signed_off["at"]


_DEVICES_BY_STATE = Statement(
    "count the devices",
    "SELECT admission, presence, COUNT(*) AS count FROM device GROUP BY admission, presence",
)
_DEVICE_STATES = Statement("read the states of the devices", "SELECT id, admission, presence FROM device")
_QUEUED = Statement(
    "count the queued commands",
    "SELECT device, COUNT(*) AS count FROM command INDEXED BY command_open"
    " WHERE finished_at IS NULL AND state = 'queued' GROUP BY device",
)
_UNKNOWN = Statement(
    "count the commands whose outcome is unknown",
    "SELECT device, COUNT(*) AS count FROM command"
    " WHERE finished_at IS NOT NULL AND state = 'unknown' GROUP BY device",
)


def count_all(tx: ITransaction, covers: Callable[[str], bool] | None) -> Counts:
    """How many devices there are, and commands that are queued or unknown; ``covers``: of the devices of which it is
    true.
    """
    if covers is None:
        counted = {(row["admission"], row["presence"]): row["count"] for row in tx.rows(_DEVICES_BY_STATE)}
    else:
        rows = tx.tuples(_DEVICE_STATES)
        counted = Counter((admission, presence) for device, admission, presence in rows if covers(device))
    return Counts(
        devices={(Admission(one), PresenceState(other)): count for (one, other), count in counted.items()},
        queued=_count(tx, _QUEUED, covers),
        unknown=_count(tx, _UNKNOWN, covers),
    )


def _count(tx: ITransaction, statement: Statement, covers: Callable[[str], bool] | None) -> int:
    return sum(row["count"] for row in tx.rows(statement) if covers is None or covers(row["device"]))
