"""Tests of bells."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pushd.core.waiters import Waiters

A, B = "a", "b"


@pytest.fixture
def waiters(clock: Clock) -> Waiters[str]:
    """Bells that nobody listens to yet."""
    return Waiters(clock)


def hear(heard: Deferred[bool]) -> list[bool]:
    """What a listener hears, as it hears it."""
    told: list[bool] = []
    heard.addCallback(told.append)
    return told


def test_a_ring_is_heard_at_once(waiters: Waiters[str], clock: Clock) -> None:
    """Who listens hears the bell, and nothing is left of the waiting."""
    told = hear(waiters.wait(A, 10))
    waiters.notify(A)
    assert told == [True]
    assert len(waiters) == 0
    assert not clock.getDelayedCalls()


def test_all_who_listen_hear_it(waiters: Waiters[str]) -> None:
    """A bell is not used up by the first of its listeners."""
    told = [hear(waiters.wait(A, seconds)) for seconds in (1, 10, 100)]
    waiters.notify(A)
    assert told == [[True]] * 3


def test_each_key_has_its_own_bell(waiters: Waiters[str]) -> None:
    """A ring for one is silent for the other."""
    first, second = hear(waiters.wait(A, 10)), hear(waiters.wait(B, 10))
    waiters.notify(A)
    assert (first, second) == ([True], [])
    waiters.notify(B)
    assert second == [True]


def test_waiting_has_an_end(waiters: Waiters[str], clock: Clock) -> None:
    """After its time a listener is told that nothing rang."""
    told = hear(waiters.wait(A, 10))
    clock.advance(9.999)
    assert told == []
    clock.advance(0.001)
    assert told == [False]
    assert len(waiters) == 0


def test_a_ring_that_nobody_hears_is_gone(waiters: Waiters[str], clock: Clock) -> None:
    """A bell keeps nothing for those who come later."""
    waiters.notify(A)
    told = hear(waiters.wait(A, 1))
    clock.advance(1)
    assert told == [False]


def test_who_leaves_hears_nothing(waiters: Waiters[str], clock: Clock) -> None:
    """A listener that goes takes its timer along, and leaves the others where they are."""
    leaving, staying = waiters.wait(A, 10), hear(waiters.wait(A, 10))
    told = hear(leaving)
    leaving.cancel()
    assert (told, len(waiters)) == ([False], 1)
    waiters.notify(A)
    assert (told, staying) == ([False], [True])
    assert not clock.getDelayedCalls()


def test_leaving_after_the_ring_is_no_harm(waiters: Waiters[str]) -> None:
    """A listener may always clean up."""
    heard = waiters.wait(A, 10)
    waiters.notify(A)
    heard.cancel()
    assert hear(heard) == [True]


def test_who_listens_again_hears_the_next_ring(waiters: Waiters[str]) -> None:
    """A listener that goes on listening as soon as it has heard is not rung twice by one ring."""
    again: list[list[bool]] = []
    waiters.wait(A, 10).addCallback(lambda _: again.append(hear(waiters.wait(A, 10))))
    waiters.notify(A)
    assert again == [[]]
    waiters.notify(A)
    assert again == [[True]]


def test_silence_lets_everybody_go(waiters: Waiters[str], clock: Clock) -> None:
    """All are told that nothing rang, whichever bell they listen to."""
    told = [hear(waiters.wait(key, 10)) for key in (A, A, B)]
    waiters.close()
    assert told == [[False]] * 3
    assert len(waiters) == 0
    assert not clock.getDelayedCalls()
