"""The verbs that read: commands, orphans, the feed, and what memory starts from."""

from typing import Any

from pushd.model.command import Command
from pushd.model.device import Orphan
from pushd.model.errors import EventsPurged, InvalidQuery
from pushd.model.lifecycle import ENDED, State
from pushd.model.timestamps import Now
from pushd.model.token import Token
from pushd.store.filters import CommandContext, CommandFilter, EventFilter, EventPage, StartupSnapshot
from pushd.store.rows import to_command, to_device, to_event, to_orphan, to_proof, to_token
from pushd.store.transaction import ITransaction, Statement, first
from pushd.store.transactions import lifecycle_guards, offline
from pushd.store.transactions.command_lookup import look_up
from pushd.store.transactions.devices import queue_depth


def command(tx: ITransaction, command: str) -> Command:
    """See :meth:`IStore.command`."""
    return to_command(look_up(tx, command), whole=True)


def _listing(description: str, sql: str, conditions: dict[str, str], asked: dict[str, Any]) -> tuple[Statement, Any]:
    """The statement that asks only for what is not None, and its values."""
    values = {name: value for name, value in asked.items() if value is not None}
    where = " AND ".join(conditions[name] for name in values) or "TRUE"
    return Statement(description, sql.format(where=where)), values


_COMMANDS = f"SELECT {lifecycle_guards.COLUMNS} FROM command WHERE {{where}} ORDER BY id DESC LIMIT :limit"
_COMMAND_CONDITIONS = {
    "before": "id < :before",
    "device": "device = :device",
    "state": "state = :state",
    "ended": "finished_at IS NOT NULL",  # as the index says it
    "since": "created_at >= :since",
}


def commands(tx: ITransaction, which: CommandFilter, before: str | None, limit: int) -> list[Command]:
    """See :meth:`IStore.commands`."""
    statement, values = listing(which, before)
    return [to_command(row, whole=False) for row in tx.rows(statement, limit=limit, **values)]


def listing(which: CommandFilter, before: str | None) -> tuple[Statement, Any]:
    """The statement that lists commands, and its values but ``limit``."""
    ended = True if which.state in ENDED else None
    asked = {"before": before, "device": which.device, "state": which.state, "ended": ended, "since": which.since}
    return _listing("list commands", _COMMANDS, _COMMAND_CONDITIONS, asked)


_ORPHANS = (
    "SELECT id, device, at, reason, reference, size, raw FROM orphan WHERE {where} ORDER BY id DESC LIMIT :limit"
)
_ORPHAN_CONDITIONS = {"device": "device = :device", "before": "id < :before"}


def orphans(tx: ITransaction, device: str, before: int | None, limit: int) -> list[Orphan]:
    """See :meth:`IStore.orphans`."""
    asked = {"device": device, "before": before}
    statement, values = _listing("list orphan results", _ORPHANS, _ORPHAN_CONDITIONS, asked)
    return [to_orphan(row) for row in tx.rows(statement, limit=limit, **values)]


_EVENTS = "SELECT seq, type, at, device, command, data FROM event WHERE {where} ORDER BY seq LIMIT :limit"
_KEPT = Statement("look for the oldest event", "SELECT MIN(seq) AS oldest FROM event")
_LAST = Statement("look for the newest event", "SELECT seq AS last FROM sqlite_sequence WHERE name = 'event'")


def events(tx: ITransaction, which: EventFilter, after: int, limit: int) -> EventPage:
    """See :meth:`IStore.events`."""
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
    oldest = tx.rows(_KEPT)[0]["oldest"]
    first_kept = last + 1 if oldest is None else oldest
    if 0 < after < first_kept - 1:
        raise EventsPurged(first_kept)
    if after > last:
        raise InvalidQuery("No event has this seq yet; leave it out to start over.")


def last_event(tx: ITransaction) -> int:
    """See :meth:`IStore.last_event`."""
    rows = tx.rows(_LAST)
    return int(rows[0]["last"]) if rows else 0


_AHEAD = Statement(
    "count what goes before a command",
    "SELECT COUNT(*) AS ahead FROM command WHERE device = :device AND state = 'queued'"
    " AND (priority > :priority OR (priority = :priority AND id < :id)) AND COALESCE(not_before, 0) <= :now",
)
_LEASE = Statement("look up a lease", "SELECT lease_until FROM command WHERE id = :id")
_SIGNED_OFF = Statement(  # the newest events of a device that is not here are few
    "look up when a device signed off",
    "SELECT at FROM event WHERE device = :device AND type = 'device.signed_off'"
    " AND (SELECT presence FROM device WHERE id = :device) = 'signed_off' ORDER BY seq DESC LIMIT 1",
)


def command_context(tx: ITransaction, command: str, now: Now) -> CommandContext:
    """See :meth:`IStore.command_context`."""
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


_REVOKE = Statement("revoke a token", "DELETE FROM token WHERE name = :name")
_TOKEN = Statement(
    "add a token",
    "INSERT INTO token (id, name, role, digest, created_at) VALUES (:id, :name, :role, :digest, :now)",
)


def set_token(tx: ITransaction, token: Token, now: Now) -> None:
    """See :meth:`IStore.set_token`."""
    tx.run(_REVOKE, name=token.name)
    tx.run(_TOKEN, id=token.id, name=token.name, role=token.role, digest=token.digest, now=now.wall)


_REOPEN = Statement(
    "give leases their time again",
    "UPDATE command SET lease_until = :steady + lease * 1000,"
    " deadline_until = :steady + MAX(lease, deadline - (:now - sent_at) / 1000.0) * 1000"
    " WHERE lease_until IS NOT NULL",
)
_DEVICES = Statement("read all devices", "SELECT * FROM device")
_PROOFS = Statement("read all proofs", "SELECT * FROM proof")
_TOKENS = Statement("read all tokens", "SELECT * FROM token")
_QUEUED = Statement("read who has something queued", "SELECT DISTINCT device FROM command WHERE state = 'queued'")
_REPORTABLE = Statement(
    "read what results may still come for",
    "SELECT device, id FROM command WHERE lease_until IS NOT NULL"
    " UNION ALL SELECT device, id FROM command WHERE state = 'unknown' AND finished_at IS NOT NULL"
    " UNION ALL SELECT device, id FROM command WHERE state = 'queued' AND attempts > 0",
)
_LAST_COMMAND = Statement("read the greatest command id", "SELECT MAX(id) AS last FROM command")


def renew(tx: ITransaction, now: Now) -> None:
    """See :meth:`IStore.renew`."""
    tx.run(_REOPEN, now=now.wall, steady=now.steady)
    offline.restart_all(tx, now)


def known(tx: ITransaction, now: Now) -> StartupSnapshot:
    """What memory starts from; leases get their time again, because we were away."""
    renew(tx, now)
    return StartupSnapshot(
        devices=tuple(to_device(row) for row in tx.rows(_DEVICES)),
        proofs=tuple(to_proof(row) for row in tx.rows(_PROOFS)),
        tokens=tuple(to_token(row) for row in tx.rows(_TOKENS)),
        queued=frozenset(row["device"] for row in tx.rows(_QUEUED)),
        result_index=tuple((row["device"], row["id"]) for row in tx.rows(_REPORTABLE)),
        last_command=tx.rows(_LAST_COMMAND)[0]["last"],
    )
