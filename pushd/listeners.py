"""Listening: an endpoint of the command line as a service, which says in one line why it cannot be had."""

from collections.abc import Callable
from typing import Any, cast

from attrs import define, frozen
from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import Service
from twisted.application.strports import service as strports_service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IProtocolFactory, IReactorCore
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.protocol import ServerFactory
from twisted.internet.tcp import Port

from pushd.config import ConfigError

BACKLOG = 16384
"""Connections that may wait, if the system allows so many: when we were away, a whole fleet comes back at once."""

ACCEPTS = 1500
"""Connections that are accepted in one turn of the reactor: the queue of the system must not overflow meanwhile."""

_KINDS = frozenset({"tcp", "tcp6", "ssl", "unix"})
"""Kinds of endpoints that can be told so."""


class EagerPort(Port):
    """A port that always accepts all who wait; Twisted's own begins with one in a turn after a quiet time, and takes
    some more in each.
    """

    @property
    def numberAccepts(self) -> int:
        """How many connections to accept in one turn of the reactor."""
        return ACCEPTS

    @numberAccepts.setter
    def numberAccepts(self, _number: int) -> None:
        pass


@frozen
class EagerReactor:
    """A reactor of sockets whose TCP ports are eager."""

    reactor: PosixReactorBase

    def __getattr__(self, name: str) -> Any:
        """It is the same otherwise."""
        return getattr(self.reactor, name)

    def listenTCP(self, port: int, factory: ServerFactory, backlog: int = BACKLOG, interface: str = "") -> EagerPort:
        eager = EagerPort(port, factory, backlog, interface, self.reactor)
        eager.startListening()
        return eager


@define(eq=False)
class Listener(Service):
    """Listens at one endpoint, which an option gave."""

    option: str
    endpoint: str
    _port: StreamServerEndpointService

    def privilegedStartService(self) -> None:
        """Listen, as long as ports below 1024 may be had; who connects waits for the reactor to turn.

        :raises ConfigError: if that port is not to be had.
        """
        super().privilegedStartService()
        self._listen(self._port.privilegedStartService)

    def startService(self) -> None:
        """Listen, unless that was done.

        :raises ConfigError: if that port is not to be had.
        """
        super().startService()
        self._listen(self._port.startService)

    def stopService(self) -> Deferred[None]:
        """Listen no more."""
        super().stopService()
        stopped: Deferred[None] = self._port.stopService()
        return stopped

    def _listen(self, start: Callable[[], None]) -> None:
        try:
            start()
        except CannotListenError as error:
            place = f"{error.interface or 'any'}:{error.port}"
            raise self._wrong(f"Couldn't listen on {place}: {_words(error.socketError)}") from error
        except (OSError, OverflowError) as error:
            raise self._wrong(f"Couldn't listen: {_words(error)}") from error

    def _wrong(self, why: str) -> ConfigError:
        return ConfigError(f"{why} (--{self.option} {self.endpoint}).")


def listener(option: str, endpoint: str, factory: IProtocolFactory, reactor: IReactorCore) -> Listener:
    """A service that listens; nothing is opened yet, but for a certificate.

    :raises ConfigError: if it is no endpoint.
    """
    eager = cast(IReactorCore, EagerReactor(reactor)) if isinstance(reactor, PosixReactorBase) else reactor
    try:
        return Listener(option, endpoint, strports_service(_roomy(endpoint), factory, eager))
    except OSError as error:
        raise _no_endpoint(option, endpoint, f"{error.filename}: {_words(error)}") from error
    except Exception as error:  # endpoints are plugins, each reads its arguments in its own way
        raise _no_endpoint(option, endpoint, _words(error)) from error


def _roomy(endpoint: str) -> str:
    """An endpoint whose backlog is ours, unless it says what it should be."""
    kind, _, rest = endpoint.partition(":")
    if kind not in _KINDS or "backlog=" in rest:
        return endpoint
    return f"{endpoint}:backlog={BACKLOG}"


def _no_endpoint(option: str, endpoint: str, why: str) -> ConfigError:
    return ConfigError(f"--{option}: {endpoint} is no endpoint such as tcp:8080, or not a whole one: {why}.")


def _words(error: Exception) -> str:
    words = error.strerror if isinstance(error, OSError) else None
    return words or str(error).rstrip(".")
