"""The database of a crash run: SQLite on a disk that may fail, or a PostgreSQL server behind a proxy."""

import json
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing, suppress
from functools import partial
from random import Random
from typing import Any, Protocol

import psycopg
from attrs import define, field
from psycopg import errors
from psycopg.rows import dict_row
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessOutputAndValue

from tests.crash.config import CrashConfig
from tests.crash.faulty_disk import FaultyDisk
from tests.crash.second_writer import CHANGE
from tests.harness.admin_api import Json
from tests.harness.commit_proxy import CommitProxy
from tests.harness.environment import ROOT, environment
from tests.harness.postgres_process import PostgresProcess


class Database(Protocol):
    """What a run needs of the database of its server."""

    @property
    def crashes(self) -> int:
        """How often it has crashed, or lost power."""

    @property
    def name(self) -> str:
        """The name by which ``pushd.fsck`` finds it."""

    @property
    def variables(self) -> Mapping[str, str]:
        """What is added to the environment of programs that use it."""

    @property
    def failing(self) -> Callable[[], AbstractContextManager[None]] | None:
        """A context in which commits are in doubt; None: there is none."""

    async def start(self) -> None:
        """Start it, before the server."""

    async def stop(self) -> None:
        """Stop it, after the server."""

    async def crash(self) -> None:
        """Let it lose what a crash may take, and make it ready again."""

    async def lock(self, seconds: float) -> None:
        """Keep the server from writing for so long, as another program may."""

    async def change_commands(self) -> list[Json]:
        """Allow another attempt of open commands, as another program may; what they are now."""

    def suspend_after_claim(self, key: str, device: str, pid: int) -> None:
        """Suspend the server, the process ``pid``, as soon as it has committed its claim of a command."""


@define(eq=False)
class SqliteDatabase:
    """A file; with power cuts, failures or suspensions it is on a disk with faults."""

    config: CrashConfig
    reactor: Any
    disk: FaultyDisk | None

    @classmethod
    def make(cls, config: CrashConfig, reactor: Any, chance: Random) -> "SqliteDatabase":
        """Prepare the disk."""
        needs_disk = config.power_cuts or config.disk_failures or config.suspensions
        return cls(config, reactor, FaultyDisk.make(config.database, chance) if needs_disk else None)

    @property
    def crashes(self) -> int:
        return 0 if self.disk is None else self.disk.power_cuts

    @property
    def name(self) -> str:
        return str(self.config.database)

    @property
    def variables(self) -> Mapping[str, str]:
        return {} if self.disk is None else self.disk.variables()

    @property
    def failing(self) -> Callable[[], AbstractContextManager[None]] | None:
        return self.disk.failing if self.disk is not None and self.config.disk_failures else None

    async def start(self) -> None:
        """There is nothing to start."""

    async def stop(self) -> None:
        """There is nothing to stop."""

    async def crash(self) -> None:
        assert self.disk is not None
        self.disk.cut_power()

    async def lock(self, seconds: float) -> None:
        with closing(sqlite3.connect(self.config.database, isolation_level=None)) as other:
            with suppress(sqlite3.OperationalError):  # the server may hold the lock itself
                other.execute("BEGIN IMMEDIATE")
            await deferLater(self.reactor, seconds)

    async def change_commands(self) -> list[Json]:
        command, env = ["-m", "tests.crash.second_writer", self.name], {**environment(), **self.variables}
        out, err, code = await getProcessOutputAndValue(
            sys.executable, command, env=env, path=str(ROOT), reactor=self.reactor
        )
        assert code == 0, err
        return [json.loads(line) for line in out.splitlines()]

    def suspend_after_claim(self, key: str, device: str, pid: int) -> None:
        assert self.disk is not None
        self.disk.suspend_after(key)


_CHANGES = 15
"""How often another program changes commands: in few groups it does so between what the server reads and writes."""

_CHANGE_SECONDS = 0.05


@define(eq=False)
class PostgresDatabase:
    """A server of its own, which the one under test uses by way of a proxy."""

    config: CrashConfig
    reactor: Any
    process: PostgresProcess
    proxy: CommitProxy
    crashes: int = field(default=0, init=False)
    variables: Mapping[str, str] = field(factory=dict, init=False)
    failing: None = field(default=None, init=False)

    @classmethod
    def make(cls, config: CrashConfig, reactor: Any, chance: Random) -> "PostgresDatabase":
        """Prepare the server; it is not started."""
        port = config.postgres_port
        assert port is not None
        process = PostgresProcess(config.directory / "postgres", port)
        proxy = CommitProxy(reactor, chance, config.proxy_port, port)
        reactor.addSystemEventTrigger("after", "shutdown", process.kill)
        return cls(config, reactor, process, proxy)

    @property
    def name(self) -> str:
        return self.process.url

    async def start(self) -> None:
        await deferToThread(self.process.start)
        self.proxy.start()

    async def stop(self) -> None:
        await self.proxy.stop()
        await deferToThread(self.process.kill)

    async def crash(self) -> None:
        """Kill it with all its sessions, and start it again."""
        self.crashes += 1
        self.process.kill()
        await deferToThread(self.process.start)

    async def lock(self, seconds: float) -> None:
        connection = await deferToThread(self._connect)
        with closing(connection), connection.transaction():
            await deferToThread(connection.execute, "LOCK TABLE command IN EXCLUSIVE MODE")
            await deferLater(self.reactor, seconds)

    async def change_commands(self) -> list[Json]:
        connection = await deferToThread(self._connect)
        changed: list[Json] = []
        with closing(connection):
            for _ in range(_CHANGES):
                with suppress(errors.DeadlockDetected):  # with a group of the server
                    cursor = await deferToThread(connection.execute, CHANGE)
                    changed += cursor.fetchall()
                await deferLater(self.reactor, _CHANGE_SECONDS)
        return changed

    def _connect(self) -> "psycopg.Connection[Any]":
        return psycopg.connect(self.name, autocommit=True, row_factory=dict_row)

    def suspend_after_claim(self, key: str, device: str, pid: int) -> None:
        self.proxy.suspend_after_claim(device, partial(os.kill, pid, signal.SIGSTOP))


def make_database(config: CrashConfig, reactor: Any, chance: Random) -> Database:
    """The database of a run."""
    if config.postgres_port is None:
        return SqliteDatabase.make(config, reactor, chance)
    return PostgresDatabase.make(config, reactor, chance)
