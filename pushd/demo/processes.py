"""The demo's programs, each a process: the server and the simulated devices."""

import os
import signal
import sys
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
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

KILL_AFTER = 10.0
"""Seconds from SIGTERM to SIGKILL; the server needs 5 at most."""

EXIT_DELAY = 0.5
"""Seconds from the end of a program's connections until its exit is known for sure."""

LOG_LINES = 12
"""Lines of its log that are shown of a program that exited early."""

_T = TypeVar("_T")


class ProgramExited(Exception):
    """A program of the demo exited although nothing asked it to."""


@define(eq=False)
class Program(ProcessProtocol):
    """A running program, its log and its exit."""

    name: str
    log: Path
    _log_start: int
    """Size of the log before this start, in bytes."""
    _clock: IReactorTime
    exited: Deferred[None] = field(factory=Deferred, init=False)
    status: str | None = field(default=None, init=False)
    """How it exited; None while it runs."""
    _kill: IDelayedCall | None = field(default=None, init=False)

    def stop(self) -> Deferred[None]:
        """Send SIGTERM, and SIGKILL if that does not help; fires when the program has exited."""
        if self.status is None and self._kill is None:
            self._kill = self._clock.callLater(KILL_AFTER, self._signal, "KILL")
            self._signal("TERM")
        return self.exited

    def processEnded(self, reason: Failure) -> None:
        ending: Any = reason.value
        self.status = f"exit code {ending.exitCode}" if ending.signal is None else f"signal {ending.signal}"
        if self._kill is not None and self._kill.active():
            self._kill.cancel()
        self.exited.callback(None)

    def early_exit(self) -> str:
        """How it exited, and the end of its log."""
        written = self.log.read_bytes()[self._log_start :].decode("utf-8", "replace")
        lines = written.splitlines()[-LOG_LINES:]
        head = f"The {self.name} exited early, with {self.status}; the end of {self.log}:"
        return "\n".join([head, *(f"  {printable(line)}" for line in lines)])

    def _signal(self, name: str) -> None:
        with suppress(ProcessExitedAlready):  # then processEnded is about to be called
            self.transport.signalProcess(name)  # type: ignore[union-attr]


@define(eq=False)
class ProgramGroup:
    """All programs that the demo has started; they are stopped together."""

    _processes: IReactorProcess
    _clock: IReactorTime
    _programs: list[Program] = field(factory=list, init=False)

    def start(self, name: str, log: Path, arguments: Sequence[str]) -> None:
        """Start ``twistd`` with these arguments; its output is appended to ``log``.

        At Ctrl-C a terminal sends SIGINT to all processes; this one is not affected, but stopped by :meth:`stop`.
        """
        command = [twistd(), "--nodaemon", "--pidfile=", *arguments]
        with log.open("ab") as output, Path(os.devnull).open("rb") as nothing:
            program = Program(name, log, output.tell(), self._clock)
            streams = {0: nothing.fileno(), 1: output.fileno(), 2: output.fileno()}
            with _blocked_interrupts():
                self._processes.spawnProcess(program, command[0], command, env=_environment(), childFDs=streams)
        self._programs.append(program)

    async def while_running(self, work: Coroutine[Deferred[Any], Any, _T]) -> _T:
        """Do the work, and cancel it if a program exits.

        :raises ProgramExited: if one exits.
        """
        working = ensureDeferred(work)
        for program in self._programs:
            program.exited.addCallback(lambda _: working.cancel())
        try:
            return await working
        except CancelledError:
            self._check()
            raise
        except Unreachable:
            await deferLater(self._clock, EXIT_DELAY)
            self._check()
            raise

    def _check(self) -> None:
        exited = [program for program in self._programs if program.status is not None]
        if exited:
            raise ProgramExited("\n".join(program.early_exit() for program in exited))

    def stop(self) -> Deferred[None]:
        """Stop all programs, the last one first, so that devices can sign off; fires when all have exited."""
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        for program in reversed(self._programs):
            await program.stop()


@contextmanager
def _blocked_interrupts() -> Iterator[None]:
    """Block SIGINT; processes that are started meanwhile inherit the signal mask, and never get SIGINT."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextmanager
def foreground() -> Iterator[None]:
    """Take this process out of the process group of ``make``, but keep it in the foreground of the terminal.

    Ctrl-C then reaches the demo only; ``make`` would end with an error because of it. Does nothing if the process is
    not in the foreground, or was started by a shell, which gives each program a group of its own.
    """
    group = os.getpgrp()
    if group == os.getpid() or not os.isatty(0) or os.tcgetpgrp(0) != group:
        yield
        return
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # else a process that is in the background is stopped by tcsetpgrp
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # Ctrl-Z would not stop make, and the shell would not come back
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpgrp())
    try:
        yield
    finally:
        with suppress(OSError):
            os.tcsetpgrp(0, group)


def twistd() -> str:
    """The ``twistd`` beside the Python that runs this, whatever is on the path."""
    return str(Path(sys.executable).with_name("twistd"))


def _environment() -> dict[str, str]:
    """The environment of the programs: the same ``pushd``, installed or not, and no options of another server."""
    root = str(Path(__file__).parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PUSHD_")}
    return inherited | {"PYTHONPATH": os.pathsep.join(paths)}
