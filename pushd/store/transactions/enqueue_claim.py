"""Queue a command, claim queued commands for a device's poll, and take a claim back."""

from collections.abc import Sequence
from typing import Any

from pushd.lib.strict_json import write_ascii
from pushd.model.command import Command, Dispatched, Draft, LargePayload, Payload
from pushd.model.device import Admission, PresenceState
from pushd.model.dialect import Batchable, never
from pushd.model.errors import (
    DeviceBlocked,
    DeviceSignedOff,
    KeyReused,
    QueueFull,
    UnknownDevice,
)
from pushd.model.event import EventType
from pushd.model.lifecycle import State
from pushd.model.timestamps import MAX_MOMENT, Now, milliseconds
from pushd.store.filters import Claim
from pushd.store.rows import to_payload
from pushd.store.transaction import ITransaction, Row, Statement, first, record
from pushd.store.transactions import large_texts, lifecycle_guards
from pushd.store.transactions.command_lookup import record_state, to_whole_command

_ADMISSION = Statement("look up a device", "SELECT admission FROM device WHERE id = :device")
_MAY_QUEUE = Statement(
    "look up a device and what it has queued",
    "SELECT admission, presence, (SELECT COUNT(*) FROM command WHERE device = :device AND state = 'queued') AS queued"
    " FROM device WHERE id = :device",
)
_BY_KEY = Statement(
    "look up an idempotency key",
    f"SELECT {lifecycle_guards.WHOLE}, fingerprint FROM command"
    " WHERE created_by = :created_by AND device = :device AND idempotency_key = :key",
)
_INSERT = Statement(
    "queue a command",
    "INSERT INTO command (id, device, state, payload, delivery, priority, ttl, not_before, created_at, expires_at,"
    " expires_elapsed, max_attempts, lease, deadline, created_by, resend_of, idempotency_key, fingerprint)"
    " VALUES (:id, :device, 'queued', :payload, :delivery, :priority, :ttl, :not_before, :created_at, :expires_at,"
    " :expires_elapsed, :max_attempts, :lease, :deadline, :created_by, :resend_of, :idempotency_key, :fingerprint)",
)


def put(tx: ITransaction, draft: Draft, queue_signed_off: bool, max_queued: int, now: Now) -> tuple[Command, bool]:
    """Queue a command, unless there is an earlier one with its idempotency key."""
    earlier = _by_key(tx, draft)
    if earlier is not None:
        return earlier, False
    check_may_queue(tx, draft.device, queue_signed_off, max_queued)
    return insert(tx, draft, now), True


def insert(tx: ITransaction, draft: Draft, now: Now) -> Command:
    """Queue a command for which :func:`check_may_queue` was called."""
    fields = _fields(draft, now)
    expires_elapsed = now.elapsed_at(fields["expires_at"])
    payload = draft.payload
    text = payload.text.reference if isinstance(payload, LargePayload) else write_ascii(payload)
    tx.run(_INSERT, **fields, expires_elapsed=expires_elapsed, payload=text, fingerprint=draft.fingerprint)
    if isinstance(payload, LargePayload):
        large_texts.keep_payload(tx, draft.id, payload)
    record(tx, now, EventType.COMMAND_QUEUED, draft.device, draft.id, resend_of=draft.resend_of)
    return Command(**_NEW, **fields, payload=payload)


def _by_key(tx: ITransaction, draft: Draft) -> Command | None:
    if draft.idempotency_key is None:
        return None
    row = first(tx, _BY_KEY, created_by=draft.created_by, device=draft.device, key=draft.idempotency_key)
    if row is not None and row["fingerprint"] != draft.fingerprint:
        raise KeyReused("This Idempotency-Key was used before with another body; use a new key for a new command.")
    return None if row is None else to_whole_command(tx, row)


def check_may_queue(tx: ITransaction, device: str, queue_signed_off: bool, max_queued: int) -> None:
    """Check that another command may be queued for a device.

    :raises UnknownDevice: or :exc:`DeviceBlocked`, :exc:`DeviceSignedOff`, :exc:`QueueFull`.
    """
    row = first(tx, _MAY_QUEUE, device=device)
    if row is None:
        raise UnknownDevice(f"No device {device} is known; it must have polled, or be registered.")
    if row["admission"] == Admission.BLOCKED:
        raise DeviceBlocked(f"{device} is blocked; approve it to send it commands.")
    if row["presence"] == PresenceState.SIGNED_OFF and not queue_signed_off:
        raise DeviceSignedOff(
            f"{device} signed off; add ?queue=1 (pushctl: --queue) to queue the command until it returns."
        )
    if row["queued"] >= max_queued:
        raise QueueFull(f"{max_queued} commands are queued for {device} already.")


_NEW: dict[str, Any] = {
    "state": State.QUEUED,
    "attempts": 0,
    "late": False,
    **dict.fromkeys(("sent_at", "acknowledged_at", "finished_at", "result", "error")),
    **dict.fromkeys(("evidence", "matched_by", "resent_as")),
}
"""The other fields of a new command."""


def _fields(draft: Draft, now: Now) -> dict[str, Any]:
    terms = draft.terms
    starts = max(now.wall, terms.not_before or 0)
    return {
        "id": draft.id,
        "device": draft.device,
        "delivery": str(terms.delivery),
        "priority": terms.priority,
        "ttl": float(terms.ttl),
        "not_before": terms.not_before,
        "created_at": now.wall,
        "expires_at": min(starts + milliseconds(terms.ttl), MAX_MOMENT),
        "max_attempts": terms.max_attempts,
        "lease": float(draft.lease),
        "deadline": float(terms.deadline),
        "created_by": draft.created_by,
        "resend_of": draft.resend_of,
        "idempotency_key": draft.idempotency_key,
    }


_REPEATED = Statement(
    "check whether a poll was answered before",
    "SELECT 1 FROM attempt JOIN command ON command.id = attempt.command"
    " WHERE attempt.handover = (SELECT handover FROM attempt WHERE device = :device ORDER BY serial DESC LIMIT 1)"
    " AND attempt.uuid = :uuid AND command.lease_until IS NOT NULL AND attempt.number = command.attempts LIMIT 1",
)
_WAITING = "SELECT 1 FROM command WHERE device = :device AND state = 'queued'"
_CANDIDATES = Statement(  # "+": found by device and in order, not by the index for expiry
    "find queued commands",
    "SELECT id, payload, expires_at, expires_elapsed,"
    f" (SELECT COUNT(*) FROM ({_WAITING} LIMIT :limit + 1)) AS waiting"
    " FROM command WHERE device = :device AND state = 'queued' AND expires_at > :now AND +expires_elapsed > :elapsed"
    " AND COALESCE(not_before, 0) <= :now AND EXISTS (SELECT 1 FROM device WHERE device.id = :device"
    " AND admission = 'approved') ORDER BY priority DESC, id LIMIT :limit",
)
_MORE = Statement("check for queued commands", f"{_WAITING} LIMIT 1")
_NEXT_DUE = Statement(
    "find when the next queued command is due",
    "SELECT MIN(not_before) AS due FROM command WHERE device = :device AND state = 'queued' AND not_before > :now",
)
_NOT_SWEPT = Statement(
    "check for queued commands whose time to live is over",
    f"SELECT 1 FROM command WHERE state = 'queued' AND NOT {lifecycle_guards.LIVE} AND device = :device LIMIT 1",
)
_ATTEMPT = Statement(
    "save an attempt",
    "INSERT INTO attempt (command, number, device, uuid, sent_at, handover, position)"
    " VALUES (:id, :number, :device, :uuid, :now, :handover, :position)",
)

MAX_BATCH_SIZE = 256 * 1024
"""Characters of all payloads in one answer, if it has several: more would stop the reactor."""


def claim(
    tx: ITransaction,
    device: str,
    uuid: str | None,
    one_at_a_time: bool,
    limit: int,
    now: Now,
    batchable: Batchable = never,
) -> Claim:
    """Move the next queued command, or several that are batchable, to ``sent``, each with a new attempt."""
    if one_at_a_time and uuid is not None and tx.rows(_REPEATED, device=device, uuid=uuid):
        return Claim(due=0)
    candidates = tx.rows(_CANDIDATES, device=device, now=now.wall, elapsed=now.elapsed, limit=limit + 1)
    if not candidates:
        return Claim(due=_due_without_claim(tx, device, now))
    chosen = _choose(candidates[:limit], batchable)
    sent = _send(tx, chosen, device, uuid, now)
    expires_at = min(row["expires_at"] for row in candidates[: len(sent)])
    expires_elapsed = min(row["expires_elapsed"] for row in candidates[: len(sent)])
    if len(candidates) > len(sent):
        due: int | None = 0
    else:
        due = _next_due(tx, device, now) if candidates[0]["waiting"] > len(sent) else None
    return Claim(dispatched=sent, due=due, expires_at=expires_at, expires_elapsed=expires_elapsed)


def _due_without_claim(tx: ITransaction, device: str, now: Now) -> int | None:
    """When to claim again for a device for which nothing was claimed; see :class:`Claim`."""
    row = first(tx, _ADMISSION, device=device)
    if row is None:
        return None
    if row["admission"] != Admission.APPROVED:
        return 0  # its approval wakes the poll
    return None if first(tx, _MORE, device=device) is None else _next_due(tx, device, now)


def _next_due(tx: ITransaction, device: str, now: Now) -> int | None:
    """When to claim again for a device that has commands queued, none of which can be sent now."""
    if first(tx, _NOT_SWEPT, device=device, now=now.wall, elapsed=now.elapsed) is not None:
        return 0  # the clock may be set back before an expired one is ended
    due: int | None = tx.rows(_NEXT_DUE, device=device, now=now.wall)[0]["due"]
    return due


def _choose(candidates: Sequence[Row], batchable: Batchable) -> Sequence[tuple[str, Payload]]:
    """The candidates that go in one answer: the leading ones that are batchable, or the first alone."""
    chosen: list[tuple[str, Payload]] = []
    size = 0
    for row in candidates:
        size += len(row["payload"])
        if chosen and size > MAX_BATCH_SIZE:
            break
        payload = to_payload(row)
        is_batchable = batchable(payload)
        if is_batchable or not chosen:
            chosen.append((row["id"], payload))
        if not is_batchable:
            break
    return chosen


def _send(
    tx: ITransaction, chosen: Sequence[tuple[str, Payload]], device: str, uuid: str | None, now: Now
) -> tuple[Dispatched, ...]:
    sent: list[Dispatched] = []
    for command, payload in chosen:
        row = tx.rows(lifecycle_guards.SEND, id=command, now=now.wall, steady=now.steady, elapsed=now.elapsed)[0]
        if isinstance(payload, LargePayload):
            large_texts.load_sent(tx, command, payload)
        sent.append(Dispatched(command=command, attempt=row["attempts"], payload=payload))
        tx.run(
            _ATTEMPT,
            id=command,
            number=row["attempts"],
            device=device,
            uuid=uuid,
            now=now.wall,
            handover=f"{sent[0].command}/{sent[0].attempt}",
            position=len(sent) if len(chosen) > 1 else None,
        )
        record(tx, now, EventType.COMMAND_SENT, device, command, attempt=row["attempts"])
    return tuple(sent)


_DELETE_ATTEMPT = Statement("delete an attempt", "DELETE FROM attempt WHERE command = :id AND number = :attempt")


def unsend(tx: ITransaction, dispatched: Sequence[Dispatched], now: Now) -> None:
    """Return commands to the queue whose current attempt is the one that was dispatched; delete that attempt."""
    for sent in dispatched:
        times = {"now": now.wall, "elapsed": now.elapsed}
        row = first(tx, lifecycle_guards.UNSEND, id=sent.command, attempt=sent.attempt, **times)
        if row is not None:
            tx.run(_DELETE_ATTEMPT, id=sent.command, attempt=sent.attempt)
            record(tx, now, EventType.COMMAND_QUEUED, row["device"], sent.command, reason="unsent")
            if row["error"] is not None:  # cancelled while it was in flight: it must not be sent again
                record_state(tx, now, tx.rows(lifecycle_guards.CANCEL, id=sent.command, now=now.wall)[0])
