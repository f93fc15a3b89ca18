"""The table of the lifecycle, applied to a command, and the event of its new state."""

from collections.abc import Callable, Mapping
from typing import Protocol

from pushd.model.event import STATE_EVENTS
from pushd.model.lifecycle import LIFECYCLE, Delivery, Guard, Move, State
from pushd.model.timestamps import Now
from pushd.rules.records import CommandRecord
from pushd.rules.view import View


class IQueued(Protocol):
    """What of a queued command says when it may be sent."""

    @property
    def not_before(self) -> int | None:
        """Wall milliseconds; None: at once."""

    @property
    def expires_at(self) -> int:
        """Wall milliseconds."""

    @property
    def expires_elapsed(self) -> int:
        """Elapsed milliseconds."""


def is_live(command: IQueued, now: Now) -> bool:
    """Whether its time to live is over neither by wall time nor by elapsed time."""
    return command.expires_at > now.wall and command.expires_elapsed > now.elapsed


def is_repeatable(command: CommandRecord, now: Now) -> bool:
    """Whether it may be sent again: at_least_once, attempts left, time to live not over."""
    return (
        command.delivery is Delivery.AT_LEAST_ONCE
        and command.attempts < command.max_attempts
        and is_live(command, now)
    )


_GUARDS: Mapping[Guard, Callable[[CommandRecord, Now], bool] | None] = {
    Guard.ALWAYS: None,
    Guard.LIVE: is_live,
    Guard.UNTRIED: lambda command, _now: command.attempts == 0,
    Guard.TRIED: lambda command, _now: command.attempts > 0,
    Guard.REPEATABLE: is_repeatable,
    Guard.SPENT: lambda command, now: not is_repeatable(command, now),
    Guard.AT_LEAST_ONCE: lambda command, _now: command.delivery is Delivery.AT_LEAST_ONCE,
}

_TARGETS = {
    (source, move): tuple(
        (_GUARDS[rule.guard], rule.target) for rule in LIFECYCLE if (rule.source, rule.move) == (source, move)
    )
    for source in State
    for move in Move
}


def target(command: CommandRecord, move: Move, now: Now) -> State | None:
    """The state to which a move leads; None if the lifecycle does not allow it."""
    for guard, state in _TARGETS[command.state, move]:
        if guard is None or guard(command, now):
            return state
    return None


def record_state(view: View, command: CommandRecord, reason: str | None = None) -> None:
    """Record the event for the state that a command is in now."""
    view.record_command(
        STATE_EVENTS[command.state],
        command,
        reason=reason,
        attempts=command.attempts,
        error=command.error,
        late=command.late or None,
    )


def queued_again(command: CommandRecord, now: Now) -> CommandRecord:
    """A command back in the queue, without lease; its age is kept if the wall clock was set forward meanwhile."""
    left = now.elapsed + command.expires_at - now.wall
    return command.changed(
        state=State.QUEUED,
        lease_until=None,
        deadline_until=None,
        expires_elapsed=min(command.expires_elapsed, left),
    )


def ended(command: CommandRecord, state: State, now: Now, error: str | None) -> CommandRecord:
    """A command that has ended by what the server knows, without evidence of its outcome."""
    return command.changed(
        state=state, lease_until=None, deadline_until=None, finished_at=now.wall, error=error, evidence=None
    )


def cancelled(command: CommandRecord, now: Now) -> CommandRecord:
    """A queued command that was cancelled."""
    if command.attempts:
        return command.changed(state=State.UNKNOWN, finished_at=now.wall, error="cancelled after it may have run")
    return command.changed(state=State.CANCELLED, finished_at=now.wall, error=None, evidence="operator")
