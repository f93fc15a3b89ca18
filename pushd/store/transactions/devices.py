"""Devices, their presence, their proofs of identity, and admin tokens."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import asdict

from pushd.model.device import Admission, Device, LastSeen, PresenceState, Proof, ProofKind
from pushd.model.errors import DeviceKnown, UnknownDevice
from pushd.model.event import EventType
from pushd.model.timestamps import Now, milliseconds
from pushd.model.token import Token
from pushd.rules.endings import end_of_deleted_device
from pushd.store.filters import SLICE_SIZE, DeviceFilter, Slice
from pushd.store.rows import DEVICE_COLUMNS, to_columns, to_device, to_proof
from pushd.store.transaction import ITransaction, Row, Statement, filtered, first
from pushd.store.transactions import offline
from pushd.store.transactions.device_events import KNOWN_BY, PRESENCE_EVENTS, record_device

_JSON_COLUMNS = ("tags", "allow_from")
_LISTED = ", ".join(DEVICE_COLUMNS)

_BY_ID = Statement("look up a device", f"SELECT {_LISTED} FROM device WHERE id = :id")
_INSERT = Statement(
    "register a device",
    f"INSERT INTO device ({_LISTED}, muted_elapsed)"
    f" VALUES ({', '.join(':' + name for name in DEVICE_COLUMNS)}, :muted_elapsed)",
)

_ADMISSION_EVENTS = {
    Admission.PENDING: EventType.DEVICE_PENDING,
    Admission.APPROVED: EventType.DEVICE_APPROVED,
    Admission.BLOCKED: EventType.DEVICE_BLOCKED,
}


def add_device(tx: ITransaction, device: Device, introduced: bool, now: Now) -> Device:
    """Add a device; one that polled and exists already is returned as it is."""
    existing = first(tx, _BY_ID, id=device.id)
    if existing is not None:
        if introduced:
            return to_device(existing)
        raise DeviceKnown(f"{device.id} is registered already; change it with PATCH.")
    stored = to_columns(asdict(device), _JSON_COLUMNS)
    tx.run(_INSERT, muted_elapsed=_muted_elapsed(device.muted_until, now), **stored)
    tx.commands.reload_device(device.id)
    kind = EventType.DEVICE_REGISTERED
    if device.admission is Admission.PENDING:
        kind = EventType.DEVICE_PENDING
    record_device(tx, now, kind, stored)
    return device


def change_device(tx: ITransaction, device: str, changes: Mapping[str, Any], now: Now) -> Device:
    """Change fields of a device, with the alerts that depend on them."""
    before = _look_up(tx, device)
    if changes:
        values = to_columns(changes, _JSON_COLUMNS)
        if "muted_until" in changes:
            values["muted_elapsed"] = _muted_elapsed(changes["muted_until"], now)
        sets = ", ".join(f"{name} = :{name}" for name in (*DEVICE_COLUMNS, "muted_elapsed") if name in values)
        tx.run(Statement("change a device", f"UPDATE device SET {sets} WHERE id = :id"), id=device, **values)
        tx.commands.reload_device(device)
    row = _look_up(tx, device)
    after = to_device(row)
    if after.admission != before["admission"]:
        record_device(tx, now, _ADMISSION_EVENTS[after.admission], row)
    if after.admission is not Admission.APPROVED:
        offline.drop_alerts(tx, device, now)
    elif "muted_until" in changes:
        offline.restart_grace(tx, device, now)
    if set(changes) - {"admission"}:
        record_device(tx, now, EventType.DEVICE_CHANGED, row, fields=sorted(changes))
    return after


def _muted_elapsed(muted_until: int | None, now: Now) -> int | None:
    """Until when a device is muted by elapsed time, so that a step of the wall clock does not change how long."""
    return None if muted_until is None else now.elapsed_at(muted_until)


def _look_up(tx: ITransaction, device: str) -> Row:
    row = first(tx, _BY_ID, id=device)
    if row is None:
        raise UnknownDevice(f"No device {device} is known; it must have polled, or be registered.")
    return row


_DELETE = Statement("delete a device", "DELETE FROM device WHERE id = :id")
_DELETE_PROOFS = Statement("delete a device's proofs", "DELETE FROM proof WHERE device = :id")


def forget_device(tx: ITransaction, device: str, now: Now) -> None:
    """Delete a device: end its open commands, clear its alerts and delete its proofs."""
    row = _look_up(tx, device)
    for command in tx.commands.open_of(device):
        end_of_deleted_device(tx.commands, command, now)
    offline.drop_alerts(tx, device, now)
    tx.run(offline.FORGET_CHANGES, device=device)
    tx.run(_DELETE_PROOFS, id=device)
    tx.run(_DELETE, id=device)
    tx.commands.reload_device(device)
    record_device(tx, now, EventType.DEVICE_DELETED, row)


_PRESENCE_BEFORE = Statement(
    "look up a device's presence", f"SELECT presence, {KNOWN_BY} FROM device WHERE id = :id AND admission <> 'pending'"
)
_SET_PRESENCE = Statement("change a device's presence", "UPDATE device SET presence = :presence WHERE id = :id")


def set_presence(tx: ITransaction, device: str, presence: PresenceState, now: Now) -> None:
    """Change the presence of a device to online or signed off, and clear what said that it was offline.

    Of a pending device nothing is stored: any client may be one.
    """
    before = first(tx, _PRESENCE_BEFORE, id=device)
    if before is not None and before["presence"] != presence:
        tx.run(_SET_PRESENCE, id=device, presence=presence)
        tx.commands.reload_device(device)
        record_device(tx, now, PRESENCE_EVENTS[presence], before, after=before["presence"])
        if before["presence"] == PresenceState.OFFLINE and presence is PresenceState.ONLINE:
            tx.run(offline.ADD_CHANGE, device=device, elapsed=now.elapsed)
        offline.on_device_seen(tx, device, now)


_SAVE_LAST_SEEN = Statement(
    "save when a device was last seen",
    "UPDATE device SET last_seen_at = :last_seen_at, last_address = :last_address,"
    " poll_gap = COALESCE(:poll_gap, poll_gap) WHERE id = :device AND admission <> 'pending'",
)


def save_last_seen(tx: ITransaction, updates: Sequence[LastSeen]) -> None:
    """Save when, and from where, devices were last seen, but for pending ones."""
    tx.run_all(_SAVE_LAST_SEEN, [asdict(update, recurse=False) for update in updates])


def save_conflict(tx: ITransaction, device: str, data: Mapping[str, Any], now: Now) -> None:
    """Record the event that two devices may share one id, unless the device is pending."""
    row = first(tx, _PRESENCE_BEFORE, id=device)
    if row is not None:
        record_device(tx, now, EventType.DEVICE_CONFLICT, row, **data)


_LIST = f"SELECT {_LISTED} FROM device WHERE {{where}} ORDER BY id LIMIT :limit"
_CONDITIONS = {
    "after": "id > :after",
    "until": "id <= :until",
    "dialect": "dialect = :dialect",
    "presence": "presence = :presence",
    "admission": "admission = :admission",
    "q": "(instr(caseless(id), caseless(:q)) > 0 OR instr(caseless(name), caseless(:q)) > 0)",
    "sites": "site IN (SELECT value FROM json_each(:sites))",
    "tags": "NOT EXISTS (SELECT 1 FROM json_each(:tags) AS required"
    " WHERE required.value NOT IN (SELECT value FROM json_each(device.tags)))",
}
_LAST_OF_SLICE = Statement(
    "read the ids of devices",
    "SELECT MAX(id) AS until, COUNT(*) AS size FROM (SELECT id FROM device WHERE id > :after ORDER BY id LIMIT :size)",
)


def list_devices(tx: ITransaction, which: DeviceFilter, limit: int, after: str) -> Slice[Device]:
    """Up to ``limit`` devices that match a filter, by id, among the next :data:`SLICE_SIZE` rows."""
    [rows] = tx.rows(_LAST_OF_SLICE, after=after, size=SLICE_SIZE)
    wanted = {
        "after": after,
        "until": rows["until"],
        "dialect": which.dialect,
        "presence": which.presence,
        "admission": which.admission,
        "q": which.q,
        "sites": json.dumps(which.sites) if which.sites else None,
        "tags": json.dumps(which.tags) if which.tags else None,
    }
    statement, values = filtered("list devices", _LIST, _CONDITIONS, wanted)
    found = [to_device(row) for row in tx.rows(statement, limit=limit, **values)]
    return Slice(items=found, resume=rows["until"] if rows["size"] == SLICE_SIZE else None)


_RETIRE = Statement(
    "retire a proof",
    "UPDATE proof SET expires_at = :until WHERE device = :device AND kind = :kind AND expires_at IS NULL",
)
_DROP_EXPIRED = Statement("drop expired proofs", "DELETE FROM proof WHERE device = :device AND expires_at <= :now")
_ADD_PROOF = Statement("add a proof", "INSERT INTO proof (digest, device, kind) VALUES (:digest, :device, :kind)")
_PROOFS = Statement(
    "look up a device's proofs", "SELECT digest, device, kind, expires_at FROM proof WHERE device = :device"
)


def add_proof(tx: ITransaction, device: str, kind: ProofKind, digest: bytes, overlap: float, now: Now) -> list[Proof]:
    """Add a secret or API key; the current one of its kind expires after ``overlap`` seconds."""
    row = _look_up(tx, device)
    tx.run(_RETIRE, device=device, kind=kind, until=now.elapsed + milliseconds(overlap))
    tx.run(_DROP_EXPIRED, device=device, now=now.elapsed)
    tx.run(_ADD_PROOF, digest=digest, device=device, kind=kind)
    record_device(tx, now, EventType.DEVICE_CHANGED, row, fields=[str(kind)])
    return [to_proof(proof) for proof in tx.rows(_PROOFS, device=device)]


_DELETE_TOKEN = Statement("revoke a token", "DELETE FROM token WHERE name = :name")
_ADD_TOKEN = Statement(
    "add a token",
    "INSERT INTO token (id, name, role, digest, created_at) VALUES (:id, :name, :role, :digest, :now)",
)


def set_token(tx: ITransaction, token: Token, now: Now) -> None:
    """Add an admin token, in place of the one of the same name."""
    tx.run(_DELETE_TOKEN, name=token.name)
    tx.run(_ADD_TOKEN, id=token.id, name=token.name, role=token.role, digest=token.digest, now=now.wall)
