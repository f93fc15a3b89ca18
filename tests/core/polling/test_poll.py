"""Tests of held polls: what ends them, and that they leave nothing behind."""

import pytest
from twisted.internet.task import Clock

from pushd.model.device import Admission
from pushd.model.lifecycle import Delivery, State
from tests.core.harness import CONTAINER, READER, CoreHarness

HOLD = 10.0
"""Seconds of a Control iD device's hold, while no other was learned."""


def test_a_poll_after_the_command_gets_it(harness: CoreHarness) -> None:
    """A queued command is sent to the next poll at once."""
    command = harness.put(READER)
    assert harness.poll(READER).commands == [command]
    assert harness.command(command).state is State.SENT


def test_a_held_poll_gets_a_command_at_once(harness: CoreHarness) -> None:
    """A command that arrives while the poll is held does not wait for the next one."""
    poll = harness.poll(READER)
    assert poll.held
    command = harness.put(READER)
    assert poll.commands == [command]


def test_a_command_wakes_its_own_device_only(harness: CoreHarness) -> None:
    """A command for one device does not affect another."""
    reader, container = harness.poll(READER), harness.poll(CONTAINER)
    command = harness.put(CONTAINER)
    assert container.commands == [command]
    assert reader.held


def test_a_poll_ends_idle_at_the_end_of_its_hold(harness: CoreHarness, clock: Clock) -> None:
    """Without a command a poll is answered idle when its hold is over, and not before."""
    poll = harness.poll(READER)
    clock.advance(HOLD - 0.001)
    assert poll.held
    clock.advance(0.001)
    assert poll.idle
    assert not clock.getDelayedCalls()


def test_a_poll_that_has_ended_gets_nothing(harness: CoreHarness, clock: Clock) -> None:
    """A command that arrives after the idle answer waits for the next poll."""
    poll = harness.poll(READER)
    clock.advance(HOLD)
    command = harness.put(READER)
    assert poll.idle
    assert harness.poll(READER).commands == [command]


def test_a_device_that_disconnects_leaves_nothing(harness: CoreHarness, clock: Clock) -> None:
    """A closed poll ends idle, leaves no timer and no entry, and a later command waits for the next one."""
    poll = harness.poll(READER)
    poll.disconnect()
    assert poll.idle
    assert len(harness.core.poll_registry) == 0
    assert not harness.core.poll_registry.is_polling(READER)
    assert not clock.getDelayedCalls()
    command = harness.put(READER)
    assert harness.command(command).state is State.QUEUED


def test_nothing_is_left_of_a_poll_that_was_served(harness: CoreHarness, clock: Clock) -> None:
    """A poll that got a command leaves no timer and no entry."""
    harness.poll(READER)
    harness.put(READER)
    assert len(harness.core.poll_registry) == 0
    assert not clock.getDelayedCalls()


def test_a_device_is_polling_while_its_poll_is_held(harness: CoreHarness) -> None:
    """The registry says which devices hold a poll now."""
    poll = harness.poll(READER)
    assert harness.core.poll_registry.is_polling(READER)
    assert not harness.core.poll_registry.is_polling(CONTAINER)
    poll.disconnect()
    assert not harness.core.poll_registry.is_polling(READER)


def test_a_command_for_later_is_sent_when_it_is_due(harness: CoreHarness, clock: Clock) -> None:
    """A held poll gets a command with ``not_before`` in the moment in which it is due."""
    poll = harness.poll(READER)
    command = harness.put(READER, not_before=harness.wall_ms_in(4))
    clock.advance(3.999)
    assert poll.held
    clock.advance(0.001)
    assert poll.commands == [command]


def test_a_poll_that_comes_before_the_due_time_waits_for_it(harness: CoreHarness, clock: Clock) -> None:
    """It does not matter whether the poll or the command for later came first."""
    command = harness.put(READER, not_before=harness.wall_ms_in(4))
    poll = harness.poll(READER)
    clock.advance(4)
    assert poll.commands == [command]


def test_a_command_that_is_due_after_the_hold_waits_for_a_later_poll(harness: CoreHarness, clock: Clock) -> None:
    """A poll is not held any longer for a command that is due later."""
    command = harness.put(READER, not_before=harness.wall_ms_in(HOLD + 5))
    poll = harness.poll(READER)
    clock.advance(HOLD)
    assert poll.idle
    later = harness.poll(READER)
    clock.advance(5)
    assert later.commands == [command]


def test_a_command_for_later_blocks_no_other(harness: CoreHarness, clock: Clock) -> None:
    """A command that is due is sent first, and the one for later is not forgotten."""
    later = harness.put(READER, priority=9, not_before=harness.wall_ms_in(4))
    first = harness.poll(READER)
    now = harness.put(READER, priority=0)
    assert first.commands == [now]
    second = harness.poll(READER)
    clock.advance(4)
    assert second.commands == [later]


def test_an_approval_wakes_a_held_poll(harness: CoreHarness) -> None:
    """A pending device gets its queued commands as soon as it is approved."""
    harness.register("controlid:8", Admission.PENDING)
    poll = harness.poll("controlid:8")
    command = harness.put("controlid:8")
    assert poll.held
    harness.result(harness.core.registry.change("controlid:8", {"admission": Admission.APPROVED}))
    assert poll.commands == [command]


@pytest.mark.parametrize("cancelled", [True, False], ids=["cancelled", "expired"])
def test_a_command_that_has_ended_is_not_sent(harness: CoreHarness, clock: Clock, cancelled: bool) -> None:
    """A cancelled or expired command is not sent."""
    command = harness.put(READER, ttl=1)
    if cancelled:
        harness.result(harness.core.command_queue.cancel(command))
    else:
        clock.advance(1)
    poll = harness.poll(READER)
    assert poll.held
    assert harness.command(command).attempts == 0


def test_a_second_attempt_wakes_a_held_poll(harness: CoreHarness, clock: Clock) -> None:
    """A command that may run twice is sent again as soon as its lease has run out."""
    command = harness.put(CONTAINER, delivery=Delivery.AT_LEAST_ONCE, lease=5)
    assert harness.poll(CONTAINER).commands == [command]
    poll = harness.poll(CONTAINER)
    clock.advance(5)
    harness.sweep()
    assert poll.commands == [command]
    assert harness.command(command).attempts == 2


def test_a_drained_core_ends_every_poll_idle(harness: CoreHarness, clock: Clock) -> None:
    """When the server stops, every poll is answered idle."""
    polls = [harness.poll(READER), harness.poll(CONTAINER)]
    harness.core.drain()
    assert all(poll.idle for poll in polls)
    assert len(harness.core.poll_registry) == 0
    assert not clock.getDelayedCalls()


def test_a_drained_core_holds_no_poll(harness: CoreHarness) -> None:
    """A poll that arrives after that is answered at once."""
    harness.core.drain()
    assert harness.poll(READER).idle
