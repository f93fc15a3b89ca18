"""Tests of starting and stopping the demo's programs."""

import os
import signal
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IReactorProcess
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from pushd.demo.processes import EXIT_DELAY, KILL_AFTER, LOG_LINES, Program, ProgramExited, ProgramGroup, twistd
from pushd.pushctl.errors import Unreachable


@define(eq=False)
class _Transport:
    """A process that records the signals it gets."""

    signals: list[str] = field(factory=list)
    gone: bool = False

    def signalProcess(self, name: str) -> None:
        if self.gone:
            raise ProcessExitedAlready
        self.signals.append(name)


@define(eq=False)
class _Processes:
    """Records the programs instead of starting them."""

    programs: list[Program] = field(factory=list)
    commands: list[list[str]] = field(factory=list)
    environments: list[dict[str, str]] = field(factory=list)
    masks: list[set[int]] = field(factory=list)

    def spawnProcess(self, program: Program, executable: str, args: list[str], env: dict[str, str], **_: Any) -> None:
        program.transport = _Transport()  # type: ignore[assignment]
        self.programs.append(program)
        self.commands.append(args)
        self.masks.append({*signal.pthread_sigmask(signal.SIG_BLOCK, ())})
        self.environments.append(env)


@pytest.fixture
def processes() -> _Processes:
    """No programs yet."""
    return _Processes()


@pytest.fixture
def programs(processes: _Processes, clock: Clock, tmp_path: Path) -> ProgramGroup:
    """A group of two programs."""
    (tmp_path / "server.log").write_text("output of an earlier start\n")
    programs = ProgramGroup(cast(IReactorProcess, processes), clock)
    for name in ("server", "simulator"):
        programs.start(name, tmp_path / f"{name}.log", ["pushd", "--admission=open"])
    return programs


def _signals(processes: _Processes) -> list[list[str]]:
    return [program.transport.signals for program in processes.programs]  # type: ignore[union-attr]


def _exit(program: Program, code: int | None = 0, signal: int | None = None) -> None:
    program.processEnded(Failure(ProcessTerminated(code, signal) if code or signal else ProcessDone(0)))


def test_command_line(programs: ProgramGroup, processes: _Processes) -> None:
    """Each program is the twistd beside this Python, without a pid file, and with the same pushd."""
    command = processes.commands[0]
    assert command == [twistd(), "--nodaemon", "--pidfile=", "pushd", "--admission=open"]
    assert Path(twistd()).parent == Path(sys.executable).parent
    first = processes.environments[0]["PYTHONPATH"].split(os.pathsep)[0]
    assert (Path(first) / "pushd" / "demo" / "__main__.py").exists()


def test_options_of_another_server_are_not_inherited(
    processes: _Processes, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo has a server of its own, whatever options the environment has for another one."""
    monkeypatch.setenv("PUSHD_STORE", "/var/lib/pushd/pushd.sqlite")
    programs = ProgramGroup(cast(IReactorProcess, processes), clock)
    programs.start("server", tmp_path / "server.log", ["pushd"])
    assert "PUSHD_STORE" not in processes.environments[-1]


def test_programs_do_not_see_ctrl_c(programs: ProgramGroup, processes: _Processes) -> None:
    """The programs inherit a signal mask that blocks SIGINT; the demo itself does not block it."""
    assert all(signal.SIGINT in mask for mask in processes.masks)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_programs_are_stopped_in_reverse_order(programs: ProgramGroup, processes: _Processes) -> None:
    """The devices are stopped before the server, so that they can sign off."""
    server, simulator = processes.programs
    ended = programs.stop()
    assert _signals(processes) == [[], ["TERM"]]
    _exit(simulator)
    assert _signals(processes) == [["TERM"], ["TERM"]]
    assert not ended.called
    _exit(server)
    assert ended.called


def test_program_that_does_not_exit_is_killed(programs: ProgramGroup, processes: _Processes, clock: Clock) -> None:
    """A program that does not exit in time gets SIGKILL."""
    programs.stop()
    clock.advance(KILL_AFTER)
    _exit(processes.programs[1], None, 9)
    _exit(processes.programs[0])
    assert _signals(processes) == [["TERM"], ["TERM", "KILL"]]


def test_program_that_has_exited_is_not_stopped(programs: ProgramGroup, processes: _Processes) -> None:
    """A program that has exited gets no signal, whether its exit was reported already or not."""
    server, simulator = processes.programs
    simulator.transport.gone = True  # type: ignore[union-attr]
    _exit(server)
    ended = programs.stop()
    _exit(simulator)
    assert ended.called
    assert _signals(processes) == [[], []]


def test_work_is_done_while_all_programs_run(programs: ProgramGroup) -> None:
    """The result of the work is returned."""
    waiting: Deferred[str] = Deferred()
    done: list[str] = []

    async def work() -> str:
        return await waiting

    ensureDeferred(programs.while_running(work())).addCallback(done.append)
    waiting.callback("done")
    assert done == ["done"]


@pytest.mark.parametrize("lines", [2, 50])
@pytest.mark.parametrize(("code", "signal", "status"), [(1, None, "exit code 1"), (None, 9, "signal 9")])
def test_early_exit_shows_the_end_of_the_log(
    programs: ProgramGroup, processes: _Processes, code: int | None, signal: int | None, status: str, lines: int
) -> None:
    """If a program exits early, the work is cancelled, and the error has its status and the end of its log."""
    waiting: Deferred[None] = Deferred()

    async def work() -> None:
        await waiting

    working = ensureDeferred(programs.while_running(work()))
    server = processes.programs[0]
    with server.log.open("a") as log:
        log.write("\n".join(f"line {number}" for number in range(lines)) + "\nport 8080 is taken\x1b[2J\n")
    _exit(server, code, signal)
    failures: list[Failure] = []
    working.addErrback(failures.append)
    failures[0].trap(ProgramExited)
    message = failures[0].getErrorMessage()
    assert message.startswith(f"The server exited early, with {status}")
    assert message.endswith("port 8080 is taken\\x1b[2J")
    assert len(message.splitlines()) == 1 + min(lines + 1, LOG_LINES)
    assert "earlier start" not in message


def test_exit_explains_a_lost_connection(programs: ProgramGroup, processes: _Processes, clock: Clock) -> None:
    """If a connection is lost because the server exited, the exit is reported, although it is noticed later."""

    async def work() -> None:
        raise Unreachable("connection closed")

    working = ensureDeferred(programs.while_running(work()))
    _exit(processes.programs[0], 1)
    clock.advance(EXIT_DELAY)
    failures: list[Failure] = []
    working.addErrback(failures.append)
    assert failures[0].check(ProgramExited) is ProgramExited


def test_lost_connection_while_programs_run(programs: ProgramGroup, clock: Clock) -> None:
    """If a connection is lost while all programs run, its own error is reported."""

    async def work() -> None:
        raise Unreachable("connection closed")

    working = ensureDeferred(programs.while_running(work()))
    clock.advance(EXIT_DELAY)
    failures: list[Failure] = []
    working.addErrback(failures.append)
    assert failures[0].check(Unreachable) is Unreachable


def test_interrupt_is_no_early_exit(programs: ProgramGroup) -> None:
    """Ctrl-C while all programs run is not reported as the exit of a program."""
    waiting: Deferred[None] = Deferred()

    async def work() -> None:
        await waiting

    working = ensureDeferred(programs.while_running(work()))
    working.cancel()
    failures: list[Failure] = []
    working.addErrback(failures.append)
    assert failures[0].check(CancelledError) is CancelledError
