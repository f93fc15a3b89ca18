"""Queries: commands and what explains their state, orphan results, and the event log."""

from typing import Any

from pushd.model.command import Command
from pushd.model.device import Orphan
from pushd.model.errors import EventsPurged, InvalidQuery
from pushd.model.lifecycle import ENDED, State
from pushd.model.timestamps import Now
from pushd.store.filters import CommandContext, CommandFilter, EventFilter, EventPage
from pushd.store.rows import to_command, to_event, to_orphan
from pushd.store.transaction import ITransaction, Statement, first
from pushd.store.transactions import lifecycle_guards
from pushd.store.transactions.command_lookup import look_up
from pushd.store.transactions.devices import queue_depth


def get_command(tx: ITransaction, command: str) -> Command:
    """A command with its payload and result."""
    return to_command(look_up(tx, command), whole=True)


def _filtered(description: str, sql: str, conditions: dict[str, str], wanted: dict[str, Any]) -> tuple[Statement, Any]:
    """The statement with those conditions whose value is not None, and these values."""
    values = {name: value for name, value in wanted.items() if value is not None}
    where = " AND ".join(conditions[name] for name in values) or "TRUE"
    return Statement(description, sql.format(where=where)), values


_COMMANDS = f"SELECT {lifecycle_guards.COLUMNS} FROM command WHERE {{where}} ORDER BY id DESC LIMIT :limit"
_COMMAND_CONDITIONS = {
    "before": "id < :before",
    "device": "device = :device",
    "state": "state = :state",
    "ended": "finished_at IS NOT NULL",  # the condition of the index
    "since": "created_at >= :since",
}


def list_commands(tx: ITransaction, which: CommandFilter, before: str | None, limit: int) -> list[Command]:
    """A page of commands that match a filter, newest first, without payloads and results."""
    statement, values = command_listing(which, before)
    return [to_command(row, whole=False) for row in tx.rows(statement, limit=limit, **values)]


def command_listing(which: CommandFilter, before: str | None) -> tuple[Statement, Any]:
    """The statement that lists commands, and its values without ``limit``."""
    ended = True if which.state in ENDED else None
    wanted = {"before": before, "device": which.device, "state": which.state, "ended": ended, "since": which.since}
    return _filtered("list commands", _COMMANDS, _COMMAND_CONDITIONS, wanted)


_ORPHANS = (
    "SELECT id, device, at, reason, reference, size, raw FROM orphan WHERE {where} ORDER BY id DESC LIMIT :limit"
)
_ORPHAN_CONDITIONS = {"device": "device = :device", "before": "id < :before"}


def list_orphans(tx: ITransaction, device: str, before: int | None, limit: int) -> list[Orphan]:
    """A page of a device's orphan results, newest first."""
    wanted = {"device": device, "before": before}
    statement, values = _filtered("list orphan results", _ORPHANS, _ORPHAN_CONDITIONS, wanted)
    return [to_orphan(row) for row in tx.rows(statement, limit=limit, **values)]


_EVENTS = "SELECT seq, type, at, device, command, data FROM event WHERE {where} ORDER BY seq LIMIT :limit"
_OLDEST = Statement("find the oldest event", "SELECT MIN(seq) AS oldest FROM event")
_NEWEST = Statement("find the newest event", "SELECT seq AS last FROM sqlite_sequence WHERE name = 'event'")


def list_events(tx: ITransaction, which: EventFilter, after: int, limit: int) -> EventPage:
    """A page of the event log."""
    last = last_event(tx)
    _check_kept(tx, after, last)
    conditions = ["seq > :after"]
    values: dict[str, Any] = {"after": after, "limit": limit}
    if which.device is not None:
        conditions.append("device = :device")
        values["device"] = which.device
    if which.types:
        names = {f"type{n}": kind for n, kind in enumerate(which.types)}
        conditions.append(f"type IN ({', '.join(':' + name for name in names)})")
        values |= names
    statement = Statement("list events", _EVENTS.format(where=" AND ".join(conditions)))
    items = tuple(to_event(row) for row in tx.rows(statement, **values))
    return EventPage(items=items, next=items[-1].seq if len(items) == limit else last)


def _check_kept(tx: ITransaction, after: int, last: int) -> None:
    oldest = tx.rows(_OLDEST)[0]["oldest"]
    first_kept = last + 1 if oldest is None else oldest
    if 0 < after < first_kept - 1:
        raise EventsPurged(first_kept)
    if after > last:
        raise InvalidQuery("No event has this seq yet; leave it out to start over.")


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
