"""Devices, their presence, and their proofs of identity."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import asdict, evolve, frozen

from pushd.lib.text import caseless
from pushd.model.audit import Fields, changed
from pushd.model.device import ADMITTED_BY, Admission, Device, LastSeen, PresenceState, ProofKind
from pushd.model.errors import DeviceKnown, UnknownDevice
from pushd.model.event import EventType
from pushd.model.facts import Facts, merge, model_key
from pushd.model.timestamps import milliseconds, to_rfc3339
from pushd.model.token import Scope
from pushd.rules.endings import end_of_deleted_device
from pushd.store.copies import StoredDevice
from pushd.store.filters import SLICE_SIZE, DeviceFilter, DeviceOrder, SiteSummary, Slice
from pushd.store.rows import DEVICE_COLUMNS, to_columns, to_device, to_proof
from pushd.store.transaction import ITransaction, Row, Statement, filtered, first
from pushd.store.transactions import offline
from pushd.store.transactions.audit import record_audit
from pushd.store.transactions.device_events import KNOWN_BY, PRESENCE_EVENTS, record_device

_JSON_COLUMNS = ("tags", "facts", "allow_from")
_INSERTED = ", ".join(DEVICE_COLUMNS)
_LISTED = f"{_INSERTED}, revision"
_COUNT = "revision = revision + 1"
"""Of a change of what a device is admitted by; where only one process makes them, it is null and stays so."""

_BY_ID = Statement("look up a device", f"SELECT {_LISTED} FROM device WHERE id = :id")
_INSERT = Statement(
    "register a device",
    f"INSERT INTO device ({_INSERTED}, muted_elapsed, name_key)"
    f" VALUES ({', '.join(':' + name for name in DEVICE_COLUMNS)}, :muted_elapsed, :name_key)"
    " RETURNING revision",
)

_ADMISSION_EVENTS = {
    Admission.PENDING: EventType.DEVICE_PENDING,
    Admission.APPROVED: EventType.DEVICE_APPROVED,
    Admission.BLOCKED: EventType.DEVICE_BLOCKED,
}


def add_device(tx: ITransaction, device: Device, introduced: bool) -> Device:
    """Add a device; one that polled and exists already is returned as it is."""
    existing = first(tx, _BY_ID, id=device.id)
    if existing is not None:
        if introduced:
            return to_device(existing)
        raise DeviceKnown(f"{device.id} is registered already; change it with PATCH.")
    stored = to_columns(asdict(device), _JSON_COLUMNS)
    muted_elapsed = _muted_elapsed(tx, device.muted_until)
    [row] = tx.rows(_INSERT, muted_elapsed=muted_elapsed, name_key=caseless(device.name), **stored)
    tx.commands.reload_device(device.id)
    kind = EventType.DEVICE_REGISTERED
    if device.admission is Admission.PENDING:
        kind = EventType.DEVICE_PENDING
    record_device(tx, kind, stored)
    record_audit(tx, "device.register", f"device:{device.id}", None, _audited(device))
    return evolve(device, revision=row["revision"])


_AUDITED = (
    "name",
    "site",
    "tags",
    "facts",
    "admission",
    "heartbeat_timeout",
    "hold",
    "batch",
    "allow_from",
)


def _audited(device: Device) -> Fields:
    """A device as the audit log has it."""
    muted_until = None if device.muted_until is None else to_rfc3339(device.muted_until)
    return {name: getattr(device, name) for name in _AUDITED} | {"muted_until": muted_until}


def change_device(tx: ITransaction, device: str, changes: Mapping[str, Any]) -> Device:
    """Change fields of a device, with the alerts that depend on them; ``facts`` is a patch of them."""
    before = _look_up(tx, device)
    changes = _without_longer_hold(changes, before)
    if changes:
        if "facts" in changes:
            changes = {**changes, "facts": merge(to_device(before).facts, changes["facts"])}
        values = to_columns(changes, _JSON_COLUMNS)
        if "muted_until" in changes:
            values["muted_elapsed"] = _muted_elapsed(tx, changes["muted_until"])
        if "name" in changes:
            values["name_key"] = caseless(changes["name"])
        columns = (*DEVICE_COLUMNS, "muted_elapsed", "name_key")
        counted = [] if ADMITTED_BY.isdisjoint(values) else [_COUNT]
        sets = ", ".join([*(f"{name} = :{name}" for name in columns if name in values), *counted])
        tx.run(Statement("change a device", f"UPDATE device SET {sets} WHERE id = :id"), id=device, **values)
        tx.commands.reload_device(device)
    row = _look_up(tx, device)
    after = to_device(row)
    if after.admission != before["admission"]:
        record_device(tx, _ADMISSION_EVENTS[after.admission], row)
    if after.admission is not Admission.APPROVED:
        offline.drop_alerts(tx, device)
    elif "muted_until" in changes:
        offline.restart_grace(tx, device)
    if set(changes) - {"admission"}:
        record_device(tx, EventType.DEVICE_CHANGED, row, fields=sorted(changes))
    differing = changed(_audited(to_device(before)), _audited(after))
    if any(differing):
        record_audit(tx, "device.change", f"device:{device}", *differing)
    return after


def _without_longer_hold(changes: Mapping[str, Any], before: Row) -> Mapping[str, Any]:
    """The changes, without a learned hold that is not shorter: another process may have learned that one. To forget it
    is no such change.
    """
    learned, known = changes.get("learned_hold"), before["learned_hold"]
    if learned is None or known is None or learned < known:
        return changes
    return {name: value for name, value in changes.items() if name != "learned_hold"}


def change_devices(tx: ITransaction, devices: Sequence[str], changes: Mapping[str, Any]) -> list[Device]:
    """Change fields of several devices; those that were deleted meanwhile are left out."""
    known = (device for device in devices if first(tx, _BY_ID, id=device) is not None)
    return [change_device(tx, device, changes) for device in known]


def _muted_elapsed(tx: ITransaction, muted_until: int | None) -> int | None:
    """Until when a device is muted by elapsed time, so that a step of the wall clock does not change how long."""
    return None if muted_until is None else tx.now.elapsed_at(muted_until)


def _look_up(tx: ITransaction, device: str) -> Row:
    row = first(tx, _BY_ID, id=device)
    if row is None:
        raise UnknownDevice(f"No device {device} is known; it must have polled, or be registered.")
    return row


_DELETE = Statement("delete a device", "DELETE FROM device WHERE id = :id")
_DELETE_PROOFS = Statement("delete a device's proofs", "DELETE FROM proof WHERE device = :id")


def forget_device(tx: ITransaction, device: str) -> None:
    """Delete a device: end its open commands, clear its alerts and delete its proofs."""
    row = _look_up(tx, device)
    for command in tx.commands.open_of(device):
        end_of_deleted_device(tx.commands, command)
    offline.drop_alerts(tx, device)
    tx.run(offline.FORGET_CHANGES, device=device)
    tx.run(_DELETE_PROOFS, id=device)
    tx.run(_DELETE, id=device)
    tx.commands.reload_device(device)
    record_device(tx, EventType.DEVICE_DELETED, row)
    record_audit(tx, "device.delete", f"device:{device}", _audited(to_device(row)))


_PRESENCE_BEFORE = Statement(
    "look up a device's presence", f"SELECT presence, {KNOWN_BY} FROM device WHERE id = :id AND admission <> 'pending'"
)
_SET_PRESENCE = Statement("change a device's presence", "UPDATE device SET presence = :presence WHERE id = :id")


def set_presence(tx: ITransaction, device: str, presence: PresenceState) -> PresenceState:
    """Change the presence of a device to online or signed off, and clear what said that it was offline; the presence.

    Of a pending device nothing is stored: any client may be one.
    """
    before = first(tx, _PRESENCE_BEFORE, id=device)
    if before is not None and before["presence"] != presence:
        tx.run(_SET_PRESENCE, id=device, presence=presence)
        tx.commands.reload_device(device)
        record_device(tx, PRESENCE_EVENTS[presence], before, after=before["presence"])
        if before["presence"] == PresenceState.OFFLINE and presence is PresenceState.ONLINE:
            tx.run(offline.ADD_CHANGE, device=device, elapsed=tx.now.elapsed)
        offline.on_device_seen(tx, device)
    return presence


_SAVE_LAST_SEEN = Statement(
    "save when a device was last seen",
    "UPDATE device SET last_seen_at = :last_seen_at, last_address = :last_address,"
    " poll_gap = COALESCE(:poll_gap, poll_gap) WHERE id = :device AND admission <> 'pending'",
)


def save_last_seen(tx: ITransaction, updates: Sequence[LastSeen]) -> None:
    """Save when, and from where, devices were last seen, but for pending ones."""
    tx.run_all(_SAVE_LAST_SEEN, [asdict(update, recurse=False) for update in updates])


def save_conflict(tx: ITransaction, device: str, data: Mapping[str, Any]) -> None:
    """Record the event that two devices may share one id, unless the device is pending."""
    row = first(tx, _PRESENCE_BEFORE, id=device)
    if row is not None:
        record_device(tx, EventType.DEVICE_CONFLICT, row, **data)


_SEARCHED = ("id", "name", "serial", "site", "last_address")
"""What people know a device by, beside its tags and facts."""
_HAS_ALL = (
    "NOT EXISTS (SELECT 1 FROM json_each(:{tags}) AS required"
    " WHERE required.value NOT IN (SELECT value FROM json_each(device.tags)))"
)
_CONDITIONS = {
    "dialect": "dialect = :dialect",
    "presence": "presence = :presence",
    "admission": "admission = :admission",
    "sites": "site IN (SELECT value FROM json_each(:sites))",
    "tags": _HAS_ALL.format(tags="tags"),
    "scope_devices": "id IN (SELECT value FROM json_each(:scope_devices))",
    "scope_sites": "site IN (SELECT value FROM json_each(:scope_sites))",
    "scope_tags": f"EXISTS (SELECT 1 FROM json_each(:scope_tags)) AND {_HAS_ALL.format(tags='scope_tags')}",
}


def _wanted(which: DeviceFilter) -> Mapping[str, Any]:
    """The values of the conditions that a filter sets."""
    return {
        "dialect": which.dialect,
        "presence": which.presence,
        "admission": which.admission,
        "sites": json.dumps(which.sites) if which.sites else None,
        "tags": json.dumps(which.tags) if which.tags else None,
        **_selected(which.scope),
    }


def _selected(scope: Scope | None) -> Mapping[str, str]:
    """The values of the conditions that a scope sets."""
    if scope is None:
        return {}
    selectors = {"devices": scope.devices, "sites": scope.sites, "tags": scope.tags}
    return {f"scope_{name}": json.dumps(sorted(values)) for name, values in selectors.items() if values is not None}


@frozen
class _Order:
    """How devices are sorted, and the conditions for those behind a position and up to the last one of a slice."""

    columns: str
    after: str
    until: str

    @property
    def last_of_slice(self) -> Statement:
        """Finds the last row of the next slice, if there is a whole one."""
        return Statement(
            "read the ids of devices",
            f"SELECT id, name_key FROM device WHERE {self.after} ORDER BY {self.columns}"
            f" LIMIT 1 OFFSET {SLICE_SIZE - 1}",
        )


_ORDERS = {
    DeviceOrder.ID: _Order("id", "id > :after", "id <= :until"),
    DeviceOrder.NAME: _Order(
        "name_key, id", "(name_key, id) > (:after_key, :after)", "(name_key, id) <= (:until_key, :until)"
    ),
}


def _slice(tx: ITransaction, order: _Order, position: str) -> tuple[str, Mapping[str, Any], str | None]:
    """The condition for the next :data:`SLICE_SIZE` rows after a position, its values, and where the next ones begin.

    A position is :meth:`DeviceFilter.position` of a device.
    """
    key, _, device = position.rpartition("\n")
    values = {"after": device, "after_key": key}
    last = first(tx, order.last_of_slice, **values)
    if last is None:
        return order.after, values, None
    key, device = last["name_key"], last["id"]
    resume = device if order.columns == "id" else f"{key}\n{device}"
    return f"{order.after} AND {order.until}", {**values, "until": device, "until_key": key}, resume


def list_devices(tx: ITransaction, which: DeviceFilter, limit: int, after: str) -> Slice[Device]:
    """Up to ``limit`` devices that match a filter, in its order, among the next :data:`SLICE_SIZE` rows."""
    order = _ORDERS[which.order]
    condition, bounds, resume = _slice(tx, order, after)
    sql = f"SELECT {_LISTED} FROM device WHERE {condition} AND {{where}} ORDER BY {order.columns} LIMIT :limit"
    statement, values = filtered("list devices", sql, _CONDITIONS, _wanted(which))
    is_searched = which.q is not None or which.model is not None
    rows = tx.rows(statement, limit=SLICE_SIZE if is_searched else limit, **bounds, **values)
    found = [to_device(row) for row in rows if not is_searched or _matches(row, which)]
    return Slice(items=found, resume=resume)


def _matches(row: Row, which: DeviceFilter) -> bool:
    """Whether a device has the model and the text of a filter."""
    facts = json.loads(row["facts"])
    if which.model is not None and model_key(str(facts.get("model", ""))) != model_key(which.model):
        return False
    return which.q is None or caseless(which.q) in _searched_text(row, facts)


def _searched_text(row: Row, facts: Facts) -> str:
    """What people know a device by; the character between two of the texts is in none of them."""
    said = [str(fact) for fact in facts.values() if not isinstance(fact, bool)]
    known = [row[name] for name in _SEARCHED if row[name] is not None]
    return caseless("\x1f".join([*known, *json.loads(row["tags"]), *said]))


_SITES = (
    "SELECT site, COUNT(*) AS devices, COUNT(*) FILTER (WHERE presence = 'online') AS online,"
    " COUNT(*) FILTER (WHERE presence = 'offline') AS offline"
    " FROM device WHERE {bounds} AND site IS NOT NULL AND {{where}} GROUP BY site"
)
_ALERTED_SITES = (
    "SELECT DISTINCT site, alert FROM device JOIN alert_device ON alert_device.device = device.id"
    " WHERE alert_device.cleared_at IS NULL AND {bounds} AND site IS NOT NULL AND {{where}}"
)


def list_sites(tx: ITransaction, which: DeviceFilter, after: str) -> Slice[SiteSummary]:
    """The sites of the devices that match a filter, as far as the next :data:`SLICE_SIZE` rows have them."""
    condition, bounds, resume = _slice(tx, _ORDERS[DeviceOrder.ID], after)
    wanted = _wanted(which)
    statement, values = filtered("count devices", _SITES.format(bounds=condition), _CONDITIONS, wanted)
    counts = tx.rows(statement, **bounds, **values)
    statement, values = filtered("find alerts", _ALERTED_SITES.format(bounds=condition), _CONDITIONS, wanted)
    alerts: dict[str, set[int]] = {}
    for row in tx.rows(statement, **bounds, **values):
        alerts.setdefault(row["site"], set()).add(row["alert"])
    found = [SiteSummary(**dict(row), alerts=frozenset(alerts.get(row["site"], ()))) for row in counts]
    return Slice(items=found, resume=resume)


_RETIRE = Statement(
    "retire a proof",
    "UPDATE proof SET expires_at = :until WHERE device = :device AND kind = :kind AND expires_at IS NULL",
)
_DROP_EXPIRED = Statement("drop expired proofs", "DELETE FROM proof WHERE device = :device AND expires_at <= :now")
_ADD_PROOF = Statement("add a proof", "INSERT INTO proof (digest, device, kind) VALUES (:digest, :device, :kind)")
_COUNT_PROOF = Statement("count the change of a device's proofs", f"UPDATE device SET {_COUNT} WHERE id = :id")
_PROOFS = Statement(
    "look up a device's proofs", "SELECT digest, device, kind, expires_at FROM proof WHERE device = :device"
)


def add_proof(tx: ITransaction, device: str, kind: ProofKind, digest: bytes, overlap: float) -> StoredDevice:
    """Add a secret or API key; the current one of its kind expires after ``overlap`` seconds."""
    row = _look_up(tx, device)
    tx.run(_RETIRE, device=device, kind=kind, until=tx.now.elapsed + milliseconds(overlap))
    tx.run(_DROP_EXPIRED, device=device, now=tx.now.elapsed)
    tx.run(_ADD_PROOF, digest=digest, device=device, kind=kind)
    tx.run(_COUNT_PROOF, id=device)
    tx.commands.reload_device(device)
    record_device(tx, EventType.DEVICE_CHANGED, row, fields=[str(kind)])
    record_audit(tx, f"device.issue_{kind}", f"device:{device}", None, {"overlap": overlap})
    return _with_proofs(tx, _look_up(tx, device))


def stored_device(tx: ITransaction, device: str) -> StoredDevice | None:
    """A device with its proofs, or None."""
    row = first(tx, _BY_ID, id=device)
    return None if row is None else _with_proofs(tx, row)


def _with_proofs(tx: ITransaction, row: Row) -> StoredDevice:
    return StoredDevice(to_device(row), [to_proof(proof) for proof in tx.rows(_PROOFS, device=row["id"])])
