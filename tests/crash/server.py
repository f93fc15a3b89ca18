"""The server: a process of its own that is started, killed and started again on the same data."""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

from attrs import define, field
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.client import HTTPConnectionPool

from pushd.demo.layout import HOST
from tests.crash.lines import lines
from tests.crash.setting import HOME, environment

UP_WITHIN = 40.0
"""Seconds in which a server that was started should be ready, on a machine that has much else to do."""

STOPPED_WITHIN = 15.0
"""Seconds in which a server that was asked to stop should have; it promises 5 on an idle machine."""

_LOOK_AGAIN = 0.05
_LOOK_PATIENCE = 5.0

_LAST_WORDS = 2000
"""Characters of the log that are shown of a server that fell by itself."""


class Fallen(Exception):
    """The server ended by itself, or did not come up."""


class Premises(Protocol):
    """Where a server lives, and how it is started."""

    @property
    def data_dir(self) -> Path:
        """Its own directory, the same at each of its starts."""

    @property
    def database(self) -> Path:
        """Where it keeps everything."""

    @property
    def log(self) -> Path:
        """What it says, at all of its starts."""

    @property
    def admin_port(self) -> int:
        """The port that operators call."""

    def server(self) -> list[str]:
        """The command that starts it."""


@define(eq=False)
class Process(ProcessProtocol):
    """One life of a program."""

    began: float
    ended: Deferred[int | None] = field(factory=Deferred, init=False)
    """Fires with the exit code, None if it was killed."""
    doomed: bool = field(default=False, init=False)
    """Whether we sent it a signal; if not, and it ended, it fell by itself."""

    def signal(self, name: str) -> None:
        """Send the process a signal, unless it is gone."""
        self.doomed = self.doomed or not self.ended.called
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess(name)  # type: ignore[union-attr]

    def processEnded(self, reason: Failure) -> None:
        """The process is gone."""
        ending: Any = reason.value
        self.ended.callback(ending.exitCode)


def spawn(reactor: Any, command: Sequence[str], log: Path) -> Process:
    """Start a program that finds this pushd, and appends what it says to a file."""
    process = Process(reactor.seconds())
    with log.open("ab") as said, Path(os.devnull).open("rb") as nothing:
        streams = {0: nothing.fileno(), 1: said.fileno(), 2: said.fileno()}
        reactor.spawnProcess(process, command[0], command, env=environment(), path=str(HOME), childFDs=streams)
    return process


@define(eq=False)
class Server:
    """Starts it, kills it, and knows when it is ready."""

    setting: Premises
    reactor: Any
    startups: list[float] = field(factory=list, init=False)
    """Seconds from each start until it was ready."""
    _process: Process | None = field(default=None, init=False)
    _http: HTTPClient = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._http = lines(self.reactor, HTTPConnectionPool(self.reactor, persistent=False))
        self.reactor.addSystemEventTrigger("before", "shutdown", self.kill)

    def start(self) -> None:
        """Begin another life."""
        self._process = spawn(self.reactor, self.setting.server(), self.setting.log)

    def kill(self) -> None:
        """End this life at this very instant: ``kill -9``."""
        if self._process is not None:
            self._process.signal("KILL")

    async def end(self) -> None:
        """Kill it, and return when it is gone.

        :raises Fallen: if it fell by itself.
        """
        process = self.check()
        process.signal("KILL")
        await process.ended

    async def obstruct(self, seconds: float) -> None:
        """Let nothing be written for so long, as another program does that holds the database."""
        with closing(sqlite3.connect(self.setting.database, isolation_level=None)) as other:
            with suppress(sqlite3.OperationalError):  # it is busy with its own
                other.execute("BEGIN IMMEDIATE")
            await deferLater(self.reactor, seconds)

    async def stop(self) -> None:
        """Ask it to stop, and return when it has.

        :raises Fallen: if it does not, or says that something went wrong.
        """
        process = self.check()
        process.signal("TERM")
        late = self.reactor.callLater(STOPPED_WITHIN, process.signal, "KILL")
        code = await process.ended
        if late.active():
            late.cancel()
        if code != 0:
            raise Fallen(f"The server was asked to stop, and ended with {code}.\n{self._last_words()}")

    async def up(self) -> None:
        """Return when it is ready.

        :raises Fallen: if it does not come up.
        """
        while not await self._is_ready():
            if self.reactor.seconds() > self.check().began + UP_WITHIN:
                raise Fallen(f"The server is not ready after {UP_WITHIN:g} s.\n{self._last_words()}")
            await deferLater(self.reactor, _LOOK_AGAIN)
        self.startups.append(self.reactor.seconds() - self.check().began)

    def check(self) -> Process:
        """Its present life.

        :raises Fallen: if it ended, and nobody killed it.
        """
        assert self._process is not None, "it was never started"
        if self._process.ended.called and not self._process.doomed:
            raise Fallen(f"The server ended by itself.\n{self._last_words()}")
        return self._process

    def token(self) -> str:
        """The admin's token."""
        return (self.setting.data_dir / "admin.token").read_text("ascii").strip()

    @property
    def startup(self) -> float:
        """Seconds that it takes to be ready."""
        return fmean(self.startups) if self.startups else 0.0

    async def _is_ready(self) -> bool:
        if not (self.setting.data_dir / "admin.token").exists():
            return False
        asking = Deferred.fromCoroutine(self._ask())
        asking.addTimeout(_LOOK_PATIENCE, self.reactor)
        return bool(await asking.addErrback(lambda _: False))

    async def _ask(self) -> bool:
        response = await self._http.get(f"http://{HOST}:{self.setting.admin_port}/readyz")
        await response.content()
        return bool(response.code == 200)

    def _last_words(self) -> str:
        return self.setting.log.read_text("utf-8", "replace")[-_LAST_WORDS:]
