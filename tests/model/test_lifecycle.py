"""Tests of the lifecycle table."""

from itertools import product

import pytest
from attrs import frozen

from pushd.model.lifecycle import ENDED, LIFECYCLE, OUT, RESENDABLE, Delivery, Guard, Move, Rule, State, rules

SETTLED = frozenset({State.SUCCEEDED, State.FAILED})


@frozen(kw_only=True)
class Circumstances:
    """What guards depend on."""

    delivery: Delivery
    attempts: int
    live: bool
    max_attempts: int = 2

    @property
    def repeatable(self) -> bool:
        """Whether another attempt may be made."""
        return self.delivery is Delivery.AT_LEAST_ONCE and self.attempts < self.max_attempts and self.live

    def allow(self, guard: Guard) -> bool:
        """Whether a guard holds in these circumstances."""
        return {
            Guard.ALWAYS: True,
            Guard.LIVE: self.live,
            Guard.UNTRIED: self.attempts == 0,
            Guard.TRIED: self.attempts > 0,
            Guard.REPEATABLE: self.repeatable,
            Guard.SPENT: not self.repeatable,
            Guard.AT_LEAST_ONCE: self.delivery is Delivery.AT_LEAST_ONCE,
        }[guard]


ALL_CIRCUMSTANCES = [
    Circumstances(delivery=delivery, attempts=attempts, live=live)
    for delivery, attempts, live in product(Delivery, range(3), [True, False])
]


@pytest.mark.parametrize("move", Move)
@pytest.mark.parametrize("state", State)
def test_a_move_leads_to_one_state_at_most(state: State, move: Move) -> None:
    """The table is never ambiguous."""
    for circumstances in ALL_CIRCUMSTANCES:
        targets = [rule.target for rule in rules(move) if rule.source is state and circumstances.allow(rule.guard)]
        assert len(targets) <= 1, circumstances


def test_no_line_occurs_twice() -> None:
    """Each line of the table is different."""
    assert len(set(LIFECYCLE)) == len(LIFECYCLE)


def test_each_state_can_be_reached() -> None:
    """From a queued command moves lead to every state."""
    reached = {State.QUEUED}
    while more := {rule.target for rule in LIFECYCLE if rule.source in reached} - reached:
        reached |= more
    assert reached == set(State)


def test_a_state_is_queued_or_in_flight_or_ended() -> None:
    """Each state is exactly one of these."""
    assert {State.QUEUED} | OUT | ENDED == set(State)
    assert not OUT & ENDED


def test_only_unknown_is_an_ended_state_that_can_change() -> None:
    """A certain outcome is final; only an unknown one can be settled later."""
    assert {rule.source for rule in LIFECYCLE} & ENDED == {State.UNKNOWN}


@pytest.mark.parametrize("state", [State.EXPIRED, State.CANCELLED])
def test_expired_and_cancelled_commands_were_never_sent(state: State) -> None:
    """``expired`` and ``cancelled`` claim that nothing was sent: they are for commands without an attempt alone."""
    assert {rule.guard for rule in LIFECYCLE if rule.target is state} == {Guard.UNTRIED}


def test_only_a_device_or_an_operator_settles() -> None:
    """Only a device's result or an operator's resolution makes a command succeed or fail, never time."""
    deciding = {rule.move for rule in LIFECYCLE if rule.target in SETTLED}
    assert deciding == {Move.SUCCEED, Move.FAIL, Move.RESOLVE_SUCCEEDED, Move.RESOLVE_FAILED}


def test_a_command_that_may_not_run_twice_is_never_queued_again() -> None:
    """After it was sent, an ``at_most_once`` command is queued again only if nothing of it was written."""
    once = [each for each in ALL_CIRCUMSTANCES if each.delivery is Delivery.AT_MOST_ONCE]
    back = [rule for rule in LIFECYCLE if rule.target is State.QUEUED and rule.source in OUT]
    assert {rule.move for rule in back if any(each.allow(rule.guard) for each in once)} == {Move.UNSEND}


def test_every_lease_can_lapse() -> None:
    """Whatever its sender allowed, a command whose lease ran out is queued again or becomes unknown."""
    for state, circumstances in product(OUT, ALL_CIRCUMSTANCES):
        assert any(rule.source is state and circumstances.allow(rule.guard) for rule in rules(Move.LAPSE))


def test_acknowledgements_and_results_come_in_any_order() -> None:
    """An acknowledgement and each kind of result are allowed in the same states."""

    def sources(move: Move) -> set[tuple[State, Guard]]:
        return {(rule.source, rule.guard) for rule in rules(move)}

    assert (
        sources(Move.ACKNOWLEDGE)
        == sources(Move.SUCCEED)
        == sources(Move.FAIL)
        == sources(Move.GARBLE)
        == {
            (State.SENT, Guard.ALWAYS),
            (State.ACKNOWLEDGED, Guard.ALWAYS),
            (State.UNKNOWN, Guard.ALWAYS),
            (State.QUEUED, Guard.TRIED),
        }
    )


def test_only_commands_that_did_not_succeed_can_be_resent() -> None:
    """A command can be sent again once it has ended, unless it succeeded."""
    assert ENDED - {State.SUCCEEDED} == RESENDABLE


@pytest.mark.parametrize("move", Move)
def test_the_lines_of_a_move_are_found(move: Move) -> None:
    """Every kind of move has lines in the table, and these are all of them."""
    assert rules(move) == tuple(rule for rule in LIFECYCLE if rule.move is move) != ()


def test_only_live_commands_are_sent() -> None:
    """A command is sent only from the queue, and only within its time to live."""
    assert rules(Move.SEND) == (Rule(State.QUEUED, Move.SEND, State.SENT, Guard.LIVE),)
