"""The process: how it ends, and how many files it may open."""

import gc
import resource
import signal
import sys
from contextlib import suppress
from typing import Any, NoReturn

from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger

_log = Logger()

FULL_LOOKS = 1000
"""Garbage collections of what is young until one of everything; Python's own choice is a hundredth of that."""

SWITCH_SECONDS = 0.0005
"""For how long a thread may keep Python's lock while another waits for it; Python's own choice is ten times that."""


class CannotStart(SystemExit, Exception):
    """Ends the program with exit code 1.

    An ``Exception`` too: only of those does twistd tell the parent of a daemon, and remove its pidfile.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.code = 1


def exit_with_error(reason: str) -> NoReturn:
    """End the program because it cannot start: one line for whoever started it, and the same for the log.

    :raises CannotStart: always.
    """
    if sys.__stderr__ is not None:  # twistd has made sys.stderr a part of the log
        sys.__stderr__.write(f"pushd: {reason}\n")
    _log.error("{reason}", reason=reason)
    raise CannotStart(reason)


def install_signal_handlers(reactor: Any) -> None:
    """Have SIGTERM and SIGINT end the program with exit code 0, once all is finished.

    Left alone, twistd would finish and then end by the signal itself, as if it had been killed.
    """

    def stop() -> None:
        with suppress(ReactorNotRunning):  # somebody is impatient, and signals again
            reactor.stop()

    def signalled(number: int, _frame: object) -> None:
        _log.info("Received {signal}, shutting down", signal=signal.Signals(number).name)
        reactor.callFromThread(stop)

    def replace() -> None:
        for number, twisteds in ((signal.SIGTERM, reactor.sigTerm), (signal.SIGINT, reactor.sigInt)):
            if signal.getsignal(number) == twisteds:  # and not a debugger's, or ignored
                signal.signal(number, signalled)

    reactor.callWhenRunning(replace)


def set_switch_interval() -> None:
    """Let the reactor's thread have Python's lock back soon when the one that writes has it: all others wait for
    it.
    """
    sys.setswitchinterval(SWITCH_SECONDS)


def tune_gc() -> None:
    """What was made by now stays: spare the garbage collector from looking at all of it again and again.

    Nor is it to look at all held polls whenever a quarter of them is new, which takes a tenth of a second for ten
    thousand: what a request leaves is found while it is young.
    """
    gc.collect()
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, FULL_LOOKS)


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one, where the system allows it; what it is now."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
