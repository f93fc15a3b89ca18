"""What happens to a server between two kills: other programs change its commands, its disk fails, it is suspended."""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue

from tests.crash.config import CrashConfig
from tests.crash.faulty_disk import FaultyDisk
from tests.harness.environment import ROOT, environment
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

_STEP = 0.1
_MAX_STEPS_TO_STOP = 30
_POLL_SECONDS = 1.0
"""After so long the patient device polls again."""


class Disturbance(StrEnum):
    """What happens to a server."""

    CHANGED = "another program changed commands"
    DISK_FULL = "the disk was full"
    SYNCS_FAILED = "the disk did not sync"
    SUSPENDED = "the server was suspended before it sent what was claimed"


Disturb = Callable[[], Awaitable[None]]


@define(eq=False, kw_only=True)
class Disturbances:
    """Causes them."""

    reactor: Any
    config: CrashConfig
    server: ServerProcess
    operator: Operator
    chance: Random
    disk: FaultyDisk | None
    counts: Counter[Disturbance]

    def before_kills(self) -> Sequence[Disturb]:
        """What happens before the kills."""
        suspensions = [self.suspend] if self.config.suspensions else []
        failures = [self.fill_disk, self.fail_syncs] if self.config.disk_failures else []
        return [*suspensions, *failures, self.change_commands]

    async def change_commands(self) -> None:
        """Let another program change open commands, which the server has in memory as they were before."""
        variables = {} if self.disk is None else self.disk.variables()
        command = ["-m", "tests.crash.second_writer", str(self.config.database)]
        out, err, code = await getProcessOutputAndValue(
            sys.executable, command, env={**environment(), **variables}, path=str(ROOT), reactor=self.reactor
        )
        assert code == 0, err
        for line in out.splitlines():
            changed = json.loads(line)
            self.operator.journal.record(changed.pop("device"), "changed", **changed)
        self.counts[Disturbance.CHANGED] += 1
        await self._pause(_STALE_SECONDS)

    async def fill_disk(self) -> None:
        """Let writes to the database fail for a while."""
        assert self.disk is not None
        self.counts[Disturbance.DISK_FULL] += 1
        with self.disk.full():
            await self._pause(_FULL_SECONDS)

    async def fail_syncs(self) -> None:
        """Let syncs of the database fail for a while."""
        assert self.disk is not None
        self.counts[Disturbance.SYNCS_FAILED] += 1
        with self.disk.failing():
            await self._pause(_FAILING_SECONDS)

    async def suspend(self) -> None:
        """Suspend the server after it has claimed a command for the patient device, for longer than the lease."""
        assert self.disk is not None
        await deferLater(self.reactor, _POLL_SECONDS)
        request, pid = self.operator.workload.brief(PATIENT_ID), self.server.pid
        self.disk.suspend_after(request.key)
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
