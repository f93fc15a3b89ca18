"""The killer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pushd.simulator.faults import seeded_random
from tests.crash.killer import Killer, Occasion
from tests.crash.server import Fallen, Server


@define(eq=False)
class Victim:
    """A server that is always ready, and counts its lives."""

    startup: float = 1.0
    lives: int = 1
    alive: bool = True
    fallen: bool = False
    ups: list[Deferred[None]] = field(factory=list)

    def start(self) -> None:
        self.lives, self.alive = self.lives + 1, True

    def kill(self) -> None:
        self.alive = False

    async def up(self) -> None:
        self.check()

    def check(self) -> None:
        if self.fallen:
            raise Fallen

    async def obstruct(self, seconds: float) -> None:
        """See :meth:`Server.obstruct`."""

    async def end(self) -> None:
        self.kill()


@contextmanager
def raging(clock: Clock, kills: int, seconds: float, victim: Victim) -> Iterator[tuple[Killer, list[Any]]]:
    """A killer at work, and what became of it."""
    killer = Killer(cast(Server, victim), clock, seeded_random(1, "killer"))
    ended: list[Any] = []
    rage = Deferred.fromCoroutine(killer.rage(kills, clock.seconds() + seconds))
    rage.addBoth(ended.append)
    yield killer, ended
    rage.cancel()


def pass_time(clock: Clock, seconds: float) -> None:
    """Let time pass in small steps."""
    for _ in range(round(seconds / 0.05)):
        clock.advance(0.05)


def test_all_kills(clock: Clock) -> None:
    """If there is time, the server is killed as often as was asked, on every occasion, and runs in the end."""
    victim = Victim()
    with raging(clock, 10, 60, victim) as (killer, ended):
        for _ in range(2400):
            clock.advance(0.05)
            for occasion in (Occasion.ACCEPTED, Occasion.HANDED, Occasion.REPORTED):
                killer.saw(occasion)
        assert ended == [None]
        assert dict(killer.struck) == dict.fromkeys(Occasion, 2)
        assert (victim.lives, victim.alive) == (11, True)


def test_nothing_happens(clock: Clock) -> None:
    """An occasion that does not come is not waited for."""
    victim = Victim()
    with raging(clock, 5, 30, victim) as (killer, ended):
        pass_time(clock, 60)
        assert ended == [None]
        assert killer.struck == {Occasion.ANY: 4, Occasion.STARTING: 1}


def test_no_time(clock: Clock) -> None:
    """When the time is over, the server is killed no more."""
    with raging(clock, 10_000, 5, Victim()) as (killer, ended):
        pass_time(clock, 10)
        assert ended == [None]
        assert 0 < killer.struck.total() < 10_000


def test_at_once(clock: Clock) -> None:
    """Whoever sees what the killer waits for, and goes on, goes on after the server's death."""
    victim = Victim()
    with raging(clock, 5, 60, victim) as (killer, _):
        for _ in range(1200):
            clock.advance(0.05)
            if killer._awaited is not None:
                break
        lives = victim.lives
        killer.saw(Occasion.ANY if killer._awaited is not Occasion.ANY else Occasion.STARTING)
        assert (victim.lives, victim.alive) == (lives, True)
        assert killer._awaited is not None
        killer.saw(killer._awaited)
        assert victim.lives == lives + 1


def test_fallen(clock: Clock) -> None:
    """A server that falls by itself ends the rage."""
    victim = Victim()
    with raging(clock, 5, 60, victim) as (_, ended):
        victim.fallen = True
        pass_time(clock, 60)
        assert len(ended) == 1
        with pytest.raises(Fallen):
            ended[0].raiseException()
