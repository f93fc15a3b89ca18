"""A command as callers of the store know it."""

import json

from pushd.model.command import Command, Payload
from pushd.model.large_text import Text, from_column
from pushd.rules.records import CommandRecord
from pushd.rules.view import View


def whole(view: View, command: CommandRecord) -> Command:
    """A command with its payload and result; large ones are loaded before the commit."""
    found = to_command(command, view.payload(command), from_column(view.result(command)))
    view.load(found)
    return found


def to_command(command: CommandRecord, payload: Payload, result: Text | None) -> Command:
    """A command with this payload and result."""
    return Command(
        id=command.id,
        device=command.device,
        state=command.state,
        endpoint=command.endpoint,
        endpoints=to_endpoints(command.endpoints),
        payload=payload,
        delivery=command.delivery,
        priority=command.priority,
        ttl=command.ttl,
        not_before=command.not_before,
        created_at=command.created_at,
        expires_at=command.expires_at,
        attempts=command.attempts,
        max_attempts=command.max_attempts,
        lease=command.lease,
        deadline=command.deadline,
        sent_at=command.sent_at,
        acknowledged_at=command.acknowledged_at,
        finished_at=command.finished_at,
        result=result,
        error=command.error,
        late=command.late,
        evidence=command.evidence,
        matched_by=command.matched_by,
        created_by=command.created_by,
        resend_of=command.resend_of,
        resent_as=command.resent_as,
        idempotency_key=command.idempotency_key,
        trace=command.trace,
    )


def to_endpoints(text: str | None) -> tuple[str, ...] | None:
    """The endpoints of a batch, from their JSON text."""
    return None if text is None else tuple(json.loads(text))
