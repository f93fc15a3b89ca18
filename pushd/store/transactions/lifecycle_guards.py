"""The lifecycle table as SQL: guarded updates that make only legal moves."""

from pushd.model.lifecycle import Guard, Move, Rule, rules
from pushd.store.transaction import Statement

LIVE = "(expires_at > :now AND expires_elapsed > :elapsed)"
"""The time to live is over neither by wall time, ``:now``, nor by elapsed time."""

_REPEATABLE = f"(delivery = 'at_least_once' AND attempts < max_attempts AND {LIVE})"

GUARDS = {
    Guard.ALWAYS: "TRUE",
    Guard.LIVE: LIVE,
    Guard.UNTRIED: "attempts = 0",
    Guard.TRIED: "attempts > 0",
    Guard.REPEATABLE: _REPEATABLE,
    Guard.SPENT: f"NOT {_REPEATABLE}",
    Guard.AT_LEAST_ONCE: "delivery = 'at_least_once'",
}
"""Each guard over the columns of a command; ``:now`` is wall time, ``:elapsed`` elapsed time."""

COLUMNS = (
    "id, device, state, delivery, priority, ttl, not_before, created_at, expires_at, attempts, max_attempts, lease,"
    " deadline, sent_at, acknowledged_at, finished_at, error, late, evidence, matched_by, created_by, resend_of,"
    " resent_as, idempotency_key"
)
"""The columns of a command that are small."""

WHOLE = f"{COLUMNS}, payload, result"
"""All columns that a command is made of."""

OUTCOME = "id, device, state, attempts, error, late"
"""The columns from which the event about a move is made."""

_REMEMBERS_AGE = "expires_elapsed = MIN(expires_elapsed, :elapsed + expires_at - :now)"
"""Of a command that is queued again: the wall clock may have been set forward while it was in flight."""

_ENDS_LEASE = "lease_until = NULL, deadline_until = NULL"


def _condition(rule: Rule) -> str:
    return f"(state = '{rule.source}' AND {GUARDS[rule.guard]})"


def _guard(move: Move) -> str:
    return "(" + " OR ".join(_condition(rule) for rule in rules(move)) + ")"


def _target(move: Move) -> str:
    cases = " ".join(f"WHEN {_condition(rule)} THEN '{rule.target}'" for rule in rules(move))
    return f"CASE {cases} END"


def guarded_update(
    move: Move, description: str, sets: str, where: str = "TRUE", returning: str = OUTCOME
) -> Statement:
    """An UPDATE that makes ``move`` with the command ``:id``, if the table and ``where`` allow it; with ``sets``."""
    return Statement(
        description,
        f"UPDATE command SET state = {_target(move)}, {sets}"
        f" WHERE id = :id AND {_guard(move)} AND {where} RETURNING {returning}",
    )


SEND = guarded_update(
    Move.SEND,
    "claim a command",
    "attempts = attempts + 1, sent_at = :now, acknowledged_at = NULL, deadline_until = :steady + deadline * 1000,"
    " lease_until = :steady + MIN(lease, deadline) * 1000",
    "attempts < max_attempts",
    returning="id, attempts",
)

UNSEND = guarded_update(
    Move.UNSEND,
    "take back a claim",
    f"attempts = attempts - 1, {_ENDS_LEASE}, {_REMEMBERS_AGE},"
    " sent_at = (SELECT sent_at FROM attempt WHERE command = :id AND number = :attempt - 1)",
    "attempts = :attempt",
)

REOPENED = ":steady + MAX(lease, deadline - MAX(:now - sent_at, 0) / 1000.0) * 1000"
"""The new deadline of an attempt whose lease ran out: what is left of the old one in wall time, or one lease."""

ACKNOWLEDGE = guarded_update(
    Move.ACKNOWLEDGE,
    "acknowledge a command",
    "acknowledged_at = COALESCE(acknowledged_at, :now), finished_at = NULL, evidence = 'device',"
    " error = CASE WHEN lease_until IS NOT NULL THEN error ELSE NULL END,"
    f" deadline_until = COALESCE(deadline_until, {REOPENED}),"
    f" lease_until = MIN(:steady + lease * 1000, COALESCE(deadline_until, {REOPENED}))",
    "attempts > 0",  # of a copy a command may be unknown without one
)

REPORTS = {
    move: guarded_update(
        move,
        "settle a command",
        f"{_ENDS_LEASE}, finished_at = :now, result = :result, error = :error, late = :late,"
        " evidence = 'device', matched_by = :matched_by",
    )
    for move in (Move.SUCCEED, Move.FAIL, Move.GARBLE)
}

LAPSE = guarded_update(
    Move.LAPSE,
    "end a lease",
    f"{_ENDS_LEASE}, {_REMEMBERS_AGE}, evidence = NULL, finished_at = CASE WHEN {_REPEATABLE} THEN NULL ELSE :now END,"
    f" error = CASE WHEN {_REPEATABLE} THEN NULL ELSE 'the lease ran out without a result' END",
    "lease_until <= :steady",
)

EXPIRE = guarded_update(
    Move.EXPIRE, "expire a command", "finished_at = :now, error = 'the time to live is over'", f"NOT {LIVE}"
)

_NOT_ATTEMPTED = "state = 'queued' AND attempts = 0"

_CANCELLED = (  # a command in flight with an error was cancelled meanwhile; nothing else sets one there
    "CASE WHEN state <> 'queued' THEN 'cancelled: there is no further attempt'"
    " WHEN attempts > 0 THEN 'cancelled after it may have run' ELSE NULL END"
)

CANCEL = guarded_update(
    Move.CANCEL,
    "cancel a command",
    "max_attempts = CASE WHEN state = 'queued' THEN max_attempts ELSE attempts END,"
    " finished_at = CASE WHEN state = 'queued' THEN :now ELSE NULL END,"
    f" error = {_CANCELLED},"
    f" evidence = CASE WHEN {_NOT_ATTEMPTED} THEN 'operator' ELSE evidence END",
)

FORGET = guarded_update(
    Move.FORGET,
    "end a command in flight of a deleted device",
    f"{_ENDS_LEASE}, evidence = NULL, finished_at = :now, error = 'the device was forgotten'",
)

RESTORE = guarded_update(
    Move.RESTORE,
    "end an open command of a copied database",
    f"{_ENDS_LEASE}, evidence = NULL, finished_at = :now,"
    " error = 'the database is a copy: the command may have run since it was made'",
)

RESOLVES = {
    move: guarded_update(move, "resolve a command", "finished_at = :now, error = :error, evidence = 'operator'")
    for move in (Move.RESOLVE_SUCCEEDED, Move.RESOLVE_FAILED)
}
