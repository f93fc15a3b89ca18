"""Tests of the demo's other programs."""

import os
from pathlib import Path
from typing import Any, cast

import pytest
from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IReactorProcess
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from pushd.demo.processes import GRACE, HEARSAY, LAST_WORDS, Child, Died, Household
from pushd.pushctl.errors import Unreachable


@define(eq=False)
class _Transport:
    """A process that only notes the signals it gets."""

    signals: list[str] = field(factory=list)
    gone: bool = False

    def signalProcess(self, name: str) -> None:
        if self.gone:
            raise ProcessExitedAlready
        self.signals.append(name)


@define(eq=False)
class _Processes:
    """Notes what is started instead of starting it."""

    children: list[Child] = field(factory=list)
    commands: list[list[str]] = field(factory=list)
    environments: list[dict[str, str]] = field(factory=list)

    def spawnProcess(self, child: Child, executable: str, args: list[str], env: dict[str, str], **_: Any) -> None:
        child.transport = _Transport()  # type: ignore[assignment]
        self.children.append(child)
        self.commands.append(args)
        self.environments.append(env)


@pytest.fixture
def processes() -> _Processes:
    """Nothing is started yet."""
    return _Processes()


@pytest.fixture
def household(processes: _Processes, clock: Clock, tmp_path: Path) -> Household:
    """A household of two programs."""
    (tmp_path / "server.log").write_text("words of an earlier start\n")
    household = Household(cast(IReactorProcess, processes), clock)
    for name in ("server", "simulator"):
        household.start(name, tmp_path / f"{name}.log", ["pushd", "--admission=open"])
    return household


def _signals(processes: _Processes) -> list[list[str]]:
    return [child.transport.signals for child in processes.children]  # type: ignore[union-attr]


def _exit(child: Child, code: int | None = 0, signal: int | None = None) -> None:
    child.processEnded(Failure(ProcessTerminated(code, signal) if code or signal else ProcessDone(0)))


def test_programs_find_the_same_pushd(household: Household, processes: _Processes) -> None:
    """Each program is twistd beside our own Python, without a pid file to quarrel about, and finds our pushd."""
    command = processes.commands[0]
    assert Path(command[0]).name == "twistd"
    assert command[1:] == ["--nodaemon", "--pidfile=", "pushd", "--admission=open"]
    first = processes.environments[0]["PYTHONPATH"].split(os.pathsep)[0]
    assert (Path(first) / "pushd" / "demo" / "__main__.py").exists()


def test_programs_end_when_asked(household: Household, processes: _Processes) -> None:
    """The programs are asked to end one after the other, the devices before the server that they sign off from."""
    server, simulator = processes.children
    ended = household.end()
    assert _signals(processes) == [[], ["TERM"]]
    _exit(simulator)
    assert _signals(processes) == [["TERM"], ["TERM"]]
    assert not ended.called
    _exit(server)
    assert ended.called


def test_program_that_does_not_end_is_forced(household: Household, processes: _Processes, clock: Clock) -> None:
    """A program that does not end in time is killed, and only that one."""
    household.end()
    clock.advance(GRACE)
    _exit(processes.children[1], None, 9)
    _exit(processes.children[0])
    assert _signals(processes) == [["TERM"], ["TERM", "KILL"]]


def test_program_that_just_ended_is_left_alone(household: Household, processes: _Processes) -> None:
    """A program that has ended, whether we have heard of it or not, is no trouble."""
    server, simulator = processes.children
    simulator.transport.gone = True  # type: ignore[union-attr]
    _exit(server)
    ended = household.end()
    _exit(simulator)
    assert ended.called
    assert _signals(processes) == [[], []]


def test_work_is_done_while_all_programs_run(household: Household) -> None:
    """Work that is watched over comes to its result."""
    waiting: Deferred[str] = Deferred()
    done: list[str] = []

    async def work() -> str:
        return await waiting

    ensureDeferred(household.watch_over(work())).addCallback(done.append)
    waiting.callback("done")
    assert done == ["done"]


@pytest.mark.parametrize("lines", [2, 50])
@pytest.mark.parametrize(("code", "signal", "words"), [(1, None, "exit code 1"), (None, 9, "signal 9")])
def test_early_end_shows_the_last_words(
    household: Household, processes: _Processes, code: int | None, signal: int | None, words: str, lines: int
) -> None:
    """If a program ends early the work stops, and the end of its log says why."""
    waiting: Deferred[None] = Deferred()

    async def work() -> None:
        await waiting

    watched = ensureDeferred(household.watch_over(work()))
    server = processes.children[0]
    with server.log.open("a") as log:
        log.write("\n".join(f"line {number}" for number in range(lines)) + "\nport 8080 is taken\x1b[2J\n")
    _exit(server, code, signal)
    failures: list[Failure] = []
    watched.addErrback(failures.append)
    failures[0].trap(Died)
    message = failures[0].getErrorMessage()
    assert message.startswith(f"The server ended early, with {words}")
    assert message.endswith("port 8080 is taken\\x1b[2J")
    assert len(message.splitlines()) == 1 + min(lines + 1, LAST_WORDS)
    assert "earlier start" not in message


def test_lost_connection_is_explained_by_the_early_end(
    household: Household, processes: _Processes, clock: Clock
) -> None:
    """A connection that is lost because the server died is told as the server's death, though it is noticed first."""

    async def work() -> None:
        raise Unreachable("hung up")

    watched = ensureDeferred(household.watch_over(work()))
    _exit(processes.children[0], 1)
    clock.advance(HEARSAY)
    failures: list[Failure] = []
    watched.addErrback(failures.append)
    assert failures[0].check(Died) is Died


def test_lost_connection_alone_is_told_as_such(household: Household, clock: Clock) -> None:
    """A connection that is lost while all programs run is told as what it is."""

    async def work() -> None:
        raise Unreachable("hung up")

    watched = ensureDeferred(household.watch_over(work()))
    clock.advance(HEARSAY)
    failures: list[Failure] = []
    watched.addErrback(failures.append)
    assert failures[0].check(Unreachable) is Unreachable


def test_interrupt_is_no_early_end(household: Household) -> None:
    """Ctrl-C while all programs run is not blamed on any of them."""
    waiting: Deferred[None] = Deferred()

    async def work() -> None:
        await waiting

    watched = ensureDeferred(household.watch_over(work()))
    watched.cancel()
    failures: list[Failure] = []
    watched.addErrback(failures.append)
    assert failures[0].check(CancelledError) is CancelledError
