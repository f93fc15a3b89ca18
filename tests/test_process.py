"""Tests of :mod:`pushd.process`."""

import resource
import signal
from collections.abc import Callable, Iterator

import pytest
from attrs import define, field
from twisted.internet.error import ReactorNotRunning
from twisted.logger import capturedLogs, formatEvent

from pushd.process import CannotStart, exit_with_error, install_signal_handlers, raise_file_limit


@define(eq=False)
class Reactor:
    """What of a reactor signals have to do with."""

    stopped: bool = False
    _started: list[Callable[[], None]] = field(factory=list, init=False)

    def callWhenRunning(self, call: Callable[[], None]) -> None:
        """Keep for the start."""
        self._started.append(call)

    def run(self) -> None:
        """Take the signals, then do what waits for that."""
        signal.signal(signal.SIGTERM, self.sigTerm)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self.sigInt)
        for call in self._started:
            call()

    def callFromThread(self, call: Callable[[], None]) -> None:
        """Call it."""
        call()

    def stop(self) -> None:
        """Stop; once."""
        if self.stopped:
            raise ReactorNotRunning
        self.stopped = True

    def sigTerm(self, number: int, frame: object) -> None:
        """Twisted's way: ends by the signal."""
        raise AssertionError("twistd would end by the signal")

    sigInt = sigTerm  # noqa: N815 - Twisted's name


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    """A reactor that is about to run, as far as signals go."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield Reactor()
    for number, was in before.items():
        signal.signal(number, was)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_the_reactor(reactor: Reactor, number: signal.Signals) -> None:
    """Either signal lets the program finish and end well; more of them change nothing."""
    install_signal_handlers(reactor)
    reactor.run()
    signal.raise_signal(number)
    assert reactor.stopped
    signal.raise_signal(number)


def test_ignored_signal_stays_ignored(reactor: Reactor) -> None:
    """A program that was started in the background with SIGINT ignored goes on ignoring it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    install_signal_handlers(reactor)
    reactor.run()
    signal.raise_signal(signal.SIGINT)
    assert not reactor.stopped


def test_end_says_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    """A program that cannot start says why in one line, to its terminal and to the log, and its exit code is 1."""
    with capturedLogs() as logged, pytest.raises(SystemExit) as ended:
        exit_with_error("The sun is down: {no field}.")
    assert ended.value.code == 1
    assert capfd.readouterr().err == "pushd: The sun is down: {no field}.\n"
    assert [formatEvent(event) for event in logged] == ["The sun is down: {no field}."]


def test_twistd_can_tell_a_daemons_parent() -> None:
    """Twistd reports only exceptions that are an Exception, and ends without a traceback only on a SystemExit."""
    reason = CannotStart("The sun is down.")
    assert isinstance(reason, Exception)
    assert isinstance(reason, SystemExit)
    assert str(reason) == "The sun is down."


def test_file_limit_is_raised() -> None:
    """As many files may be open as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard // 2, hard))
    try:
        assert raise_file_limit() == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_file_limit_that_cannot_be_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system does not let us, we live with what there is."""

    def refuse(_which: int, _limits: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_file_limit() == soft
