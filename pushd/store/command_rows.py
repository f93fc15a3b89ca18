"""Commands and their attempts in SQL: what is read by name, and what a transaction saves together."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeVar

from pushd.model.device import Admission, PresenceState
from pushd.model.lifecycle import Delivery, State
from pushd.rules.records import Attempt, CommandRecord, DeviceRecord, Handover
from pushd.store.device_indexes import of_devices
from pushd.store.rows import report_corruption
from pushd.store.transaction import ITransaction, Row, Statement, first

T = TypeVar("T")

_NAMES = CommandRecord._fields
_DERIVED = ("handover", "sent_before", "has_result")
"""What is not stored in a column of its own."""

_OF_ATTEMPT = (  # not a join, which would look for the attempts of commands that were never sent
    "CASE WHEN command.attempts >= {at_least} THEN"
    " (SELECT {column} FROM attempt WHERE command = command.id AND number = {number}) END"
)
_EXPRESSIONS = {
    "payload": "{payload}",
    "has_result": "command.result IS NOT NULL",
    "handover": _OF_ATTEMPT.format(column="handover", at_least=1, number="command.attempts"),
    "sent_before": _OF_ATTEMPT.format(column="sent_at", at_least=2, number="command.attempts - 1"),
}
READ = f"SELECT {', '.join(_EXPRESSIONS.get(name, f'command.{name}') for name in _NAMES)} FROM command WHERE {{where}}"
"""Reads commands as :func:`to_records` takes them."""
_BY_ID = Statement("look up a command", READ.format(payload="NULL", where="command.id = :id"))
_LAST = Statement("read the greatest command id", "SELECT MAX(id) AS last FROM command")
_BY_KEY = Statement(
    "look up an idempotency key",
    "SELECT id FROM command WHERE created_by = :created_by AND device = :device AND idempotency_key = :key",
)
_OPEN = Statement("read open commands", READ.format(payload="payload", where="finished_at IS NULL"))
_VERSIONS = Statement(
    "read the versions of open commands", "SELECT id, version FROM command WHERE finished_at IS NULL"
)
_SOME = Statement(
    "read some commands",
    READ.format(payload="payload", where="id IN (SELECT value FROM json_each(:ids))"),
)


class _Converted(dict[Any, T]):
    """What values of a column are converted to, each once."""

    def __init__(self, convert: Callable[[Any], T]) -> None:
        self._convert = convert

    def __missing__(self, stored: Any) -> T:
        self[stored] = self._convert(stored)
        return self[stored]


_CONVERSIONS: Sequence[tuple[int, _Converted[Any]]] = [
    (_NAMES.index(name), _Converted(kind))
    for name, kind in (("state", State), ("delivery", Delivery), ("late", bool), ("has_result", bool))
]
_SHARED = tuple(map(_NAMES.index, ("device", "endpoint", "endpoints", "created_by", "ttl", "lease", "deadline")))
"""Fields that are equal in many commands."""


def _same(value: T) -> T:
    return value


def _records(tx: ITransaction, statement: Statement, **values: Any) -> Iterator[CommandRecord]:
    """The commands that a statement reads, one by one: there may be a million."""
    return to_records(tx.tuples(statement, **values))


def to_records(found: Iterable[Sequence[Any]]) -> Iterator[CommandRecord]:
    """Commands from their rows, as :data:`READ` has them."""
    shared = _Converted[Any](_same)
    conversions = [*_CONVERSIONS, *((place, shared) for place in _SHARED)]
    with report_corruption("A command"):
        for row in found:
            fields = list(row)
            for place, converted in conversions:
                fields[place] = converted[fields[place]]
            yield tuple.__new__(CommandRecord, fields)


def command_by_id(tx: ITransaction, command: str) -> CommandRecord | None:
    """A command without its payload, or None."""
    return next(_records(tx, _BY_ID, id=command), None)


def last_id(tx: ITransaction) -> str | None:
    """The greatest id of a command; None if there is none."""
    last: str | None = tx.rows(_LAST)[0]["last"]
    return last


def id_by_key(tx: ITransaction, created_by: str, device: str, key: str) -> str | None:
    """The id of the command that was queued with an idempotency key, or None."""
    row = first(tx, _BY_KEY, created_by=created_by, device=device, key=key)
    return None if row is None else row["id"]


def open_commands(tx: ITransaction) -> Iterator[CommandRecord]:
    """All open commands."""
    return _records(tx, _OPEN)


def open_commands_again(tx: ITransaction, known: Mapping[str, CommandRecord]) -> Iterator[CommandRecord]:
    """All open commands; one whose version is that of a known one is not read, but taken from there."""
    changed = []
    for command, version in tx.tuples(_VERSIONS):
        found = known.get(command)
        if found is not None and found.version == version:
            yield found
        else:
            changed.append(command)
    yield from _records(tx, _SOME, ids=json.dumps(changed))


_PAYLOAD = Statement("read a payload", "SELECT payload FROM command WHERE id = :id")
_RESULT = Statement("read a result", "SELECT result FROM command WHERE id = :id")


def payload_of(tx: ITransaction, command: str) -> str:
    """The payload of a command, as JSON text."""
    return str(tx.rows(_PAYLOAD, id=command)[0]["payload"])


def result_of(tx: ITransaction, command: str) -> str | None:
    """The stored result of a command, as JSON text."""
    row = first(tx, _RESULT, id=command)
    return None if row is None else row["result"]


_DEVICE = Statement("look up a device", "SELECT admission, presence, revision FROM device WHERE id = :id")
_DEVICE_RECORDS = {
    (str(admission), str(presence)): DeviceRecord(admission, presence)
    for admission in Admission
    for presence in PresenceState
}


def device_by_id(tx: ITransaction, device: str) -> DeviceRecord | None:
    """A device, or None."""
    row = first(tx, _DEVICE, id=device)
    return None if row is None else to_device_record(row)


def to_device_record(row: Row) -> DeviceRecord:
    """A device from its row."""
    found = device_record(row["admission"], row["presence"])
    return found if row["revision"] is None else found._replace(revision=row["revision"])


def device_record(admission: str, presence: str) -> DeviceRecord:
    """A device, by what is stored of it."""
    return _DEVICE_RECORDS[admission, presence]


def _handover(description: str, where: str, index: str = "attempt_device", join: str = "") -> Statement:
    """Looks up the attempts of the handover that has the newest attempt among some of a device."""
    columns = "attempt.serial AS serial, attempt.handover AS handover"
    query = (
        "SELECT command, number, device, uuid, sent_at, handover, position FROM attempt"
        " WHERE handover = (SELECT handover FROM ({rows} ORDER BY serial DESC LIMIT 1) AS newest)"
    )
    on_sqlite, on_postgres = (where.format(serials=serials) for serials in _SERIALS)
    return Statement(
        description,
        query.format(rows=of_devices(columns, index, on_sqlite, join)),
        postgres=query.format(rows=f"SELECT {columns} FROM attempt {join} WHERE {on_postgres}"),
    )


_OWN = "attempt.device = :device"
_SERIALS = (of_devices("serial", "attempt_device", _OWN), f"SELECT serial FROM attempt WHERE {_OWN}")
"""The attempts of a device, on SQLite and on PostgreSQL."""
_NEWEST = _handover("look up the newest attempt", _OWN)
_BY_UUID = _handover("look up attempts by uuid", f"{_OWN} AND uuid = :uuid", "attempt_uuid")
SEARCHED_ATTEMPTS = 1000
"""How many of a device's newest attempts are searched for one that lapsed, for a result without a uuid."""

_LATEST_LAPSED = _handover(
    "look up the latest attempt that lapsed",
    f"{_OWN} AND attempt.serial > COALESCE("
    f"(SELECT serial FROM ({{serials}} ORDER BY serial DESC LIMIT 1 OFFSET {SEARCHED_ATTEMPTS}) AS searched), 0)"
    " AND (command.state = 'unknown' OR (command.state = 'queued' AND command.attempts > 0))",
    join="JOIN command ON command.id = attempt.command",
)


def _to_attempt(row: Row) -> Attempt:
    return Attempt(**{name: row[name] for name in Attempt._fields})


def _to_handover(rows: Sequence[Row]) -> Handover | None:
    return to_handover(map(_to_attempt, rows))


def to_handover(attempts: Iterable[Attempt]) -> Handover | None:
    """The attempts of one answer, by their position; None if there are none."""
    return tuple(sorted(attempts, key=lambda attempt: attempt.position or 0)) or None


def newest_handover(tx: ITransaction, device: str) -> Handover | None:
    """The newest handover to a device, or None."""
    return _to_handover(tx.rows(_NEWEST, device=device))


def handover_by_uuid(tx: ITransaction, device: str, uuid: str) -> Handover | None:
    """The newest handover in answer to a poll of a device with this uuid, or None."""
    return _to_handover(tx.rows(_BY_UUID, device=device, uuid=uuid))


def latest_lapsed_handover(tx: ITransaction, device: str) -> Handover | None:
    """The newest handover with a command that is unknown, or queued again, or None."""
    return _to_handover(tx.rows(_LATEST_LAPSED, device=device))


STORED = [name for name in _NAMES if name not in _DERIVED]
"""The columns of a new command."""
CHANGING = STORED[STORED.index("state") :]
"""Those that change."""
QUEUE = Statement(
    "queue commands",
    f"INSERT INTO command ({', '.join(STORED)}, indexed) VALUES ({', '.join('?' * len(STORED))}, 0)",
)
_SETS = ", ".join(f"{name} = ?" for name in CHANGING)
SAVE = Statement("save commands", f"UPDATE command SET {_SETS} WHERE id = ? AND version = ?")
SAVE_WITH_RESULT = Statement(
    "save commands and results",
    f"UPDATE command SET result = ?, {_SETS} WHERE id = ? AND version = ?",
)
_to_stored = itemgetter(*map(_NAMES.index, STORED))
_to_update = itemgetter(*map(_NAMES.index, (*CHANGING, "id")))

ADD_ATTEMPTS = Statement(
    "save attempts",
    f"INSERT INTO attempt ({', '.join(Attempt._fields)}, indexed) VALUES ({', '.join('?' * len(Attempt._fields))}, 0)",
)
_DELETE_ATTEMPT = Statement("delete attempts", "DELETE FROM attempt WHERE command = ? AND number = ?")


def insert_commands(tx: ITransaction, commands: Iterable[CommandRecord]) -> None:
    """Save new commands."""
    tx.save_all(QUEUE, [_to_stored(command) for command in commands])


def update_commands(tx: ITransaction, changed: Sequence[tuple[CommandRecord, int]]) -> None:
    """Save changed commands, each over the version that it had before.

    :raises StaleCommands: if one of them was changed by something else.
    """
    tx.save_all(SAVE, [(*_to_update(command), before) for command, before in changed])


def update_commands_with_results(tx: ITransaction, changed: Sequence[tuple[str | None, CommandRecord, int]]) -> None:
    """Save changed commands, each with its result, over the version that it had before.

    :raises StaleCommands: if one of them was changed by something else.
    """
    values = [(result, *_to_update(command), before) for result, command, before in changed]
    tx.save_all(SAVE_WITH_RESULT, values)


def add_attempts(tx: ITransaction, attempts: Sequence[Attempt]) -> None:
    """Save new attempts."""
    tx.save_all(ADD_ATTEMPTS, attempts)


def delete_attempts(tx: ITransaction, attempts: Sequence[tuple[str, int]]) -> None:
    """Delete attempts, by command and number."""
    tx.run_all(_DELETE_ATTEMPT, attempts)


_KEEP = Statement(
    "keep orphan results",
    "INSERT INTO orphan (device, at, reason, reference, size, raw) VALUES (?, ?, ?, ?, ?, ?)",
)
_TRIM = Statement(
    "drop the oldest orphan results",
    "DELETE FROM orphan WHERE device = :device AND id <="
    " (SELECT id FROM orphan WHERE device = :device ORDER BY id DESC LIMIT 1 OFFSET :kept)",
)
ORPHANS_KEPT = 100
"""Orphan results kept for each device."""

OrphanRow = tuple[str, int, str, str | None, int, bytes]
"""Its device, wall milliseconds, reason, reference, size and raw bytes."""


def keep_orphans(tx: ITransaction, orphans: Sequence[OrphanRow]) -> None:
    """Save orphan results, and drop the oldest of their devices."""
    tx.run_all(_KEEP, orphans)
    for device in dict.fromkeys(orphan[0] for orphan in orphans):
        tx.run(_TRIM, device=device, kept=ORPHANS_KEPT)
