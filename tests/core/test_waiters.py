"""Tests of waiting for a key."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pushd.core.waiters import Waiters, Waits

A, B = "a", "b"


@pytest.fixture
def waiters(clock: Clock) -> Waiters[str]:
    """Waiters of strings; none waits yet."""
    return Waiters(clock)


def outcome(waiter: Deferred[bool]) -> list[bool]:
    """The result of a wait, in a list that is empty before."""
    result: list[bool] = []
    waiter.addCallback(result.append)
    return result


def test_a_notification_ends_the_wait(waiters: Waiters[str], clock: Clock) -> None:
    """A notification ends the wait at once, and leaves no timer."""
    result = outcome(waiters.wait(A, 10))
    waiters.notify(A)
    assert result == [True]
    assert len(waiters) == 0
    assert not clock.getDelayedCalls()


def test_all_waiters_are_notified(waiters: Waiters[str]) -> None:
    """A notification reaches all waiters of its key."""
    result = [outcome(waiters.wait(A, seconds)) for seconds in (1, 10, 100)]
    waiters.notify(A)
    assert result == [[True]] * 3


def test_keys_are_independent(waiters: Waiters[str]) -> None:
    """A notification of one key does not end waits for another."""
    first, second = outcome(waiters.wait(A, 10)), outcome(waiters.wait(B, 10))
    waiters.notify(A)
    assert (first, second) == ([True], [])
    waiters.notify(B)
    assert second == [True]


def test_a_wait_has_a_timeout(waiters: Waiters[str], clock: Clock) -> None:
    """After the timeout the result is False."""
    result = outcome(waiters.wait(A, 10))
    clock.advance(9.999)
    assert result == []
    clock.advance(0.001)
    assert result == [False]
    assert len(waiters) == 0


def test_a_notification_is_not_kept(waiters: Waiters[str], clock: Clock) -> None:
    """A notification does not end waits that begin later."""
    waiters.notify(A)
    result = outcome(waiters.wait(A, 1))
    clock.advance(1)
    assert result == [False]


def test_a_cancelled_wait(waiters: Waiters[str], clock: Clock) -> None:
    """A cancelled wait leaves no timer, and the others are not affected."""
    leaving, staying = waiters.wait(A, 10), outcome(waiters.wait(A, 10))
    result = outcome(leaving)
    leaving.cancel()
    assert (result, len(waiters)) == ([False], 1)
    waiters.notify(A)
    assert (result, staying) == ([False], [True])
    assert not clock.getDelayedCalls()


def test_cancelling_after_the_notification(waiters: Waiters[str]) -> None:
    """A wait may always be cancelled."""
    waiter = waiters.wait(A, 10)
    waiters.notify(A)
    waiter.cancel()
    assert outcome(waiter) == [True]


def test_waiting_again_needs_another_notification(waiters: Waiters[str]) -> None:
    """A waiter that waits again as soon as it is notified is not notified twice by one notification."""
    again: list[list[bool]] = []
    waiters.wait(A, 10).addCallback(lambda _: again.append(outcome(waiters.wait(A, 10))))
    waiters.notify(A)
    assert again == [[]]
    waiters.notify(A)
    assert again == [[True]]


def test_closing_ends_all_waits(waiters: Waiters[str], clock: Clock) -> None:
    """Closing ends all waits with False, whatever their key."""
    result = [outcome(waiters.wait(key, 10)) for key in (A, A, B)]
    waiters.close()
    assert result == [[False]] * 3
    assert len(waiters) == 0
    assert not clock.getDelayedCalls()


def test_waits_that_have_ended(waiters: Waiters[str], clock: Clock) -> None:
    """A wait among others that have ended already ends at once, and leaves nothing behind."""
    waits = Waits()
    waits.end()
    assert outcome(waiters.wait("a", 10, waits)) == [False]
    assert (len(waiters), len(waits), clock.getDelayedCalls()) == (0, 0, [])
