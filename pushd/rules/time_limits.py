"""What time does with commands: leases that run out, times to live that are over, clocks that were set."""

from attrs import frozen

from pushd.model.lifecycle import Move, State
from pushd.model.timestamps import Now, milliseconds
from pushd.rules.moves import ended, is_live, queued_again, record_state, target
from pushd.rules.records import CommandRecord
from pushd.rules.reporting import reopened
from pushd.rules.view import View

MIN_STEP = 1000
"""Milliseconds: by less, clocks deviate without being set, and by a rounding in each start."""


@frozen
class Lapse:
    """End a command whose lease ran out, or queue it again."""

    command: str
    now: Now

    def decide(self, view: View) -> None:
        command = view.command(self.command)
        if command is None or command.lease_until is None or command.lease_until > self.now.steady:
            return
        if target(command, Move.LAPSE, self.now) is State.QUEUED:
            after = queued_again(command, self.now).changed(evidence=None, error=None)
            record_state(view, self.now, after, reason="lapsed")
        else:
            after = ended(command, State.UNKNOWN, self.now, "the lease ran out without a result")
            record_state(view, self.now, after)
        view.change(after)


@frozen
class Expire:
    """End a queued command whose time to live is over."""

    command: str
    now: Now

    def decide(self, view: View) -> None:
        command = view.command(self.command)
        if command is None or is_live(command, self.now):
            return
        state = target(command, Move.EXPIRE, self.now)
        if state is not None:
            after = command.changed(state=state, finished_at=self.now.wall, error="the time to live is over")
            record_state(view, self.now, after)
            view.change(after)


@frozen
class Renew:
    """Give a command in flight its whole lease again: the server could not receive what the device sent."""

    command: str
    now: Now

    def decide(self, view: View) -> None:
        command = view.command(self.command)
        if command is not None and command.lease_until is not None:
            after = renewed(command, self.now)
            if (after.lease_until or 0) > command.lease_until:  # not if it was sent since
                view.change(after.changed())


def renewed(command: CommandRecord, now: Now) -> CommandRecord:
    """A command with its whole lease, if it is in flight; the same version, for a start renews all leases anyway."""
    if command.lease_until is None:
        return command
    return command._replace(
        lease_until=now.steady + milliseconds(command.lease), deadline_until=reopened(command, now)
    )


@frozen
class StepClock:
    """Apply a step of the wall clock to a queued command; ``latest`` is the latest wall time before and after it."""

    command: str
    latest: int
    now: Now

    def decide(self, view: View) -> None:
        command = view.command(self.command)
        if command is not None:
            after = with_clock_step(command, self.latest, self.now)
            if after is not command:
                view.change(after)


def with_clock_step(command: CommandRecord, latest: int, now: Now) -> CommandRecord:
    """A command after a step: the time to live of a queued one ends when the wall clock shows it, or earlier.

    Of a command that was not due at ``latest`` it has not begun, so it moves with the wall clock in both directions.
    """
    if command.state is not State.QUEUED:
        return command
    expires_elapsed = now.elapsed_at(command.expires_at)
    later = expires_elapsed - command.expires_elapsed
    moves = command.not_before is not None and command.not_before > latest
    if later <= -MIN_STEP or (moves and later >= MIN_STEP):
        return command.changed(expires_elapsed=expires_elapsed)
    return command
