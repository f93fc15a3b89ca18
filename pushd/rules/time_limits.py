"""What time does with commands: leases that run out, times to live that are over, clocks that were set."""

from attrs import frozen

from pushd.model.lifecycle import Move, State
from pushd.model.timestamps import Now, milliseconds
from pushd.rules.moves import ended, is_live, queued_again, record_state, target
from pushd.rules.records import CommandRecord
from pushd.rules.reporting import reopened
from pushd.rules.view import View


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


def renewed(command: CommandRecord, now: Now) -> CommandRecord:
    """A command in flight with its whole lease again: the server could not receive what the device sent."""
    return command.changed(lease_until=now.steady + milliseconds(command.lease), deadline_until=reopened(command, now))


def with_clock_step(command: CommandRecord, latest: int, now: Now) -> CommandRecord:
    """A queued command after the wall clock was set: its time to live ends when the wall clock shows it, or earlier.

    Of a command that was not due at ``latest``, the latest wall time before and after the step, the time to live has
    not begun, so it moves with the wall clock in both directions.
    """
    expires_elapsed = now.elapsed_at(command.expires_at)
    moves = command.not_before is not None and command.not_before > latest
    if expires_elapsed < command.expires_elapsed or (moves and expires_elapsed != command.expires_elapsed):
        return command.changed(expires_elapsed=expires_elapsed)
    return command
