"""Convert database rows to values."""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from pushd.lib.strict_json import UnreadableBody, parse
from pushd.model.command import Command, LargePayload, Payload
from pushd.model.device import Admission, Device, Orphan, PresenceState, Proof, ProofKind
from pushd.model.errors import Unavailable
from pushd.model.event import Event, EventType
from pushd.model.facts import NO_FACTS
from pushd.model.large_text import REFERENCE, LargeText
from pushd.model.lifecycle import Delivery, State
from pushd.rules.replies import to_endpoints
from pushd.store.transaction import Row

_COMMAND_PLAIN = (
    "id device priority ttl not_before created_at expires_at attempts max_attempts lease deadline sent_at"
    " acknowledged_at finished_at error evidence matched_by created_by resend_of resent_as idempotency_key"
    " endpoint trace"
).split()
COMMAND_COLUMNS = ", ".join(["state", "delivery", "late", "endpoints", *_COMMAND_PLAIN])

_DEVICE_PLAIN = (
    "id dialect serial name site muted_until last_seen_at last_address poll_gap heartbeat_timeout hold learned_hold"
    " batch created_at"
).split()
DEVICE_COLUMNS = ("tags", "facts", "allow_from", "admission", "presence", *_DEVICE_PLAIN)


@contextmanager
def report_corruption(what: str) -> Iterator[None]:
    """Report a value that cannot be read: it was valid when it was written, so the file is damaged."""
    try:
        yield
    except ValueError as error:
        raise _damaged(what, error) from error


def _damaged(what: str, error: Exception) -> Unavailable:
    return Unavailable(f"{what} in the database is damaged: {error}")


def to_columns(fields: Mapping[str, Any], as_json: Collection[str]) -> dict[str, Any]:
    """The values of columns for these fields; those ``as_json`` are kept as JSON text."""
    return {name: json.dumps(value) if name in as_json else value for name, value in fields.items()}


def read_payload(text: str) -> Payload:
    """The payload of a command by its text in the row of a command; a large one has to be loaded."""
    if text.startswith(REFERENCE):
        return LargePayload(LargeText(text), LargeText(text))
    try:
        payload: dict[str, Any] = parse(text)
    except UnreadableBody as error:  # not by report_corruption(): this runs for each command
        raise _damaged("A payload", error) from error
    return payload


@report_corruption("A command")
def to_command(row: Row) -> Command:
    """A command without its payload and result, from :data:`COMMAND_COLUMNS`."""
    return Command(
        state=State(row["state"]),
        delivery=Delivery(row["delivery"]),
        late=bool(row["late"]),
        endpoints=to_endpoints(row["endpoints"]),
        payload={},
        result=None,
        **{name: row[name] for name in _COMMAND_PLAIN},
    )


@lru_cache(maxsize=1024)
def _to_texts(stored: str) -> tuple[str, ...]:
    """A list of texts; many devices have the same, and a start reads all devices."""
    return tuple(json.loads(stored))


@report_corruption("A device")
def to_device(row: Row) -> Device:
    """A device as stored, without its live state."""
    return Device(
        tags=_to_texts(row["tags"]),
        facts=NO_FACTS if row["facts"] == "{}" else json.loads(row["facts"]),
        allow_from=_to_texts(row["allow_from"]),
        admission=Admission(row["admission"]),
        presence=PresenceState(row["presence"]),
        revision=row["revision"],
        **{name: row[name] for name in _DEVICE_PLAIN},
    )


@report_corruption("A proof")
def to_proof(row: Row) -> Proof:
    """A proof of identity."""
    return Proof(
        digest=bytes(row["digest"]),
        device=row["device"],
        kind=ProofKind(row["kind"]),
        expires_at=row["expires_at"],
    )


def to_orphan(row: Row) -> Orphan:
    """An orphan result."""
    return Orphan(
        id=row["id"],
        device=row["device"],
        at=row["at"],
        reason=row["reason"],
        reference=row["reference"],
        size=row["size"],
        raw=bytes(row["raw"]),
    )


@report_corruption("An event")
def to_event(row: Row) -> Event:
    """An entry of the feed."""
    return Event(
        seq=row["seq"],
        type=EventType(row["type"]),
        at=row["at"],
        device=row["device"],
        by=row["by"],
        command=row["command"],
        data=json.loads(row["data"]),
        epoch=row["epoch"],
    )
