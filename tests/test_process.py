"""Tests of :mod:`pushd.process`."""

import resource
import signal
from collections.abc import Callable, Iterator

import pytest
from attrs import define, field
from twisted.internet.error import ReactorNotRunning
from twisted.logger import capturedLogs, formatEvent

from pushd.process import exit_with_error, install_signal_handlers, raise_file_limit


@define(eq=False)
class Reactor:
    """The part of a reactor that deals with signals."""

    stopped: bool = False
    _started: list[Callable[[], None]] = field(factory=list, init=False)

    def callWhenRunning(self, call: Callable[[], None]) -> None:
        """Keep the call for :meth:`run`."""
        self._started.append(call)

    def run(self) -> None:
        """Install the handlers of Twisted, then make the calls that were kept."""
        signal.signal(signal.SIGTERM, self.sigTerm)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self.sigInt)
        for call in self._started:
            call()

    def callFromThread(self, call: Callable[[], None]) -> None:
        """Call it now."""
        call()

    def stop(self) -> None:
        """Stop; a second time is an error, as in Twisted."""
        if self.stopped:
            raise ReactorNotRunning
        self.stopped = True

    def sigTerm(self, number: int, frame: object) -> None:
        """Twisted's own handler, after which twistd kills itself with the signal."""
        raise AssertionError("twistd would kill itself with the signal")

    sigInt = sigTerm  # noqa: N815 - Twisted's name


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    """A reactor that is about to run; the handlers of the test process are restored."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield Reactor()
    for number, was in before.items():
        signal.signal(number, was)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_the_reactor(reactor: Reactor, number: signal.Signals) -> None:
    """Either signal stops the reactor; further signals change nothing."""
    install_signal_handlers(reactor)
    reactor.run()
    signal.raise_signal(number)
    assert reactor.stopped
    signal.raise_signal(number)


def test_ignored_signal_stays_ignored(reactor: Reactor) -> None:
    """A program that was started in the background with SIGINT ignored continues to ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    install_signal_handlers(reactor)
    reactor.run()
    signal.raise_signal(signal.SIGINT)
    assert not reactor.stopped


def test_error_at_the_start_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    """A program that cannot start writes one line to standard error and to the log, and exits with 1."""
    with capturedLogs() as logged, pytest.raises(SystemExit) as ended:
        exit_with_error("The disk is full: {no field}.")
    assert ended.value.code == 1
    assert capfd.readouterr().err == "pushd: The disk is full: {no field}.\n"
    assert [formatEvent(event) for event in logged] == ["The disk is full: {no field}."]


def test_file_limit_is_raised() -> None:
    """The process may open as many files as the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard // 2, hard))
    try:
        assert raise_file_limit() == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_file_limit_that_cannot_be_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system refuses, the limit stays as it is."""

    def refuse(_which: int, _limits: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_file_limit() == soft
