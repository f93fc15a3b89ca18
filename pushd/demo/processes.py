"""The demo's other programs: the server and the simulated devices, each a process of its own."""

import os
import sys
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from pushd.lib.text import printable
from pushd.pushctl.errors import Unreachable

GRACE = 10.0
"""Seconds between the request to end and the end by force; the server promises to need no more than 5."""

HEARSAY = 0.5
"""Seconds after which we know of the end of a program whose connections have ended."""

LAST_WORDS = 12
"""Lines of its log that are shown of a program that died."""

_T = TypeVar("_T")


class Died(Exception):
    """A program of the demo ended before it was asked to."""


@define(eq=False)
class Child(ProcessProtocol):
    """A process, its log, and its end."""

    name: str
    log: Path
    _log_begins: int
    """Bytes in the log from earlier starts."""
    _clock: IReactorTime
    ended: Deferred[None] = field(factory=Deferred, init=False)
    status: str | None = field(default=None, init=False)
    """How it ended; None while it runs."""
    _force: IDelayedCall | None = field(default=None, init=False)

    def end(self) -> Deferred[None]:
        """Ask the process to end, and force it if it does not; fires when it has ended."""
        if self.status is None and self._force is None:
            self._force = self._clock.callLater(GRACE, self._signal, "KILL")
            self._signal("TERM")
        return self.ended

    def processEnded(self, reason: Failure) -> None:
        """The process has ended."""
        ending: Any = reason.value
        self.status = f"exit code {ending.exitCode}" if ending.signal is None else f"signal {ending.signal}"
        if self._force is not None and self._force.active():
            self._force.cancel()
        self.ended.callback(None)

    def last_words(self) -> str:
        """How it ended, and the end of its log."""
        said = self.log.read_bytes()[self._log_begins :].decode("utf-8", "replace")
        lines = said.splitlines()[-LAST_WORDS:]
        head = f"The {self.name} ended early, with {self.status}; the end of {self.log}:"
        return "\n".join([head, *(f"  {printable(line)}" for line in lines)])

    def _signal(self, name: str) -> None:
        with suppress(ProcessExitedAlready):  # then its end is on its way to us
            self.transport.signalProcess(name)  # type: ignore[union-attr]


@define(eq=False)
class Household:
    """All programs that the demo has started, so that none is left behind."""

    _processes: IReactorProcess
    _clock: IReactorTime
    _children: list[Child] = field(factory=list, init=False)

    def start(self, name: str, log: Path, words: Sequence[str]) -> None:
        """Start ``twistd`` with these words; what it says goes to ``log``."""
        command = [twistd(), "--nodaemon", "--pidfile=", *words]
        with log.open("ab") as output, Path(os.devnull).open("rb") as nothing:
            child = Child(name, log, output.tell(), self._clock)
            streams = {0: nothing.fileno(), 1: output.fileno(), 2: output.fileno()}
            self._processes.spawnProcess(child, command[0], command, env=_environment(), childFDs=streams)
        self._children.append(child)

    async def watch_over(self, work: Coroutine[Deferred[Any], Any, _T]) -> _T:
        """Do the work as long as all programs run.

        :raises Died: if one ends meanwhile.
        """
        doing = ensureDeferred(work)
        for child in self._children:
            child.ended.addCallback(lambda _: doing.cancel())
        try:
            return await doing
        except CancelledError:
            self._mourn()
            raise
        except Unreachable:
            await deferLater(self._clock, HEARSAY)
            self._mourn()
            raise

    def _mourn(self) -> None:
        dead = [child for child in self._children if child.status is not None]
        if dead:
            raise Died("\n".join(child.last_words() for child in dead))

    def end(self) -> Deferred[None]:
        """End all programs, the last one first, so that devices can still sign off; fires when none runs any more."""
        return ensureDeferred(self._end())

    async def _end(self) -> None:
        for child in reversed(self._children):
            await child.end()


def twistd() -> str:
    """The ``twistd`` that belongs to the Python that runs us, whatever is on the path."""
    return str(Path(sys.executable).with_name("twistd"))


def _environment() -> dict[str, str]:
    """Ours, in which the programs find the same pushd as we are, installed or not."""
    home = str(Path(__file__).parents[2])
    paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
