"""What time does with commands: leases that run out, times to live that are over, clocks that were set."""

from collections.abc import Iterable, Iterator

from attrs import frozen

from pushd.model.lifecycle import Move, State
from pushd.model.timestamps import Now, milliseconds
from pushd.rules.moves import ended, is_live, queued_again, record_state, target
from pushd.rules.records import CommandRecord
from pushd.rules.reporting import reopened
from pushd.rules.view import Needs, View

MIN_STEP = 1000
"""Milliseconds: by less, clocks deviate without being set, and by a rounding in each start."""


@frozen
class Lapse:
    """End a command whose lease ran out, or queue it again."""

    command: str

    def needs(self) -> Needs:
        return Needs(commands=(self.command,))

    def decide(self, view: View) -> None:
        command = view.command(self.command)
        if command is None or command.lease_until is None or command.lease_until > view.now.steady:
            return
        if target(command, Move.LAPSE, view.now) is State.QUEUED:
            after = queued_again(command, view.now).changed(evidence=None, error=None)
            record_state(view, after, reason="lapsed")
        else:
            after = ended(command, State.UNKNOWN, view.now, "the lease ran out without a result")
            record_state(view, after)
        view.change(after)


@frozen
class Expire:
    """End a queued command whose time to live is over."""

    command: str

    def needs(self) -> Needs:
        return Needs(commands=(self.command,))

    def decide(self, view: View) -> None:
        command = view.command(self.command)
        if command is None or is_live(command, view.now):
            return
        state = target(command, Move.EXPIRE, view.now)
        if state is not None:
            after = command.changed(state=state, finished_at=view.now.wall, error="the time to live is over")
            record_state(view, after)
            view.change(after)


@frozen
class Renew:
    """Give a command in flight its whole lease again: the server could not receive what the device sent."""

    command: str

    def needs(self) -> Needs:
        return Needs(commands=(self.command,))

    def decide(self, view: View) -> None:
        command = view.command(self.command)
        if command is not None and command.lease_until is not None:
            after = renewed(command, view.now)
            if (after.lease_until or 0) > command.lease_until:  # not if it was sent since
                view.change(after.changed())


def renewed(command: CommandRecord, now: Now) -> CommandRecord:
    """A command with its whole lease, if it is in flight; the same version, for a start renews all leases anyway."""
    if command.lease_until is None:
        return command
    return command.changed(
        version=command.version,
        lease_until=now.steady + milliseconds(command.lease),
        deadline_until=reopened(command, now),
    )


@frozen
class StepClock:
    """Apply a step of the wall clock to a queued command; ``latest`` is the latest wall time before and after it."""

    command: str
    latest: int

    def needs(self) -> Needs:
        return Needs(commands=(self.command,))

    def decide(self, view: View) -> None:
        command = view.command(self.command)
        if command is not None:
            for after in clock_steps([command], self.latest, view.now):
                view.change(after)


def clock_steps(commands: Iterable[CommandRecord], latest: int, now: Now) -> Iterator[CommandRecord]:
    """Queued commands after a step, of those that it changes: their time to live ends when the wall clock shows it, or
    earlier.

    Of a command that was not due at ``latest`` it has not begun, so it moves with the wall clock in both directions.
    """
    shift = now.elapsed_at(0)
    for command in commands:
        later = command.expires_at + shift - command.expires_elapsed
        if abs(later) >= MIN_STEP and command.state is State.QUEUED:
            moves = command.not_before is not None and command.not_before > latest
            if later < 0 or moves:
                yield command.changed(expires_elapsed=command.expires_elapsed + later)
