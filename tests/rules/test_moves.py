"""Tests of the lifecycle table: each rule makes the moves of the table, and no other."""

from collections.abc import Callable
from itertools import product

import pytest
from attrs import frozen

from pushd.model.command import Dispatched
from pushd.model.errors import IllegalMove
from pushd.model.lifecycle import ENDED, OUT, Delivery, Guard, Move, State, rules
from pushd.model.result import Verdict
from pushd.rules.endings import end_in_copy, end_of_deleted_device
from pushd.rules.operator_actions import Cancel, Resolve
from pushd.rules.queueing import ClaimNext, Unsend
from pushd.rules.records import CommandRecord
from pushd.rules.reporting import Acknowledge, Settle
from pushd.rules.time_limits import Expire, Lapse
from tests.rules.plain_view import PlainView
from tests.store.samples import READER, STEADY, WALL, StubResult, command_id

LEASE_MS = 60_000
MAX_ATTEMPTS = 2
ID = command_id(1)


@frozen(kw_only=True)
class Circumstances:
    """What guards and rules depend on."""

    delivery: Delivery
    attempts: int
    expires_in: int
    """Milliseconds."""

    @property
    def live(self) -> bool:
        """Whether the time to live is not over."""
        return self.expires_in > 0

    @property
    def repeatable(self) -> bool:
        """Whether another attempt may be made."""
        return self.delivery is Delivery.AT_LEAST_ONCE and self.attempts < MAX_ATTEMPTS and self.live

    def pass_guard(self, guard: Guard) -> bool:
        """The guard, read for these circumstances."""
        return {
            Guard.ALWAYS: True,
            Guard.LIVE: self.live,
            Guard.UNTRIED: self.attempts == 0,
            Guard.TRIED: self.attempts > 0,
            Guard.REPEATABLE: self.repeatable,
            Guard.SPENT: not self.repeatable,
            Guard.AT_LEAST_ONCE: self.delivery is Delivery.AT_LEAST_ONCE,
        }[guard]

    def pass_rule(self, move: Move) -> bool:
        """The conditions of a rule beside the table: attempts that are left, a time that has come."""
        return {
            Move.SEND: self.attempts < MAX_ATTEMPTS,
            Move.UNSEND: self.attempts > 0,
            Move.EXPIRE: not self.live,
        }.get(move, True)


ALL_CIRCUMSTANCES = [
    Circumstances(delivery=delivery, attempts=attempts, expires_in=expires_in)
    for delivery, attempts, expires_in in product(Delivery, range(MAX_ATTEMPTS + 1), [-1, 0, 1])
]


def possible(state: State) -> list[Circumstances]:
    """All circumstances that a command in this state can be in."""
    if state is State.QUEUED:
        return ALL_CIRCUMSTANCES
    unsent = state in (State.EXPIRED, State.CANCELLED)
    return [each for each in ALL_CIRCUMSTANCES if (each.attempts == 0) is unsent]


def command_in(state: State, circumstances: Circumstances) -> CommandRecord:
    """A command in these circumstances, whose lease has just run out."""
    is_out = state in OUT
    return CommandRecord(
        id=ID,
        device=READER,
        payload='{"endpoint": "reboot"}',
        endpoint="reboot",
        endpoints=None,
        delivery=circumstances.delivery,
        priority=5,
        ttl=300.0,
        not_before=None,
        created_at=WALL,
        expires_at=WALL + circumstances.expires_in,
        lease=LEASE_MS / 1000,
        deadline=3600.0,
        created_by="admin",
        resend_of=None,
        idempotency_key=None,
        fingerprint=None,
        trace=None,
        state=state,
        attempts=circumstances.attempts,
        max_attempts=MAX_ATTEMPTS,
        expires_elapsed=WALL + circumstances.expires_in,
        lease_until=STEADY if is_out else None,
        deadline_until=STEADY + LEASE_MS if is_out else None,
        sent_at=WALL - LEASE_MS if circumstances.attempts else None,
        finished_at=WALL - 1 if state in ENDED else None,
        handover="h" if circumstances.attempts else None,
    )


def _report(move: Move) -> Callable[[PlainView, CommandRecord], object]:
    def settle(view: PlainView, command: CommandRecord) -> object:
        return Settle(READER, StubResult(message=ID, verdict=Verdict(move=move))).decide(view)

    return settle


def _unsend(view: PlainView, command: CommandRecord) -> None:
    sent = Dispatched(command=ID, attempt=command.attempts, payload={}, handover="h")
    Unsend([sent]).decide(view)


def _forget(view: PlainView, command: CommandRecord) -> None:
    end_of_deleted_device(view, command)


MAKE: dict[Move, Callable[[PlainView, CommandRecord], object]] = {
    Move.SEND: lambda view, _: ClaimNext(READER, None, False, 1).decide(view),
    Move.UNSEND: _unsend,
    Move.ACKNOWLEDGE: lambda view, _: Acknowledge(READER, ID).decide(view),
    Move.SUCCEED: _report(Move.SUCCEED),
    Move.FAIL: _report(Move.FAIL),
    Move.GARBLE: _report(Move.GARBLE),
    Move.LAPSE: lambda view, _: Lapse(ID).decide(view),
    Move.EXPIRE: lambda view, _: Expire(ID).decide(view),
    Move.CANCEL: lambda view, _: Cancel(ID).decide(view),
    Move.FORGET: _forget,
    Move.RESTORE: lambda view, command: end_in_copy(view, command),
    Move.RESOLVE_SUCCEEDED: lambda view, _: Resolve(ID, Move.RESOLVE_SUCCEEDED, None, "admin").decide(view),
    Move.RESOLVE_FAILED: lambda view, _: Resolve(ID, Move.RESOLVE_FAILED, None, "admin").decide(view),
}

OF_OPEN_COMMANDS = (Move.FORGET, Move.RESTORE)
"""Moves that are made with all open commands, and with no other."""


def allowed(state: State, move: Move, circumstances: Circumstances) -> State | None:
    """The state to which the table leads, read in this test; None if it allows no such move."""
    if not circumstances.pass_rule(move):
        return None
    targets = [rule.target for rule in rules(move) if rule.source is state and circumstances.pass_guard(rule.guard)]
    return targets[0] if targets else None


def test_each_move_is_made_by_a_rule() -> None:
    """There is a rule for each move of the table."""
    assert set(MAKE) == set(Move)


@pytest.mark.parametrize(
    ("state", "move"),
    [each for each in product(State, Move) if each[0] not in ENDED or each[1] not in OF_OPEN_COMMANDS],
)
def test_a_rule_makes_the_moves_of_the_table(state: State, move: Move) -> None:
    """From each state, in all circumstances, a rule does what the table says; otherwise nothing changes."""
    for circumstances in possible(state):
        before = command_in(state, circumstances)
        view = PlainView(commands={ID: before})
        try:
            MAKE[move](view, before)
        except IllegalMove:
            assert (view.commands[ID], view.events) == (before, [])
        after = view.commands[ID]
        expected = allowed(state, move, circumstances)
        if expected is None and move is not Move.FORGET:
            assert after == before, circumstances
        elif expected is not None:
            assert after.state is expected, circumstances
            assert (after.finished_at is not None) == (expected in ENDED), circumstances
            assert (after.lease_until is not None) == (expected in OUT), circumstances
            assert after.attempts <= after.max_attempts, circumstances
