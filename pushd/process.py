"""The process: exit codes, signals, open files, and tuning of the interpreter."""

import gc
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger

import twisted
from pushd import __version__
from pushd.lib.twisted_patches import CannotStart, signal_handlers

_log = Logger()

YOUNG_OBJECTS = 3000
"""Objects that are made until the young generation is collected; Python's default is 700."""

FULL_COLLECTION_THRESHOLD = 250
"""Garbage collections of the middle generation until a full one; Python's default is 10."""

SWITCH_SECONDS = 0.0005
"""How long a thread may keep the GIL while another one waits for it; Python's default is ten times as much."""


def exit_with_error(reason: str) -> NoReturn:
    """End the program because it cannot start: write one line to standard error and the same to the log.

    :raises CannotStart: always.
    """
    if sys.__stderr__ is not None:  # sys.stderr goes to the log under twistd
        sys.__stderr__.write(f"pushd: {reason}\n")
    _log.error("{reason}", reason=reason)
    raise CannotStart(reason)


def print_version() -> NoReturn:
    """Print the versions of pushd and Twisted, and end the program with exit code 0."""
    sys.stdout.write(f"pushd {__version__}, Twisted {twisted.__version__}\n")
    sys.exit(0)


def install_signal_handlers(reactor: Any) -> None:
    """Make SIGTERM and SIGINT stop the reactor, so that the program ends with exit code 0.

    By default twistd also stops the reactor, but then kills its own process with the same signal.
    """

    def stop() -> None:
        with suppress(ReactorNotRunning):  # a second signal during the shutdown
            reactor.stop()

    def signalled(number: int, _frame: object) -> None:
        _log.info("Received {signal}, shutting down", signal=signal.Signals(number).name)
        reactor.callFromThread(stop)

    def replace() -> None:
        for number, handler in signal_handlers(reactor).items():
            if signal.getsignal(number) == handler:  # not a debugger's handler, and not ignored
                signal.signal(number, signalled)

    reactor.callWhenRunning(replace)


def set_switch_interval() -> None:
    """Shorten the time that the reactor's thread waits for the GIL while the thread that commits holds it."""
    sys.setswitchinterval(SWITCH_SECONDS)


@contextmanager
def no_gc() -> Iterator[None]:
    """Collect no garbage while very many objects are made that stay: it would visit them again and again."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # else the next collection would visit all of them
        gc.enable()


def tune_gc() -> None:
    """Make pauses for garbage collection rare.

    The objects that exist at the start are never collected, so the collector need not visit them. A full collection
    visits all held polls, a tenth of a second for ten thousand of them; it is rare because the garbage of a request is
    found in the younger generations.
    """
    gc.collect()
    gc.freeze()
    _, middle, _ = gc.get_threshold()
    gc.set_threshold(YOUNG_OBJECTS, middle, FULL_COLLECTION_THRESHOLD)


def hard_file_limit() -> int:
    """The limit of open files to which a start raises the one in force."""
    return _files(resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard limit, if the system allows it; return the limit in force."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return _files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _files(limit: int) -> int:
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit
