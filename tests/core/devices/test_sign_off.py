"""Tests of a device that signs off."""

import pytest
from twisted.internet.task import Clock

from pushd.model.device import PresenceState
from pushd.model.errors import DeviceSignedOff
from pushd.model.lifecycle import State
from tests.core.harness import CONTAINER, CoreHarness


def test_a_poll_outlives_its_sign_off_by_a_second(harness: CoreHarness, clock: Clock) -> None:
    """The sign-off is answered first; the held poll ends idle about one second later."""
    poll = harness.poll(CONTAINER)
    harness.sign_off(CONTAINER)
    clock.advance(0.999)
    assert poll.held
    clock.advance(0.001)
    assert poll.idle
    assert harness.device(CONTAINER).presence is PresenceState.SIGNED_OFF


def test_nothing_is_sent_after_the_sign_off(harness: CoreHarness, clock: Clock) -> None:
    """A command for a device that signed off waits for its return, even while its poll is still open."""
    poll = harness.poll(CONTAINER)
    harness.sign_off(CONTAINER)
    assert not harness.core.poll_registry.is_polling(CONTAINER)
    command = harness.put(CONTAINER, queue_signed_off=True)
    clock.advance(1)
    assert poll.idle
    assert harness.command(command).state is State.QUEUED


def test_a_poll_that_disconnects_after_its_sign_off(harness: CoreHarness, clock: Clock) -> None:
    """A client that closes its held poll itself leaves no timer."""
    poll = harness.poll(CONTAINER)
    harness.sign_off(CONTAINER)
    poll.disconnect()
    assert len(harness.core.poll_registry) == 0
    assert not clock.getDelayedCalls()


def test_a_command_for_a_device_that_signed_off_is_refused(harness: CoreHarness) -> None:
    """By default a sender gets an error if the device has signed off."""
    harness.poll(CONTAINER)
    harness.sign_off(CONTAINER)
    with pytest.raises(DeviceSignedOff):
        harness.put(CONTAINER)


def test_a_poll_after_the_sign_off_gets_the_queue(harness: CoreHarness, clock: Clock) -> None:
    """A device that returns gets the commands that were queued before and after its sign-off."""
    first = harness.put(CONTAINER)
    harness.sign_off(CONTAINER)
    second = harness.put(CONTAINER, queue_signed_off=True)
    assert harness.poll(CONTAINER).commands == [first]
    assert harness.device(CONTAINER).presence is PresenceState.ONLINE
    assert harness.poll(CONTAINER).commands == [second]


def test_a_poll_within_a_second_after_the_sign_off(harness: CoreHarness, clock: Clock) -> None:
    """A device that polls again within that second is served by its new poll; the old one ends when it was due."""
    older = harness.poll(CONTAINER)
    harness.sign_off(CONTAINER)
    newer = harness.poll(CONTAINER)
    clock.advance(1)
    assert (older.idle, newer.held) == (True, True)
    command = harness.put(CONTAINER)
    assert newer.commands == [command]


def test_a_sign_off_without_a_poll(harness: CoreHarness, clock: Clock) -> None:
    """A device may sign off between two polls."""
    harness.sign_off(CONTAINER)
    assert harness.device(CONTAINER).presence is PresenceState.SIGNED_OFF
    assert not clock.getDelayedCalls()
