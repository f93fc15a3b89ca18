"""Tests of what rules change in memory: only what is committed, and only over what they have seen."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from twisted.python.failure import Failure

from pushd.model.errors import OutcomeInDoubt, QueueFull, UnknownDevice
from pushd.model.lifecycle import State
from pushd.rules.operator_actions import Cancel
from pushd.rules.queueing import ClaimNext, Enqueue
from pushd.rules.reporting import Settle
from pushd.rules.view import Rule
from pushd.store import open_commands
from pushd.store.group_commit import PendingTransaction
from pushd.store.overlay import decide
from pushd.store.sqlite.connection import SqliteConnection
from pushd.store.sqlite.store import SqliteStore
from pushd.store.transaction import ITransaction, StaleCommands, Statement
from pushd.store.transactions import devices
from tests.results import result_of
from tests.store.clock import new_store
from tests.store.failing_commit import FailingCommit
from tests.store.samples import LIMIT, READER, StubResult, by_message, command_id, device, draft


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    """A store with one device."""
    store = new_store(str(tmp_path / "pushd.sqlite"))
    store.open()
    result_of(store.add_device(device(READER), False))
    return store


@pytest.fixture
def connection(store: SqliteStore) -> SqliteConnection:
    """The connection on which the store writes."""
    connection = store._writer.connection  # type: ignore[attr-defined]
    assert isinstance(connection, SqliteConnection)
    return connection


def enqueue(limit: int = LIMIT) -> Rule[Any]:
    """A rule that queues a command."""
    return Enqueue(draft(), False, limit)


OTHER_PROGRAM = Statement(
    "cancel a command",
    "UPDATE command SET state = 'cancelled', finished_at = 1, version = version + 1 WHERE id = ?",
)
OTHER_ERROR = Statement("change a command", "UPDATE command SET error = 'x', version = version + 1 WHERE id = ?")
CLAIM = ClaimNext(READER, None, False, 1)


def run(connection: SqliteConnection, *operations: Rule[Any] | Callable[[ITransaction], Any]) -> list[object]:
    """Run rules, and operations with statements, as one group; their outcomes, or the errors' types."""
    group = [
        PendingTransaction(each) if callable(each) else PendingTransaction(decide, (each,)) for each in operations
    ]
    connection.run(group)
    return [each.outcome.type if isinstance(each.outcome, Failure) else each.outcome for each in group]


def fail(tx: ITransaction) -> None:
    """Fail after something was written."""
    tx.commands.change(tx.commands.command(command_id(1))._replace(error="half"))  # type: ignore[union-attr]
    raise ZeroDivisionError


def states(store: SqliteStore) -> dict[str, State]:
    """The states of the open commands in memory."""
    return {command.id: command.state for command in store._open_commands.commands.values()}


def test_later_rules_of_a_group_see_what_earlier_ones_changed(
    store: SqliteStore, connection: SqliteConnection
) -> None:
    """A command is claimed in the transaction in which it is queued, and a limit counts it."""
    queued, claim, full = run(connection, enqueue(), CLAIM, enqueue(limit=0))
    command = queued[0].id  # type: ignore[index]
    assert [sent.command for sent in claim.dispatched] == [command]  # type: ignore[attr-defined]
    assert full is QueueFull
    assert states(store) == {command: State.SENT}


@pytest.mark.parametrize("before", [[], [enqueue()]])
def test_a_commit_that_fails_changes_nothing_in_memory(
    store: SqliteStore, connection: SqliteConnection, before: list[Rule[Any]]
) -> None:
    """Memory stays as the database is, and the next group goes on from there."""
    run(connection, *before)
    expected = states(store)
    connection.connection = FailingCommit(connection.connection)  # type: ignore[assignment]
    assert run(connection, enqueue(), CLAIM, enqueue()) == [OutcomeInDoubt] * 3
    assert states(store) == expected
    run(connection, enqueue())
    assert states(store) == expected | {command_id(len(before) + 3): State.QUEUED}


def test_the_answer_to_a_commit_in_doubt_says_so(store: SqliteStore, connection: SqliteConnection) -> None:
    """Whether the command is stored is not known, so that the sender has to ask again."""
    connection.connection = FailingCommit(connection.connection)  # type: ignore[assignment]
    done = store.put(draft(), False, LIMIT)
    with pytest.raises(OutcomeInDoubt, match="may be stored or not: disk I/O error") as error:
        result_of(done)
    assert error.value.kind == "outcome-in-doubt"


def test_an_operation_that_fails_late_undoes_only_itself(store: SqliteStore, connection: SqliteConnection) -> None:
    """What rules of the same group have decided before and after it is kept."""
    run(connection, enqueue())
    assert run(connection, enqueue(), fail, CLAIM)[1] is ZeroDivisionError
    assert states(store) == {command_id(1): State.SENT, command_id(3): State.QUEUED}  # run again: a new id
    assert store._open_commands.commands[command_id(1)].error is None


def test_unknown_devices_leave_nothing_in_memory(store: SqliteStore, connection: SqliteConnection) -> None:
    """Any client may post results under any name."""
    for number in range(3):
        run(connection, Settle(f"controlid:{number + 100}", by_message(number)))
        run(connection, Settle(f"controlid:{number + 100}", StubResult(uuid="u")))
    assert store._open_commands.device_records == {}
    assert store._open_commands.devices == {}


def test_a_deleted_device_is_unknown_within_its_group(store: SqliteStore, connection: SqliteConnection) -> None:
    """A command that is put right behind the deletion is refused; one that was put before is ended."""
    run(connection, enqueue())
    outcome = run(connection, partial(devices.forget_device, device=READER), enqueue(), enqueue())
    assert outcome == [None, UnknownDevice, UnknownDevice]
    assert states(store) == {}


def test_a_row_that_another_program_changed_is_not_overwritten(
    store: SqliteStore, connection: SqliteConnection
) -> None:
    """The operation fails, alone; then memory is loaded again, and the next one sees the change."""
    run(connection, enqueue(), enqueue())
    run(connection, lambda tx: tx.run_all(OTHER_PROGRAM, [(command_id(1),)]))
    claim, queued = run(connection, CLAIM, enqueue())
    assert claim is StaleCommands
    assert queued[1] is True  # type: ignore[index]
    [claim] = run(connection, CLAIM)
    assert [sent.command for sent in claim.dispatched] == [command_id(2)]  # type: ignore[attr-defined]
    assert states(store) == {command_id(2): State.SENT, command_id(4): State.QUEUED}


def test_what_was_sent_last_is_read_once_after_a_start(store: SqliteStore, connection: SqliteConnection) -> None:
    """Also of a device to which nothing was sent yet."""
    run(connection, enqueue())
    run(connection, lambda tx: tx.commands.load_all())
    statements: list[str] = []
    for _ in range(2):
        run(connection, ClaimNext(READER, "u", True, 0))
        connection.connection.set_trace_callback(statements.append)
    connection.connection.set_trace_callback(None)
    assert statements == ["BEGIN IMMEDIATE", "COMMIT"]


def test_only_rows_that_another_program_changed_are_read_again(
    store: SqliteStore, connection: SqliteConnection
) -> None:
    """Memory is loaded again fast, and what is known of the other commands stays, with leases that were renewed."""
    run(connection, *(enqueue() for _ in range(4)))
    run(connection, CLAIM)
    before = dict(store._open_commands.commands)
    run(connection, lambda tx: tx.run_all(OTHER_PROGRAM, [(command_id(2),)]))
    run(connection, lambda tx: tx.run_all(OTHER_ERROR, [(command_id(3),)]))
    run(connection, Cancel(command_id(2)))
    run(connection)
    after = dict(store._open_commands.commands)
    changed = after.pop(command_id(3))
    assert (changed.error, changed.version, changed.state) == ("x", 1, State.QUEUED)
    assert after.keys() == {command_id(1), command_id(4)}
    assert all(command is before[name] for name, command in after.items())


def test_payloads_in_memory_are_bounded(
    store: SqliteStore, connection: SqliteConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit is read when it is sent; as commands end, others fit again."""
    monkeypatch.setattr(open_commands, "MAX_PAYLOADS", 30)
    payload = {"endpoint": "load_objects"}
    run(connection, enqueue(), enqueue())
    assert [command.payload is None for command in store._open_commands.commands.values()] == [False, True]
    for number in (1, 2):
        [claim] = run(connection, CLAIM)
        assert [sent.payload for sent in claim.dispatched] == [payload]  # type: ignore[attr-defined]
        run(connection, Settle(READER, by_message(number)))
    run(connection, enqueue())
    assert store._open_commands.commands[command_id(3)].payload is not None
