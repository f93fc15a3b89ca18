"""Tests of the table of what can happen to a command."""

from itertools import product

import pytest
from attrs import frozen

from pushd.model.lifecycle import ENDED, LIFECYCLE, OUT, RESENDABLE, Delivery, Guard, Move, Rule, State, rules

SETTLED = frozenset({State.SUCCEEDED, State.FAILED})


@frozen(kw_only=True)
class Circumstances:
    """What guards look at."""

    delivery: Delivery
    attempts: int
    live: bool
    max_attempts: int = 2

    @property
    def repeatable(self) -> bool:
        """Whether another attempt may be made."""
        return self.delivery is Delivery.AT_LEAST_ONCE and self.attempts < self.max_attempts and self.live

    def allow(self, guard: Guard) -> bool:
        """Whether a guard lets a command in these circumstances pass."""
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
    """The table never says two things of one command."""
    for circumstances in ALL_CIRCUMSTANCES:
        targets = [rule.target for rule in rules(move) if rule.source is state and circumstances.allow(rule.guard)]
        assert len(targets) <= 1, circumstances


def test_no_line_stands_twice() -> None:
    """Each line of the table says something of its own."""
    assert len(set(LIFECYCLE)) == len(LIFECYCLE)


def test_each_state_can_be_reached() -> None:
    """From a queued command moves lead to every state."""
    reached = {State.QUEUED}
    while more := {rule.target for rule in LIFECYCLE if rule.source in reached} - reached:
        reached |= more
    assert reached == set(State)


def test_a_state_is_queued_or_out_or_ended() -> None:
    """A command waits, is at the device, or has ended; nothing else, and only one of these."""
    assert {State.QUEUED} | OUT | ENDED == set(State)
    assert not OUT & ENDED


def test_only_unknown_is_an_end_that_can_still_change() -> None:
    """What ended with certainty stays as it is; only of an unknown one can anything more be learnt."""
    assert {rule.source for rule in LIFECYCLE} & ENDED == {State.UNKNOWN}


@pytest.mark.parametrize("state", [State.EXPIRED, State.CANCELLED])
def test_what_is_said_never_to_have_been_sent_was_not(state: State) -> None:
    """``expired`` and ``cancelled`` claim that nothing was sent: they are for commands without an attempt alone."""
    assert {rule.guard for rule in LIFECYCLE if rule.target is state} == {Guard.UNTRIED}


def test_only_a_word_from_outside_settles() -> None:
    """Only the device's report or an operator's word makes a command succeed or fail, never the clock."""
    deciding = {rule.move for rule in LIFECYCLE if rule.target in SETTLED}
    assert deciding == {Move.SUCCEED, Move.FAIL, Move.RESOLVE_SUCCEEDED, Move.RESOLVE_FAILED}


def test_a_command_that_may_not_run_twice_is_never_queued_again() -> None:
    """After it was sent, an ``at_most_once`` command is queued again only if nothing of it was written."""
    once = [each for each in ALL_CIRCUMSTANCES if each.delivery is Delivery.AT_MOST_ONCE]
    back = [rule for rule in LIFECYCLE if rule.target is State.QUEUED and rule.source in OUT]
    assert {rule.move for rule in back if any(each.allow(rule.guard) for each in once)} == {Move.UNSEND}


def test_every_lease_that_runs_out_ends_somewhere() -> None:
    """Whatever its sender allowed, a command whose lease ran out is queued again or becomes unknown."""
    for state, circumstances in product(OUT, ALL_CIRCUMSTANCES):
        assert any(rule.source is state and circumstances.allow(rule.guard) for rule in rules(Move.LAPSE))


def test_a_device_may_speak_in_any_order() -> None:
    """An acknowledgement and each kind of report are taken from the same states: a device sends them as it likes."""

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


def test_only_what_ended_without_success_can_be_sent_again() -> None:
    """A command can be sent again once it ended, unless it succeeded."""
    assert ENDED - {State.SUCCEEDED} == RESENDABLE


@pytest.mark.parametrize("move", Move)
def test_the_lines_of_a_move_are_found(move: Move) -> None:
    """Every kind of move has lines in the table, and these are all of them."""
    assert rules(move) == tuple(rule for rule in LIFECYCLE if rule.move is move) != ()


def test_sending_is_for_live_commands_alone() -> None:
    """A command is sent from the queue, while its time to live lasts, and in no other way."""
    assert rules(Move.SEND) == (Rule(State.QUEUED, Move.SEND, State.SENT, Guard.LIVE),)
