"""Tests of polls while the store fails: they are held, and nothing is lost."""

import pytest
from twisted.internet.task import Clock

from pushd.core.polling.poll import MAX_CLAIM
from tests.core.harness import READER, CoreHarness
from tests.stepped import SteppedExecutor

HOLD = 10.0


def test_a_full_disk_when_a_command_is_due(stepped: CoreHarness, executor: SteppedExecutor, clock: Clock) -> None:
    """If claiming a due command fails, it is not tried again and again: the poll is held and ends idle."""
    stepped.put(READER, not_before=stepped.wall_ms_in(3))
    poll = stepped.take(READER)
    stepped.run()
    clock.advance(3)
    executor.fail()
    executor.notify()
    clock.advance(1)
    assert executor.idle
    assert poll.held
    clock.advance(HOLD)
    assert poll.idle


def test_a_full_disk_during_the_claim(stepped: CoreHarness, executor: SteppedExecutor, clock: Clock) -> None:
    """If a claim fails, the poll is held and ends idle; the next one gets the command."""
    command = stepped.put(READER)
    poll = stepped.take(READER)
    executor.fail()
    executor.notify()
    assert poll.held
    clock.advance(HOLD)
    assert poll.idle
    again = stepped.take(READER)
    stepped.run()
    assert again.commands == [command]


def test_a_store_that_has_recovered_serves_a_held_poll(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """A poll whose claim failed claims again when a new command arrives."""
    command = stepped.put(READER)
    poll = stepped.take(READER)
    executor.fail()
    stepped.putting(READER)
    stepped.run()
    assert poll.commands == [command]


def test_a_wake_up_during_a_failed_claim(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """A command that is put while a claim fails is sent at once."""
    stepped.start(stepped.core.command_queue.cancel(stepped.put(READER)))
    stepped.putting(READER)
    poll = stepped.take(READER)
    executor.commit()
    executor.commit()
    executor.fail()
    stepped.run()
    assert len(poll.commands) == 1


@pytest.mark.parametrize("before", [0, HOLD - 1])
def test_a_claim_that_hangs(stepped: CoreHarness, executor: SteppedExecutor, clock: Clock, before: float) -> None:
    """A poll whose claim hangs in the store ends with its hold; the command is sent by the next one."""
    poll = stepped.take(READER)
    clock.advance(before)
    stepped.putting(READER)
    executor.commit()
    executor.notify()
    clock.advance(max(HOLD - before, MAX_CLAIM) - 0.001)
    assert poll.held
    clock.advance(0.25)
    assert poll.idle
    stepped.run()
    assert poll.idle
    again = stepped.take(READER)
    stepped.run()
    assert len(again.commands) == 1


def test_a_claim_at_the_end_of_the_hold(stepped: CoreHarness, executor: SteppedExecutor, clock: Clock) -> None:
    """A claim that begins just before the end of the hold may take a moment longer, and its command is sent."""
    poll = stepped.take(READER)
    clock.advance(HOLD - 0.001)
    stepped.putting(READER)
    executor.commit()
    executor.notify()
    clock.advance(1)
    assert poll.held
    stepped.run()
    assert len(poll.commands) == 1
