"""What happens to a server between two kills: other programs change its commands, its disk fails, its sessions end, it
is suspended.
"""

import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from tests.crash.config import CrashConfig
from tests.crash.databases import Database, PostgresDatabase, SqliteDatabase
from tests.crash.faulty_disk import FaultyDisk
from tests.harness.commit_proxy import CommitProxy, Cut
from tests.harness.operator import Operator
from tests.harness.server_process import ServerProcess
from tests.harness.simulated_fleet import PATIENT_ID
from tests.harness.workload import CommandRequest

_FAILING_SECONDS = (0.1, 0.6)
_FULL_SECONDS = (0.3, 1.5)
_STALE_SECONDS = (0.3, 1.5)
"""For how long the server goes on with commands that are not those in the database, until it is killed."""

SUSPEND_SECONDS = 4.0
"""More than the lease of what was claimed, and than a slow device takes to read what was sent before."""

_AWAY_SECONDS = (5.5, 7.0)
"""Longer than the server asks what became of a commit, and shorter than until others would take it for dead."""

_STEP = 0.1
_MAX_STEPS_TO_STOP = 30
_MIN_UNAVAILABLE = 6
_MAX_STEPS_TO_UNAVAILABLE = 100
_POLL_SECONDS = 1.0
"""After so long the patient device polls again."""


OTHER_PROGRAM = "From here on, another program has changed commands."
"""This line is written to the server's log."""


class Disturbance(StrEnum):
    """What happens to a server."""

    CHANGED = "another program changed commands"
    DISK_FULL = "the disk was full"
    SYNCS_FAILED = "the disk did not sync"
    GROUP_CUT = "a session ended in the middle of a group"
    COMMIT_CUT = "a session ended at COMMIT"
    ANSWER_LOST = "the answer of COMMIT was lost"
    IN_DOUBT = "the answer of COMMIT was lost, and the network with it"
    DATABASE_KILLED = "PostgreSQL was killed"
    SUSPENDED = "the server was suspended before it sent what was claimed"


_DISTURBANCES = {
    Cut.WRITING: Disturbance.GROUP_CUT,
    Cut.COMMIT: Disturbance.COMMIT_CUT,
    Cut.ANSWER: Disturbance.ANSWER_LOST,
}
_CUTS = 3
"""How many sessions are ended, one after the other."""

Disturb = Callable[[], Awaitable[None]]


@define(eq=False, kw_only=True)
class Disturbances:
    """Causes them."""

    reactor: Any
    config: CrashConfig
    server: ServerProcess
    operator: Operator
    chance: Random
    database: Database
    counts: Counter[Disturbance]

    def before_kills(self) -> Sequence[Disturb]:
        """What happens before the kills."""
        suspensions: list[Disturb] = [self.suspend] if self.config.suspensions else []
        return [*suspensions, *self._of_database(), self.change_commands]

    async def after_kills(self) -> None:
        """What happens once without a kill, after which memory would be read anew."""
        if self.config.disk_failures:
            for disturb in self._of_database()[:1]:
                await disturb()

    def _of_database(self) -> list[Disturb]:
        if isinstance(self.database, SqliteDatabase):
            return [self.fill_disk, self.fail_syncs] if self.config.disk_failures else []
        cuts: list[Disturb] = [partial(self.cut, where) for where in Cut]
        kills: list[Disturb] = [self.kill_database]
        return [
            *([self.lose_network, *cuts] if self.config.disk_failures else []),
            *(kills if self.config.power_cuts else []),
        ]

    async def change_commands(self) -> None:
        """Let another program change open commands, which the server has in memory as they were before."""
        with self.config.log.open("a", encoding="utf-8") as log:
            log.write(f"{OTHER_PROGRAM}\n")
        for changed in await self.database.change_commands():
            self.operator.journal.record(changed.pop("device"), "changed", **changed)
        self.counts[Disturbance.CHANGED] += 1
        await self._pause(_STALE_SECONDS)

    async def fill_disk(self) -> None:
        """Let writes to the database fail for a while, and until some commands could not be stored."""
        self.counts[Disturbance.DISK_FULL] += 1
        with self._disk.full():
            await self._pause(_FULL_SECONDS)
            await self._some_not_stored()

    async def fail_syncs(self) -> None:
        """Let syncs of the database fail for a while."""
        self.counts[Disturbance.SYNCS_FAILED] += 1
        with self._disk.failing():
            await self._pause(_FAILING_SECONDS)

    async def cut(self, where: Cut) -> None:
        """End sessions with PostgreSQL at some point of a group."""
        for _ in range(_CUTS):
            self.counts[_DISTURBANCES[where]] += await self._proxy.cut(where)

    async def lose_network(self) -> None:
        """Lose the answer of a COMMIT, and let the server reach PostgreSQL again only when it has given up asking what
        became of it.
        """
        if await self._proxy.cut(Cut.ANSWER):
            self.counts[Disturbance.IN_DOUBT] += 1
            with self._proxy.away():
                await self._pause(_AWAY_SECONDS)

    async def kill_database(self) -> None:
        """Kill PostgreSQL while the server works, and start it again."""
        self.counts[Disturbance.DATABASE_KILLED] += 1
        await self.database.crash()
        await self._pause(_FULL_SECONDS)

    @property
    def _disk(self) -> FaultyDisk:
        assert isinstance(self.database, SqliteDatabase)
        assert self.database.disk is not None
        return self.database.disk

    @property
    def _proxy(self) -> CommitProxy:
        assert isinstance(self.database, PostgresDatabase)
        return self.database.proxy

    async def _some_not_stored(self) -> None:
        enough = self.operator.unavailable + _MIN_UNAVAILABLE
        for _ in range(_MAX_STEPS_TO_UNAVAILABLE):
            if self.operator.unavailable >= enough:
                break
            await deferLater(self.reactor, _STEP)

    async def suspend(self) -> None:
        """Suspend the server after it has claimed a command for the patient device, for longer than the lease."""
        await deferLater(self.reactor, _POLL_SECONDS)
        request, pid = self.operator.workload.brief(PATIENT_ID), self.server.pid
        self.database.suspend_after_claim(request.key, request.device, pid)
        sending = Deferred.fromCoroutine(self.operator.send(request))
        for _ in range(_MAX_STEPS_TO_STOP):
            await deferLater(self.reactor, _STEP)
            if is_stopped(pid):
                await self._resume_later(request, pid)
                break
        await sending
        await deferLater(self.reactor, _POLL_SECONDS)

    async def _resume_later(self, request: CommandRequest, pid: int) -> None:
        self.counts[Disturbance.SUSPENDED] += 1
        self.operator.journal.record(request.device, "suspended", key=request.key)
        for _ in range(round(SUSPEND_SECONDS / _STEP)):  # in steps: what arrives meanwhile is recorded in between
            await deferLater(self.reactor, _STEP)
        self.operator.journal.record(request.device, "resumed", key=request.key)
        os.kill(pid, signal.SIGCONT)

    async def _pause(self, bounds: tuple[float, float]) -> None:
        await deferLater(self.reactor, self.chance.uniform(*bounds))


def is_stopped(pid: int) -> bool:
    """Whether a process was stopped by a signal."""
    return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "T"
