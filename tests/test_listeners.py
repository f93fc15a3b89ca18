"""Tests of :mod:`pushd.listeners`."""

import socket
from errno import EADDRINUSE
from typing import Any, cast

import pytest
from twisted.internet.error import CannotListenError
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.tcp import Port, Server
from twisted.internet.testing import MemoryReactorClock

from pushd.config import ConfigError
from pushd.listeners import listener

CROWD = 300
"""More than Twisted's own port accepts in its first turn."""


class BusyReactor(MemoryReactorClock):
    """A reactor on whose machine ports cannot be had, for one reason or another."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def listenTCP(self, *args: Any, **kwargs: Any) -> Any:
        """Fail."""
        raise self._error


IN_USE = CannotListenError("10.0.0.1", 80, OSError(EADDRINUSE, "Address already in use"))


def test_listens_once() -> None:
    """A port is opened while the program still may open it, and only once."""
    reactor = MemoryReactorClock()
    service = listener("devices", "tcp:80:interface=10.0.0.1", Factory(), reactor)
    assert reactor.tcpServers == []
    service.privilegedStartService()
    service.startService()
    ((port, _, _, interface),) = reactor.tcpServers
    assert (port, interface, service.running) == (80, "10.0.0.1", True)


def test_listens_without_privileges() -> None:
    """A program that never was privileged opens the port when it starts."""
    reactor = MemoryReactorClock()
    listener("devices", "tcp:8080", Factory(), reactor).startService()
    assert len(reactor.tcpServers) == 1


async def test_a_crowd_is_accepted_in_one_turn() -> None:
    """Devices that come back all at once are taken out of the system's queue before it overflows."""
    from twisted.internet import reactor

    factory = Factory.forProtocol(Protocol)
    service = listener("devices", "tcp:0:interface=127.0.0.1", factory, reactor)
    service.startService()
    readers = cast(PosixReactorBase, reactor).getReaders
    (port,) = [one for one in readers() if isinstance(one, Port) and one.factory is factory]
    crowd = [socket.create_connection(("127.0.0.1", port.getHost().port)) for _ in range(CROWD)]
    port.doRead()
    served = [one for one in readers() if isinstance(one, Server) and one.server is port]
    for one in served:
        one.abortConnection()
    for client in crowd:
        client.close()
    await service.stopService()
    assert len(served) == CROWD


@pytest.mark.parametrize("start", ["privilegedStartService", "startService"])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (IN_USE, "Couldn't listen on 10.0.0.1:80: Address already in use"),
        (CannotListenError("", 80, OSError("no reason")), "Couldn't listen on any:80: no reason"),
        (OverflowError("port must be 0-65535."), "Couldn't listen: port must be 0-65535"),
        (PermissionError(13, "Permission denied"), "Couldn't listen: Permission denied"),
    ],
)
def test_port_that_cannot_be_had(error: Exception, words: str, start: str) -> None:
    """Option, endpoint and reason are in one line."""
    service = listener("devices", "tcp:80", Factory(), BusyReactor(error))
    with pytest.raises(ConfigError) as refused:
        getattr(service, start)()
    assert str(refused.value) == f"{words} (--devices tcp:80)."


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("smoke", "Unknown endpoint type: 'smoke'"),
        ("tcp:http", "invalid literal for int()"),
        ("tcp:80:colour=red", "colour"),
        ("tcp", "port"),
        ("ssl:443:privateKey=/nowhere/key.pem", "/nowhere/key.pem: No such file or directory"),
        ("ssl:443:privateKey=/dev/null", "routines"),
        ("systemd:domain=INET:index=0", "out of range"),
    ],
)
def test_text_that_is_no_endpoint(endpoint: str, words: str) -> None:
    """What cannot be understood as an endpoint is refused before anything is opened."""
    with pytest.raises(ConfigError) as refused:
        listener("admin", endpoint, Factory(), MemoryReactorClock())
    line = str(refused.value)
    assert line.startswith(f"--admin: {endpoint} is no endpoint such as tcp:8080")
    assert words in line
    assert "\n" not in line
