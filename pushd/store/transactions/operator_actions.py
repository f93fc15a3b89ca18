"""What an operator does with a command: cancel, resolve, resend."""

from pushd.model.command import Command, Draft
from pushd.model.errors import IllegalMove, UnknownCommand
from pushd.model.event import EventType
from pushd.model.lifecycle import OUT, RESENDABLE, Move, State, rules
from pushd.model.timestamps import Now
from pushd.store.transaction import ITransaction, Statement, first, record
from pushd.store.transactions import lifecycle_guards
from pushd.store.transactions.command_lookup import look_up, record_state, to_whole_command
from pushd.store.transactions.enqueue_claim import check_may_queue, insert


def cancel(tx: ITransaction, command: str, now: Now) -> Command:
    """Cancel a queued command, or make the attempt in flight the last."""
    before = look_up(tx, command)
    if before["state"] == State.CANCELLED:
        return to_whole_command(tx, before)
    after = first(tx, lifecycle_guards.CANCEL, id=command, now=now.wall)
    if after is None:
        why = _WHY_NOT_CANCELLED.get(before["state"], "it has ended and cannot be cancelled.")
        raise IllegalMove(f"The command is {before['state']}; {why}")
    if after["state"] != before["state"]:
        record_state(tx, now, after)
    return to_whole_command(tx, look_up(tx, command))


_WHY_NOT_CANCELLED = dict.fromkeys(OUT, "it may have run already, and would not be sent again anyway.")


def resolve(tx: ITransaction, command: str, move: Move, note: str | None, by: str, now: Now) -> Command:
    """Set the outcome of a command whose outcome is unknown, by an operator's evidence."""
    before = look_up(tx, command)
    statement, target = lifecycle_guards.RESOLVES[move], rules(move)[0].target
    if before["state"] == target and before["evidence"] == "operator":
        return to_whole_command(tx, before)
    after = first(tx, statement, id=command, now=now.wall, error=note if target is State.FAILED else None)
    if after is None:
        raise IllegalMove(f"The command is {before['state']}; only one whose outcome is unknown can be resolved.")
    record(tx, now, EventType.COMMAND_RESOLVED, after["device"], command, state=after["state"], note=note, by=by)
    return to_whole_command(tx, look_up(tx, command))


_SET_RESENT = Statement("save the successor of a command", "UPDATE command SET resent_as = :resent_as WHERE id = :id")


def resend(tx: ITransaction, draft: Draft, queue_signed_off: bool, max_queued: int, now: Now) -> tuple[Command, bool]:
    """Queue the successor of a command that has ended, unless it has one."""
    before = look_up(tx, str(draft.resend_of))
    if before["resent_as"] is not None:
        return _successor(tx, before["resent_as"]), False
    if before["state"] not in RESENDABLE:
        raise IllegalMove(f"The command is {before['state']}; {_WHY_NOT_RESENT[before['state']]}")
    check_may_queue(tx, draft.device, queue_signed_off, max_queued)
    command = insert(tx, draft, now)
    tx.run(_SET_RESENT, id=draft.resend_of, resent_as=draft.id)
    return command, True


def _successor(tx: ITransaction, resent_as: str) -> Command:
    try:
        return to_whole_command(tx, look_up(tx, resent_as))
    except UnknownCommand:
        raise IllegalMove(
            f"The command was sent again already, as {resent_as}, which has ended and was purged."
        ) from None


_WHY_NOT_RESENT = {
    State.QUEUED: "it will be sent.",
    State.SUCCEEDED: "only one that failed, expired, was cancelled or is unknown can be sent again.",
    **dict.fromkeys(OUT, "wait for its outcome first."),
}
