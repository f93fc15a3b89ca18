"""The end of commands without a report: their device was deleted, or the database is a copy."""

from pushd.model.lifecycle import OUT, Move, State
from pushd.rules.moves import cancelled, ended, record_state, target
from pushd.rules.records import CommandRecord
from pushd.rules.view import View


def end_of_deleted_device(view: View, command: CommandRecord) -> None:
    """End an open command of a device that is being deleted."""
    if command.state in OUT:
        after = ended(command, State.UNKNOWN, view.now, "the device was forgotten")
    else:
        after = cancelled(command, view.now)
    record_state(view, after)
    view.change(after)


def end_in_copy(view: View, command: CommandRecord) -> None:
    """End an open command of a copied database: it may have run since the copy was made."""
    state = target(command, Move.RESTORE, view.now)
    assert state is not None, "an open command may end in a copy"
    after = ended(command, state, view.now, "the database is a copy: the command may have run since it was made")
    record_state(view, after)
    view.change(after)
