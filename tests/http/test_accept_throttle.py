"""Tests of :mod:`pushd.http.accept_throttle`: of a crowd that connects at once, all are listened to, and nobody else
waits.
"""

from collections.abc import Callable
from typing import cast

from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.interfaces import IReactorTime

from pushd.http.accept_throttle import SLICE, AcceptThrottle
from tests.connection import request
from tests.http.test_outgoing import connect
from tests.in_memory_server import InMemoryServer


@define(eq=False)
class Turns:
    """A clock of which one turn can be had at a time."""

    due: list[Callable[[], object]] = field(factory=list)

    def callLater(self, delay: float, call: Callable[[], object]) -> None:
        """Have something called in the next turn."""
        assert delay == 0
        self.due.append(call)

    def turn(self) -> None:
        """One turn."""
        due, self.due = self.due, []
        for call in due:
            call()


@define(eq=False)
class Arrival:
    """A connection that notes whether it is listened to."""

    heard: bool = True

    def pauseProducing(self) -> None:
        """Note it."""
        self.heard = False

    def resumeProducing(self) -> None:
        """Note it."""
        assert not self.heard
        self.heard = True


@given(st.lists(st.integers(0, 3 * SLICE), max_size=6))
def test_so_many_in_each_turn(crowds: list[int]) -> None:
    """However many come in each turn, not more than a slice of them are first listened to in it, and all in their
    order.
    """
    turns = Turns()
    accept_throttle = AcceptThrottle(cast(IReactorTime, turns))
    arrivals: list[Arrival] = []
    heard = 0

    def look() -> None:
        nonlocal heard
        now = sum(arrival.heard for arrival in arrivals)
        assert now - heard <= SLICE
        assert all(arrival.heard for arrival in arrivals[:now])
        heard = now

    for crowd in crowds:
        turns.turn()
        for _ in range(crowd):
            arrivals.append(Arrival())
            accept_throttle.enter(arrivals[-1])
        look()
    while turns.due:
        turns.turn()
        look()
    assert heard == sum(crowds)


def test_a_crowd_is_answered(server: InMemoryServer) -> None:
    """Devices that come back all at once are served as any other, also those that wait at the turnstile."""
    crowd = [connect(server) for _ in range(SLICE + 10)]
    assert [socket.producerState for _, socket in crowd].count("paused") == 10
    server.clock.advance(0)
    assert {socket.producerState for _, socket in crowd} == {"producing"}
    for connection, _ in crowd:
        connection.send(request("GET /push/c/signoff"))
    server.clock.advance(0)
    assert {connection.answer().code for connection, _ in crowd} == {200}
