"""What an operator does with a command: cancel, resolve, resend."""

from typing import Any

from attrs import frozen

from pushd.model.audit import changed
from pushd.model.command import Command, Draft
from pushd.model.errors import IllegalMove, UnknownCommand
from pushd.model.event import EventType
from pushd.model.lifecycle import OUT, RESENDABLE, Move, State, rules
from pushd.rules.admissions import check_token
from pushd.rules.moves import cancelled, record_state, target
from pushd.rules.queueing import enqueue, token_of
from pushd.rules.records import CommandRecord
from pushd.rules.replies import whole
from pushd.rules.view import Needs, View


def look_up(view: View, command: str) -> CommandRecord:
    """A command by its id.

    :raises UnknownCommand: if there is none.
    """
    found = view.command(command)
    if found is None:
        raise UnknownCommand(f"No command {command} is known.")
    return found


@frozen
class Cancel:
    """Cancel a queued command, or make the attempt in flight the last."""

    command: str

    def needs(self) -> Needs:
        return Needs(commands=(self.command,))

    def decide(self, view: View) -> Command:
        before = look_up(view, self.command)
        if before.state is State.CANCELLED:
            return whole(view, before)
        if target(before, Move.CANCEL, view.now) is None:
            why = _WHY_NOT_CANCELLED.get(before.state, "it has ended and cannot be cancelled.")
            raise IllegalMove(f"The command is {before.state}; {why}")
        if before.state in OUT:
            after = before.changed(max_attempts=before.attempts, error="cancelled: there is no further attempt")
        else:
            after = cancelled(before, view.now)
            record_state(view, after)
        view.change(after)
        _audit(view, "command.cancel", before, after)
        return whole(view, after)


def _audit(view: View, action: str, before: CommandRecord, after: CommandRecord, **data: Any) -> None:
    """Record in the audit log what an operator changed in a command."""
    was, became = changed(*({name: getattr(each, name) for name in _AUDITED} for each in (before, after)))
    view.audit(action, f"command:{after.id}", was, {**became, **data})


_AUDITED = ("state", "max_attempts", "resent_as")


_WHY_NOT_CANCELLED = dict.fromkeys(OUT, "it may have run already, and would not be sent again anyway.")


@frozen
class Resolve:
    """Set the outcome of a command whose outcome is unknown, by the evidence of an operator, ``by``."""

    command: str
    move: Move
    note: str | None
    by: str

    def needs(self) -> Needs:
        return Needs(commands=(self.command,))

    def decide(self, view: View) -> Command:
        before, state = look_up(view, self.command), rules(self.move)[0].target
        if before.state is state and before.evidence == "operator":
            return whole(view, before)
        if target(before, self.move, view.now) is None:
            raise IllegalMove(f"The command is {before.state}; only one whose outcome is unknown can be resolved.")
        after = before.changed(
            state=state,
            finished_at=view.now.wall,
            error=self.note if state is State.FAILED else None,
            evidence="operator",
        )
        view.change(after)
        view.record_command(EventType.COMMAND_RESOLVED, after, self.by, state=after.state, note=self.note)
        _audit(view, "command.resolve", before, after, note=self.note)
        return whole(view, after)


@frozen
class Resend:
    """Queue ``draft`` as the successor of a command that has ended, unless it has one; True if it was queued."""

    draft: Draft
    queue_signed_off: bool
    max_queued: int

    def needs(self) -> Needs:
        original = str(self.draft.resend_of)
        return Needs(device=self.draft.device, commands=(original,), adds=True, token=token_of(self.draft))

    def decide(self, view: View) -> tuple[Command, bool]:
        check_token(view, self.draft.token)
        before = look_up(view, str(self.draft.resend_of))
        if before.resent_as is not None:
            return _successor(view, before.resent_as), False
        if before.state not in RESENDABLE:
            raise IllegalMove(f"The command is {before.state}; {_WHY_NOT_RESENT[before.state]}")
        successor = enqueue(view, self.draft, self.queue_signed_off, self.max_queued)
        after = before.changed(resent_as=successor.id)
        view.change(after)
        _audit(view, "command.resend", before, after)
        return successor, True


def _successor(view: View, resent_as: str) -> Command:
    found = view.command(resent_as)
    if found is None:
        raise IllegalMove(f"The command was sent again already, as {resent_as}, which has ended and was purged.")
    return whole(view, found)


_WHY_NOT_RESENT = {
    State.QUEUED: "it will be sent.",
    State.SUCCEEDED: "only one that failed, expired, was cancelled or is unknown can be sent again.",
    **dict.fromkeys(OUT, "wait for its outcome first."),
}
