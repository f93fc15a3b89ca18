"""Looks up host names in threads of their own: a name server that does not answer delays nothing else.

Twisted's own resolver uses the reactor's thread pool, which does other work, too, and which the end of the process
waits for.
"""

from collections import deque
from collections.abc import Callable, Sequence
from socket import EAI_FAIL, gaierror, getaddrinfo
from threading import Lock, Thread
from typing import Any

from attrs import define, field
from twisted.internet._resolver import GAIResolver
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IHostResolution, IResolutionReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

MAX_THREADS = 8
"""Names that are looked up at the same time; others wait."""

OnResult = Callable[[bool, Any], object]
"""Called in a thread with whether a look-up has succeeded, and its result or failure."""


def install_resolver(reactor: Any, look_up: Callable[..., Any] = getaddrinfo) -> None:
    """Let a reactor look up names in threads of their own; ``look_up`` is called as ``getaddrinfo`` is."""
    threads = LookupThreads()
    reactor.installNameResolver(GAIResolver(reactor, lambda: threads, look_up))  # type: ignore[arg-type,return-value]


@define(eq=False)
class LookupThreads:
    """What :class:`GAIResolver` uses of a thread pool; requests for the same name share one look-up.

    The threads are daemons, so that the end of the process does not wait for them. This relies on GAIResolver passing
    the name and all else that a look-up depends on as arguments.
    """

    _lock: Lock = field(factory=Lock, init=False)
    _waiting: dict[tuple[Any, ...], list[OnResult]] = field(factory=dict, init=False)
    """What to call after each look-up that is queued or in progress, by its arguments."""
    _queue: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = field(factory=deque, init=False)
    _threads: int = field(default=0, init=False)

    def callInThreadWithCallback(self, on_result: OnResult, look_up: Callable[..., Any], *arguments: Any) -> None:
        """Call ``look_up`` in a thread, and ``on_result`` with what comes of it."""
        with self._lock:
            if arguments in self._waiting:
                self._waiting[arguments].append(on_result)
                return
            self._waiting[arguments] = [on_result]
            self._queue.append((look_up, arguments))
            if self._threads == MAX_THREADS:
                return
            self._threads += 1
        Thread(target=self._run, name="lookup", daemon=True).start()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._threads -= 1
                    return
                look_up, arguments = self._queue.popleft()
            result = _look_up(look_up, arguments)
            with self._lock:
                waiting = self._waiting.pop(arguments)
            for on_result in waiting:
                on_result(*result)


def _look_up(look_up: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    try:
        return True, look_up(*arguments)
    except gaierror:
        return False, Failure()
    except Exception as error:  # such as UnicodeError; GAIResolver expects nothing but gaierror
        return False, Failure(gaierror(EAI_FAIL, str(error)))


def resolve(reactor: Any, host: str, port: int) -> Deferred[Sequence[IAddress]]:
    """The addresses of a host, for TCP; none if there are none or they cannot be found."""
    receiver = _Receiver()
    reactor.nameResolver.resolveHostName(receiver, host, port)
    return receiver.done


@implementer(IResolutionReceiver)
@define(eq=False)
class _Receiver:
    """Collects the addresses of one look-up."""

    done: Deferred[Sequence[IAddress]] = field(factory=Deferred, init=False)
    _addresses: list[IAddress] = field(factory=list, init=False)

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:  # noqa: N803
        pass

    def addressResolved(self, address: IAddress) -> None:
        self._addresses.append(address)

    def resolutionComplete(self) -> None:
        if not self.done.called:  # it was cancelled meanwhile
            self.done.callback(self._addresses)
