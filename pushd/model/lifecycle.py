"""The life of a command: one table of states, moves and guards.

The store's guarded updates, the page in the docs and the tests are made from :data:`LIFECYCLE`.
"""

from enum import StrEnum

from attrs import frozen


class State(StrEnum):
    """Where a command stands; no state claims more than its evidence."""

    QUEUED = "queued"  # accepted and durable, waiting for the device
    SENT = "sent"  # claimed for a connection: it may have run
    ACKNOWLEDGED = "acknowledged"  # the device said that it has it
    SUCCEEDED = "succeeded"  # the device, or an operator, says that it worked
    FAILED = "failed"  # the device, or an operator, says that it did not
    EXPIRED = "expired"  # never sent, and now too late
    CANCELLED = "cancelled"  # never sent, and taken back
    UNKNOWN = "unknown"  # it may have run, and nobody said so


ENDED = frozenset({State.SUCCEEDED, State.FAILED, State.EXPIRED, State.CANCELLED, State.UNKNOWN})
"""A command in one of these has ``finished_at``; whoever waited for it is answered."""

OUT = frozenset({State.SENT, State.ACKNOWLEDGED})
"""A command in one of these has an open lease."""


class Delivery(StrEnum):
    """What the sender allows when delivery is in doubt."""

    AT_MOST_ONCE = "at_most_once"
    AT_LEAST_ONCE = "at_least_once"


class Move(StrEnum):
    """What can happen to a command."""

    SEND = "send"  # claimed for a connection, before any byte is written
    UNSEND = "unsend"  # the connection was gone before any byte was written
    ACKNOWLEDGE = "acknowledge"
    SUCCEED = "succeed"
    FAIL = "fail"
    GARBLE = "garble"  # the device reported, and nobody can read what
    LAPSE = "lapse"  # the lease ran out
    EXPIRE = "expire"  # the time to live is over
    CANCEL = "cancel"
    FORGET = "forget"  # the device was forgotten while the command was out
    RESOLVE_SUCCEEDED = "resolve_succeeded"
    RESOLVE_FAILED = "resolve_failed"


class Guard(StrEnum):
    """A condition on a command that a rule asks for, beside its state."""

    ALWAYS = "always"
    LIVE = "live"  # its time to live is not over
    UNTRIED = "untried"  # no attempt was made
    TRIED = "tried"  # at least one attempt was made
    REPEATABLE = "repeatable"  # at_least_once, attempts left, time to live not over
    SPENT = "spent"  # not repeatable
    AT_LEAST_ONCE = "at_least_once"


@frozen
class Rule:
    """One line of the table: from ``source``, by ``move``, where ``guard`` holds, to ``target``."""

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
"""A device may speak of a command that is out, in doubt, or waiting for another attempt."""


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
    Rule(State.UNKNOWN, Move.RESOLVE_SUCCEEDED, State.SUCCEEDED),
    Rule(State.UNKNOWN, Move.RESOLVE_FAILED, State.FAILED),
)

RESENDABLE = frozenset({State.UNKNOWN, State.FAILED, State.EXPIRED, State.CANCELLED})
"""From these an operator may send the same payload again, as a new command."""


def rules(move: Move) -> tuple[Rule, ...]:
    """The lines of the table for ``move``."""
    return tuple(rule for rule in LIFECYCLE if rule.move is move)
