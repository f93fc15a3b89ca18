"""The lifecycle table as SQL: guarded updates that cannot make an illegal move."""

from pushd.model.lifecycle import Guard, Move, Rule, rules
from pushd.store.transaction import Statement

_REPEATABLE = "(delivery = 'at_least_once' AND attempts < max_attempts AND expires_at > :now)"

GUARDS = {
    Guard.ALWAYS: "TRUE",
    Guard.LIVE: "expires_at > :now",
    Guard.UNTRIED: "attempts = 0",
    Guard.TRIED: "attempts > 0",
    Guard.REPEATABLE: _REPEATABLE,
    Guard.SPENT: f"NOT {_REPEATABLE}",
    Guard.AT_LEAST_ONCE: "delivery = 'at_least_once'",
}
"""Each guard over the columns of a command; ``:now`` is wall milliseconds."""

COLUMNS = (
    "id, device, state, delivery, priority, ttl, not_before, created_at, expires_at, attempts, max_attempts, lease,"
    " deadline, sent_at, acknowledged_at, finished_at, error, late, evidence, matched_by, created_by, resend_of,"
    " resent_as, idempotency_key"
)
"""All of a command but what may be large."""

WHOLE = f"{COLUMNS}, payload, result"

OUTCOME = "id, device, state, attempts, error, late"
"""What the feed tells of a move."""

_ENDS_LEASE = "lease_until = NULL, deadline_until = NULL"


def _condition(rule: Rule) -> str:
    return f"(state = '{rule.source}' AND {GUARDS[rule.guard]})"


def _guard(move: Move) -> str:
    return "(" + " OR ".join(_condition(rule) for rule in rules(move)) + ")"


def _target(move: Move) -> str:
    cases = " ".join(f"WHEN {_condition(rule)} THEN '{rule.target}'" for rule in rules(move))
    return f"CASE {cases} END"


def moving(move: Move, description: str, sets: str, where: str = "TRUE", returning: str = OUTCOME) -> Statement:
    """The update that makes ``move`` of the command ``:id`` where the table and ``where`` allow it, and sets
    ``sets``.
    """
    return Statement(
        description,
        f"UPDATE command SET state = {_target(move)}, {sets}"
        f" WHERE id = :id AND {_guard(move)} AND {where} RETURNING {returning}",
    )


SEND = moving(
    Move.SEND,
    "claim a command",
    "attempts = attempts + 1, sent_at = :now, acknowledged_at = NULL, deadline_until = :steady + deadline * 1000,"
    " lease_until = :steady + MIN(lease, deadline) * 1000",
    "attempts < max_attempts",
    returning="id, attempts",
)

UNSEND = moving(
    Move.UNSEND,
    "take back a claim",
    "attempts = attempts - 1, lease_until = NULL, deadline_until = NULL,"
    " sent_at = (SELECT sent_at FROM attempt WHERE command = :id AND number = :attempt - 1)",
    "attempts = :attempt",
)

_REOPENED = ":steady + MAX(lease, deadline - (:now - sent_at) / 1000.0) * 1000"
"""A lease that ran out may open again: what wall time has left of the attempt's deadline, or one lease."""

ACKNOWLEDGE = moving(
    Move.ACKNOWLEDGE,
    "acknowledge a command",
    "acknowledged_at = COALESCE(acknowledged_at, :now), finished_at = NULL, evidence = 'device',"
    " error = CASE WHEN lease_until IS NOT NULL THEN error ELSE NULL END,"
    f" deadline_until = COALESCE(deadline_until, {_REOPENED}),"
    f" lease_until = MIN(:steady + lease * 1000, COALESCE(deadline_until, {_REOPENED}))",
)

REPORTS = {
    move: moving(
        move,
        "settle a command",
        f"{_ENDS_LEASE}, finished_at = :now, result = :result, error = :error, late = :late,"
        " evidence = 'device', matched_by = :matched_by",
    )
    for move in (Move.SUCCEED, Move.FAIL, Move.GARBLE)
}

LAPSE = moving(
    Move.LAPSE,
    "end a lease",
    f"{_ENDS_LEASE}, evidence = NULL, finished_at = CASE WHEN {_REPEATABLE} THEN NULL ELSE :now END,"
    f" error = CASE WHEN {_REPEATABLE} THEN NULL ELSE 'the lease ran out without a result' END",
    "lease_until <= :steady",
)

EXPIRE = moving(
    Move.EXPIRE, "expire a command", "finished_at = :now, error = 'the time to live is over'", "expires_at <= :now"
)

_NEVER_TRIED = "state = 'queued' AND attempts = 0"

_CANCELLED = (  # what is out and has an error was cancelled meanwhile; nothing else leaves one there
    "CASE WHEN state <> 'queued' THEN 'cancelled: there is no further attempt'"
    " WHEN attempts > 0 THEN 'cancelled after it may have run' ELSE NULL END"
)

CANCEL = moving(
    Move.CANCEL,
    "cancel a command",
    "max_attempts = CASE WHEN state = 'queued' THEN max_attempts ELSE attempts END,"
    " finished_at = CASE WHEN state = 'queued' THEN :now ELSE NULL END,"
    f" error = {_CANCELLED},"
    f" evidence = CASE WHEN {_NEVER_TRIED} THEN 'operator' ELSE evidence END",
)

FORGET = moving(
    Move.FORGET,
    "forget a command that is out",
    f"{_ENDS_LEASE}, evidence = NULL, finished_at = :now, error = 'the device was forgotten'",
)

RESOLVES = {
    move: moving(move, "resolve a command", "finished_at = :now, error = :error, evidence = 'operator'")
    for move in (Move.RESOLVE_SUCCEEDED, Move.RESOLVE_FAILED)
}
