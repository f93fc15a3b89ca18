"""The kill schedule: it chooses the points at which the server is killed."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from itertools import cycle
from random import Random

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from tests.crash.disturbances import Disturb
from tests.harness.server_process import ServerProcess

KILLS_PER_PAUSE = 16
PAUSE = 7.0
"""Seconds without a kill, in which leases of up to 5 seconds end; none ends before the server is up for so long."""

_LOCK_SECONDS = (0.5, 6.5)
"""For how many seconds of a pause the database is locked; after 5 the server answers that it cannot serve."""

_MAX_WAIT = 2.0
"""Seconds to wait for a kill point; then the server is killed without it."""


class KillPoint(StrEnum):
    """A point at which a kill would reveal that something was lost or done twice."""

    ANY = "at a random moment"
    STARTING = "during startup"
    ACCEPTED = "right after a 201"
    RECEIVED = "right after a device received a command"
    REPORTED = "right after a result was answered with 200"
    NOT_STORED = "right after a send was answered with 503, as the disk did not sync"


_POINTS = [point for point in KillPoint if point is not KillPoint.NOT_STORED]
_AWAITED = (KillPoint.ACCEPTED, KillPoint.RECEIVED, KillPoint.REPORTED, KillPoint.NOT_STORED)


@define(eq=False)
class KillSchedule:
    """Kills the server at points of each kind in random order, and starts it again."""

    server: ServerProcess
    clock: IReactorTime
    chance: Random
    lock_database: Callable[[float], Awaitable[None]]
    """Holds a lock on the database for so many seconds, so that the server cannot write."""
    crash_database: Callable[[], Awaitable[None]] | None = None
    """Crashes the database after every other kill."""
    failing_disk: Callable[[], AbstractContextManager[None]] | None = None
    """A context manager in which the disk does not sync; None: the server is not killed at such points."""
    kills: Counter[KillPoint] = field(factory=Counter, init=False)
    locks: int = field(default=0, init=False)
    """How often the database was locked."""
    _next_points: list[KillPoint] = field(factory=list, init=False)
    _awaited: KillPoint | None = field(default=None, init=False)
    _reached: Deferred[KillPoint] | None = field(default=None, init=False)

    def reach(self, point: KillPoint) -> None:
        """Report that a kill point is reached; if it is the awaited one, the server is killed before this returns."""
        if point is self._awaited and self._reached is not None:
            self.server.kill()
            self._resolve(point)

    async def run(self, kills: int, until: float, disturbances: Sequence[Disturb] = ()) -> None:
        """Kill the server so many times, or until that moment; at the end the server is ready.

        Before each kill of a server that was ready one of the ``disturbances`` happens, in turn.
        """
        disturb = cycle(disturbances or [_nothing])
        for number in range(kills):
            if number % KILLS_PER_PAUSE == KILLS_PER_PAUSE // 2:
                await self._pause()
            left = until - self.clock.seconds()
            if left <= 0:
                break
            pauses = _pauses(kills) - _pauses(number + 1)
            interval = max((left - pauses * PAUSE) / (kills - number) - self.server.startup, 0.0)
            await self._kill(min(self.chance.uniform(0, 2 * interval), left), disturb)
            if self.crash_database is not None and number % 2 == 0:
                await self.crash_database()
            self.server.start()
        await self.server.wait_ready()

    async def _kill(self, delay: float, disturb: Iterator[Disturb]) -> None:
        point = self._next_point()
        if point is KillPoint.STARTING:
            await deferLater(self.clock, self.chance.uniform(0, self.server.startup))
        else:
            await self.server.wait_ready()
            await deferLater(self.clock, delay)
            self.server.check()
            await next(disturb)()
        with self._disk_at(point):
            if point in _AWAITED:
                point = await self._wait_for(point)
            await self.server.kill_and_wait()
        self.kills[point] += 1

    def _disk_at(self, point: KillPoint) -> AbstractContextManager[None]:
        if point is KillPoint.NOT_STORED and self.failing_disk is not None:
            return self.failing_disk()
        return nullcontext()

    async def _pause(self) -> None:
        locked = self.chance.uniform(*_LOCK_SECONDS)
        await self.server.wait_ready()
        await self.lock_database(locked)
        self.locks += 1
        await deferLater(self.clock, PAUSE - locked)

    def _next_point(self) -> KillPoint:
        """Each kind of point once, in random order, then again; first the one that an option asks for."""
        if not self._next_points:
            self._next_points = self.chance.sample(_POINTS, len(_POINTS))
            if self.failing_disk is not None:
                self._next_points.append(KillPoint.NOT_STORED)
        return self._next_points.pop()

    async def _wait_for(self, point: KillPoint) -> KillPoint:
        self._awaited, self._reached = point, Deferred()
        timeout = self.clock.callLater(_MAX_WAIT, self._resolve, KillPoint.ANY)
        try:
            return await self._reached
        finally:
            if timeout.active():
                timeout.cancel()

    def _resolve(self, point: KillPoint) -> None:
        reached, self._awaited, self._reached = self._reached, None, None
        if reached is not None:
            reached.callback(point)


async def _nothing() -> None:
    """No disturbance."""


def _pauses(kills: int) -> int:
    """How many pauses there are among so many kills: one halfway through each ``KILLS_PER_PAUSE``."""
    return (kills + KILLS_PER_PAUSE // 2 - 1) // KILLS_PER_PAUSE
