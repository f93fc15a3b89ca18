"""Tests of the kill schedule."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pushd.simulator.faults import seeded_random
from tests.crash.disturbances import Disturb
from tests.crash.kill_schedule import KillPoint, KillSchedule
from tests.harness.admin_api import ServerFailed
from tests.harness.server_process import ServerProcess


@define(eq=False)
class FakeServer:
    """A server that is always ready, and counts its starts."""

    startup: float = 1.0
    starts: int = 1
    running: bool = True
    failed: bool = False

    def start(self) -> None:
        """Count another start."""
        self.starts, self.running = self.starts + 1, True

    def kill(self) -> None:
        """Stop running."""
        self.running = False

    async def wait_ready(self) -> None:
        """Be ready at once, unless the server has failed."""
        self.check()

    def check(self) -> None:
        """Raise an exception if the server has failed."""
        if self.failed:
            raise ServerFailed

    async def kill_and_wait(self) -> None:
        """Stop running; there is nothing to wait for."""
        self.kill()


async def no_lock(seconds: float) -> None:
    """The database is not locked."""


@contextmanager
def running(clock: Clock, kills: int, seconds: float, server: FakeServer) -> Iterator[tuple[KillSchedule, list[Any]]]:
    """Run a schedule; with it comes a list that receives its result."""
    schedule = KillSchedule(cast(ServerProcess, server), clock, seeded_random(1, "kills"), no_lock)
    results: list[Any] = []
    run = Deferred.fromCoroutine(schedule.run(kills, clock.seconds() + seconds))
    run.addBoth(results.append)
    yield schedule, results
    run.cancel()


def pass_time(clock: Clock, seconds: float) -> None:
    """Let time pass in small steps."""
    for _ in range(round(seconds / 0.05)):
        clock.advance(0.05)


def test_all_kills(clock: Clock) -> None:
    """If there is time, the server is killed as often as asked, at each kind of point, and runs at the end."""
    server = FakeServer()
    with running(clock, 10, 60, server) as (schedule, results):
        for _ in range(2400):
            clock.advance(0.05)
            for point in (KillPoint.ACCEPTED, KillPoint.RECEIVED, KillPoint.REPORTED):
                schedule.reach(point)
        assert results == [None]
        assert dict(schedule.kills) == dict.fromkeys(set(KillPoint) - {KillPoint.NOT_STORED}, 2)
        assert (server.starts, server.running) == (11, True)


def test_point_that_is_not_reached(clock: Clock) -> None:
    """The server is killed all the same when a kill point is not reached in time."""
    with running(clock, 5, 30, FakeServer()) as (schedule, results):
        pass_time(clock, 60)
        assert results == [None]
        assert schedule.kills == {KillPoint.ANY: 4, KillPoint.STARTING: 1}


def test_no_time_left(clock: Clock) -> None:
    """When the time is over, there are no more kills."""
    with running(clock, 10_000, 5, FakeServer()) as (schedule, results):
        pass_time(clock, 10)
        assert results == [None]
        assert 0 < schedule.kills.total() < 10_000


def test_killed_before_the_caller_continues(clock: Clock) -> None:
    """When the awaited kill point is reached, the server is killed before the caller continues."""
    server = FakeServer()
    with running(clock, 5, 60, server) as (schedule, _):
        for _ in range(1200):
            clock.advance(0.05)
            if schedule._awaited is not None:
                break
        starts = server.starts
        schedule.reach(KillPoint.ANY if schedule._awaited is not KillPoint.ANY else KillPoint.STARTING)
        assert (server.starts, server.running) == (starts, True)
        assert schedule._awaited is not None
        schedule.reach(schedule._awaited)
        assert server.starts == starts + 1


def test_power_cuts_and_disturbances(clock: Clock) -> None:
    """Every other kill is a power cut; disturbances happen in turn, before each kill of a server that was ready."""
    happened: list[str] = []

    def disturbance(name: str) -> Disturb:
        async def happen() -> None:
            happened.append(name)

        return happen

    schedule = KillSchedule(
        cast(ServerProcess, FakeServer()), clock, seeded_random(1, "kills"), no_lock, disturbance("cut")
    )
    run = schedule.run(5, clock.seconds() + 30, [disturbance("full"), disturbance("changed")])
    done = Deferred.fromCoroutine(run)
    pass_time(clock, 60)
    assert done.called
    assert [name for name in happened if name != "cut"] == ["full", "changed", "full", "changed"]
    assert happened.count("cut") == 3


def test_disk_that_does_not_sync(clock: Clock) -> None:
    """With such a disk, the first point is one at which it fails, until the server is killed."""
    is_failing: list[bool] = []

    @contextmanager
    def failing() -> Iterator[None]:
        is_failing.append(server.running)
        yield
        is_failing.append(server.running)

    server = FakeServer()
    schedule = KillSchedule(
        cast(ServerProcess, server), clock, seeded_random(1, "kills"), no_lock, failing_disk=failing
    )
    done = Deferred.fromCoroutine(schedule.run(1, clock.seconds() + 30))
    for _ in range(1200):
        clock.advance(0.05)
        schedule.reach(KillPoint.NOT_STORED)
    assert done.called
    assert schedule.kills == {KillPoint.NOT_STORED: 1}
    assert is_failing == [True, False]


def test_server_fails_by_itself(clock: Clock) -> None:
    """A server that fails by itself ends the schedule with an error."""
    server = FakeServer()
    with running(clock, 5, 60, server) as (_, results):
        server.failed = True
        pass_time(clock, 60)
        assert len(results) == 1
        with pytest.raises(ServerFailed):
            results[0].raiseException()
