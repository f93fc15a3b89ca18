"""The server as a child process that is started, killed and started again with the same data."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import fmean
from types import MappingProxyType
from typing import Any

from attrs import define, field
from hyperlink import DecodedURL
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.client import HTTPConnectionPool

from tests.harness.admin_api import AdminApi, ServerFailed
from tests.harness.config import HarnessConfig
from tests.harness.environment import ROOT, environment
from tests.harness.http_client import http_client

START_TIMEOUT = 150.0
"""Seconds within which a started server must be ready, even on a busy machine."""

STOP_TIMEOUT = 15.0
"""Seconds within which a server must stop after SIGTERM; it promises 5 on an idle machine."""

_RETRY_DELAY = 0.05
_READY_TIMEOUT = 5.0

_LOG_TAIL = 2000
"""Characters of the log that are shown when the server has failed."""


@define(eq=False)
class Process(ProcessProtocol):
    """One process, from its start to its end."""

    started_at: float
    ended: Deferred[int | None] = field(factory=Deferred, init=False)
    """Fires with the exit code, or None if a signal ended the process."""
    was_signalled: bool = field(default=False, init=False)
    """Whether the harness sent a signal; if not, an exit of the process is a failure."""

    def signal(self, name: str) -> None:
        """Send a signal such as ``KILL``, unless the process has ended."""
        self.was_signalled = self.was_signalled or not self.ended.called
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess(name)  # type: ignore[union-attr]

    def processEnded(self, reason: Failure) -> None:
        ending: Any = reason.value
        self.ended.callback(ending.exitCode)


def spawn(
    reactor: Any, command: Sequence[str], log: Path, variables: Mapping[str, str] = MappingProxyType({})
) -> Process:
    """Start a program that imports pushd from this source tree, and append its output to a file; ``variables`` are
    added to its environment.
    """
    process, env = Process(reactor.seconds()), {**environment(), **variables}
    with log.open("ab") as output, Path(os.devnull).open("rb") as nothing:
        streams = {0: nothing.fileno(), 1: output.fileno(), 2: output.fileno()}
        reactor.spawnProcess(process, command[0], command, env=env, path=str(ROOT), childFDs=streams)
    return process


@define(eq=False)
class ServerProcess:
    """Starts and kills the server, and waits until it is ready."""

    config: HarnessConfig
    reactor: Any
    variables: Mapping[str, str] = field(factory=dict)
    """Added to its environment."""
    startups: list[float] = field(factory=list, init=False)
    """Seconds from each start until the server was ready."""
    _process: Process | None = field(default=None, init=False)
    _http: HTTPClient = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._http = http_client(self.reactor, HTTPConnectionPool(self.reactor, persistent=False))
        self.reactor.addSystemEventTrigger("before", "shutdown", self.kill)

    def start(self) -> None:
        """Start a new process."""
        self._process = spawn(self.reactor, self.config.server_command(), self.config.log, self.variables)

    def kill(self) -> None:
        """Send SIGKILL now, without waiting for the end of the process."""
        if self._process is not None:
            self._process.signal("KILL")

    async def kill_and_wait(self) -> None:
        """Send SIGKILL and wait until the process has ended.

        :raises ServerFailed: if the process had already ended by itself.
        """
        process = self.check()
        process.signal("KILL")
        await process.ended

    async def stop(self) -> None:
        """Send SIGTERM and wait until the process has ended.

        :raises ServerFailed: if it does not stop in time, or exits with an error.
        """
        process = self.check()
        process.signal("TERM")
        timeout = self.reactor.callLater(STOP_TIMEOUT, process.signal, "KILL")
        code = await process.ended
        if timeout.active():
            timeout.cancel()
        if code != 0:
            raise ServerFailed(f"The server exited with {code} after SIGTERM.\n{self._log_tail()}")

    async def wait_ready(self) -> None:
        """Wait until the server is ready.

        :raises ServerFailed: if it does not become ready in time.
        """
        while not await self._is_ready():
            if self.reactor.seconds() > self.check().started_at + START_TIMEOUT:
                raise ServerFailed(f"The server is not ready after {START_TIMEOUT:g} s.\n{self._log_tail()}")
            await deferLater(self.reactor, _RETRY_DELAY)
        self.startups.append(self.reactor.seconds() - self.check().started_at)

    def check(self) -> Process:
        """Return the current process.

        :raises ServerFailed: if it ended although the harness sent no signal.
        """
        assert self._process is not None, "the server was never started"
        if self._process.ended.called and not self._process.was_signalled:
            raise ServerFailed(f"The server exited by itself.\n{self._log_tail()}")
        return self._process

    @property
    def pid(self) -> int:
        """The id of the current process."""
        return int(self.check().transport.pid)  # type: ignore[union-attr]

    def api(self) -> AdminApi:
        """A client of its admin API, with the token of the admin role."""
        return AdminApi(
            treq=http_client(self.reactor, HTTPConnectionPool(self.reactor)),
            clock=self.reactor,
            root=DecodedURL.from_text(self.config.admin_url()),
            token=(self.config.data_dir / "admin.token").read_text("ascii").strip(),
            check=self.check,
        )

    @property
    def startup(self) -> float:
        """Average seconds from a start until the server is ready."""
        return fmean(self.startups) if self.startups else 0.0

    async def _is_ready(self) -> bool:
        if not (self.config.data_dir / "admin.token").exists():
            return False
        asking = Deferred.fromCoroutine(self._ask())
        asking.addTimeout(_READY_TIMEOUT, self.reactor)
        return bool(await asking.addErrback(lambda _: False))

    async def _ask(self) -> bool:
        response = await self._http.get(self.config.admin_url("readyz"))
        await response.content()
        return bool(response.code == 200)

    def _log_tail(self) -> str:
        return self.config.log.read_text("utf-8", "replace")[-_LOG_TAIL:]
