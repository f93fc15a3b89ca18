"""Tests of a store that is so slow that a command's time to live ends while it is being claimed."""

import pytest
from twisted.internet.task import Clock

from pushd.model.lifecycle import State
from tests.core.harness import CONTAINER, READER, CoreHarness
from tests.stepped import SteppedExecutor


def test_a_claim_that_took_too_long_is_taken_back(
    stepped: CoreHarness, executor: SteppedExecutor, clock: Clock
) -> None:
    """A command whose time to live ended before the store answered is not sent: it expires without an attempt."""
    command = stepped.put(READER, ttl=2.0)
    poll = stepped.take(READER, hold=60.0)
    executor.commit()
    clock.advance(2)
    stepped.run()
    assert poll.held
    stepped.sweep()
    assert stepped.command(command).state is State.EXPIRED
    assert stepped.command(command).attempts == 0
    assert stepped.event_types(READER)[-3:] == ["command.sent", "command.queued", "command.expired"]


def test_a_claim_that_was_just_in_time_is_sent(stepped: CoreHarness, executor: SteppedExecutor, clock: Clock) -> None:
    """A slow store alone does not keep a command from being sent."""
    command = stepped.put(READER, ttl=2.0)
    poll = stepped.take(READER)
    executor.commit()
    clock.advance(1.999)
    stepped.run()
    assert poll.commands == [command]


def test_the_next_command_is_sent_instead(stepped: CoreHarness, executor: SteppedExecutor, clock: Clock) -> None:
    """The poll gets the next command that has not expired."""
    stepped.put(CONTAINER, ttl=2.0)
    fresh = stepped.put(CONTAINER, ttl=60.0)
    poll = stepped.take(CONTAINER)
    executor.commit()
    clock.advance(2)
    stepped.run()
    assert poll.commands == [fresh]


def test_claims_that_are_late_again_and_again(
    stepped: CoreHarness, executor: SteppedExecutor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process whose clock is ahead of the database's finds every claim late: it tries again once a second."""
    stepped.put(READER, ttl=10.0)
    ahead = stepped.core.clocks.elapsed_now
    monkeypatch.setattr(type(stepped.core.clocks), "elapsed_now", lambda _: ahead() + 60_000)
    poll = stepped.take(READER, hold=60.0)
    for _ in range(3):
        stepped.run()
        clock.advance(1)
    assert poll.held
    assert stepped.event_types(READER).count("command.sent") == 4


def test_a_device_that_disconnected_meanwhile_changes_nothing(
    stepped: CoreHarness, executor: SteppedExecutor, clock: Clock
) -> None:
    """If the device has disconnected as well, the expired command is taken back only once."""
    stepped.put(READER, ttl=2.0)
    poll = stepped.take(READER)
    executor.commit()
    poll.disconnect()
    clock.advance(2)
    stepped.run()
    assert stepped.event_types(READER).count("command.queued") == 2
