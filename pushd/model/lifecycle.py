"""The lifecycle of a command: one table of states, moves and guards.

The rules, the page in the docs and the tests are made from :data:`LIFECYCLE`.
"""

from enum import StrEnum

from attrs import frozen


class State(StrEnum):
    """The state of a command; none claims more than its evidence."""

    QUEUED = "queued"  # accepted and durable, waiting for the device
    SENT = "sent"  # claimed for a connection: it may have run
    ACKNOWLEDGED = "acknowledged"  # the device has confirmed that it received it
    SUCCEEDED = "succeeded"  # the device, or an operator, reports success
    FAILED = "failed"  # the device, or an operator, reports failure
    EXPIRED = "expired"  # never sent, and its time to live is over
    CANCELLED = "cancelled"  # never sent, and cancelled by an operator
    UNKNOWN = "unknown"  # it may have run, and no report says whether it did


ENDED = frozenset({State.SUCCEEDED, State.FAILED, State.EXPIRED, State.CANCELLED, State.UNKNOWN})
"""A command in one of these states has ``finished_at``, and requests that wait for it are answered."""

OUT = frozenset({State.SENT, State.ACKNOWLEDGED})
"""A command in one of these states has an open lease."""


class Delivery(StrEnum):
    """What the sender allows if it is not known whether the device received a command."""

    AT_MOST_ONCE = "at_most_once"
    AT_LEAST_ONCE = "at_least_once"


class Move(StrEnum):
    """A transition of a command; the guards in :data:`LIFECYCLE` say when it is allowed."""

    SEND = "send"  # claimed for a connection, before any byte is written
    UNSEND = "unsend"  # the connection was lost before any byte was written
    ACKNOWLEDGE = "acknowledge"
    SUCCEED = "succeed"
    FAIL = "fail"
    GARBLE = "garble"  # the device's result is unreadable
    LAPSE = "lapse"  # the lease ran out
    EXPIRE = "expire"  # the time to live is over
    CANCEL = "cancel"
    FORGET = "forget"  # the device was deleted while the command was in flight
    RESTORE = "restore"  # the database is a copy: the command may have run since it was made
    RESOLVE_SUCCEEDED = "resolve_succeeded"
    RESOLVE_FAILED = "resolve_failed"


class Guard(StrEnum):
    """A condition of a rule, beside the state of the command."""

    ALWAYS = "always"
    LIVE = "live"  # its time to live is not over
    UNTRIED = "untried"  # no attempt was made
    TRIED = "tried"  # at least one attempt was made
    REPEATABLE = "repeatable"  # at_least_once, attempts left, time to live not over
    SPENT = "spent"  # not repeatable
    AT_LEAST_ONCE = "at_least_once"


@frozen
class Rule:
    """One line of the table: ``move`` leads from ``source`` to ``target`` if ``guard`` holds."""

    source: State
    move: Move
    target: State
    guard: Guard = Guard.ALWAYS


_REPORTABLE = (
    (State.SENT, Guard.ALWAYS),
    (State.ACKNOWLEDGED, Guard.ALWAYS),
    (State.UNKNOWN, Guard.ALWAYS),
    (State.QUEUED, Guard.TRIED),
)
"""A device may report on a command that is in flight, unknown, or queued for another attempt."""


def _reported(move: Move, target: State) -> tuple[Rule, ...]:
    return tuple(Rule(source, move, target, guard) for source, guard in _REPORTABLE)


LIFECYCLE: tuple[Rule, ...] = (
    Rule(State.QUEUED, Move.SEND, State.SENT, Guard.LIVE),
    Rule(State.SENT, Move.UNSEND, State.QUEUED),
    *_reported(Move.ACKNOWLEDGE, State.ACKNOWLEDGED),
    *_reported(Move.SUCCEED, State.SUCCEEDED),
    *_reported(Move.FAIL, State.FAILED),
    *_reported(Move.GARBLE, State.UNKNOWN),
    Rule(State.SENT, Move.LAPSE, State.QUEUED, Guard.REPEATABLE),
    Rule(State.SENT, Move.LAPSE, State.UNKNOWN, Guard.SPENT),
    Rule(State.ACKNOWLEDGED, Move.LAPSE, State.QUEUED, Guard.REPEATABLE),
    Rule(State.ACKNOWLEDGED, Move.LAPSE, State.UNKNOWN, Guard.SPENT),
    Rule(State.QUEUED, Move.EXPIRE, State.EXPIRED, Guard.UNTRIED),
    Rule(State.QUEUED, Move.EXPIRE, State.UNKNOWN, Guard.TRIED),
    Rule(State.QUEUED, Move.CANCEL, State.CANCELLED, Guard.UNTRIED),
    Rule(State.QUEUED, Move.CANCEL, State.UNKNOWN, Guard.TRIED),
    Rule(State.SENT, Move.CANCEL, State.SENT, Guard.AT_LEAST_ONCE),
    Rule(State.ACKNOWLEDGED, Move.CANCEL, State.ACKNOWLEDGED, Guard.AT_LEAST_ONCE),
    Rule(State.SENT, Move.FORGET, State.UNKNOWN),
    Rule(State.ACKNOWLEDGED, Move.FORGET, State.UNKNOWN),
    Rule(State.QUEUED, Move.RESTORE, State.UNKNOWN),
    Rule(State.SENT, Move.RESTORE, State.UNKNOWN),
    Rule(State.ACKNOWLEDGED, Move.RESTORE, State.UNKNOWN),
    Rule(State.UNKNOWN, Move.RESOLVE_SUCCEEDED, State.SUCCEEDED),
    Rule(State.UNKNOWN, Move.RESOLVE_FAILED, State.FAILED),
)

RESENDABLE = frozenset({State.UNKNOWN, State.FAILED, State.EXPIRED, State.CANCELLED})
"""From these states an operator may send the same payload again, as a new command."""


def rules(move: Move) -> tuple[Rule, ...]:
    """The lines of the table for a move."""
    return tuple(rule for rule in LIFECYCLE if rule.move is move)
