"""What happens to a server between two kills: another program changes its commands, or its disk fails."""

import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from random import Random
from typing import Any

from attrs import define
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue

from pushd.simulator.journal import Journal
from tests.crash.faulty_disk import FaultyDisk
from tests.harness.environment import ROOT, environment

_FAILING_SECONDS = (0.1, 0.6)
_FULL_SECONDS = (0.3, 1.5)
_STALE_SECONDS = (0.3, 1.5)
"""For how long the server goes on with commands that are not those in the database, until it is killed."""


class Disturbance(StrEnum):
    """What happens to a server."""

    CHANGED = "another program changed commands"
    DISK_FULL = "the disk was full"
    SYNCS_FAILED = "the disk did not sync"


Disturb = Callable[[], Awaitable[None]]


@define(eq=False, kw_only=True)
class Disturbances:
    """Causes them."""

    reactor: Any
    database: str
    journal: Journal
    """Of the operator."""
    chance: Random
    disk: FaultyDisk | None
    counts: Counter[Disturbance]

    def before_kills(self, disk_fails: bool) -> Sequence[Disturb]:
        """What happens before the kills."""
        failures = [self.fill_disk, self.fail_syncs] if disk_fails else []
        return [*failures, self.change_commands]

    async def change_commands(self) -> None:
        """Let another program change open commands; only a restart makes the server know them."""
        variables = {} if self.disk is None else self.disk.variables()
        command = ["-m", "tests.crash.second_writer", self.database]
        out, err, code = await getProcessOutputAndValue(
            sys.executable, command, env={**environment(), **variables}, path=str(ROOT), reactor=self.reactor
        )
        assert code == 0, err
        for line in out.splitlines():
            changed = json.loads(line)
            self.journal.record(changed.pop("device"), "changed", **changed)
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

    async def _pause(self, bounds: tuple[float, float]) -> None:
        await deferLater(self.reactor, self.chance.uniform(*bounds))
