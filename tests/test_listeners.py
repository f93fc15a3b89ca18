"""Tests of :mod:`pushd.listeners`."""

import socket
from errno import EADDRINUSE, EAFNOSUPPORT
from typing import Any, cast

import pytest
from twisted.internet.error import CannotListenError
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.tcp import Port, Server
from twisted.internet.testing import MemoryReactorClock

from pushd import listeners
from pushd.config import ConfigError
from pushd.listeners import BACKLOG, listener

CROWD = 300
"""More connections than Twisted's own backlog of 50 holds."""


class BusyReactor(MemoryReactorClock):
    """A reactor that cannot open ports, for the given reason."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def listenTCP(self, *args: Any, **kwargs: Any) -> Any:
        """Fail."""
        raise self._error


IN_USE = CannotListenError("10.0.0.1", 80, OSError(EADDRINUSE, "Address already in use"))


def test_listens_once() -> None:
    """A port is opened while the process still has its privileges, and only once."""
    reactor = MemoryReactorClock()
    service = listener("--devices", "tcp:80:interface=10.0.0.1", Factory(), reactor)
    assert reactor.tcpServers == []
    service.privilegedStartService()
    service.startService()
    ((port, _, _, interface),) = reactor.tcpServers
    assert (port, interface, service.running) == (80, "10.0.0.1", True)


def test_listens_without_privileges() -> None:
    """A process without privileges opens the port when it starts."""
    reactor = MemoryReactorClock()
    listener("--devices", "tcp:8080", Factory(), reactor).startService()
    assert len(reactor.tcpServers) == 1


@pytest.mark.parametrize(
    ("endpoint", "backlog"),
    [("tcp:8080", BACKLOG), ("tcp:8080:interface=10.0.0.1", BACKLOG), ("tcp:8080:backlog=7", 7)],
)
def test_backlog(endpoint: str, backlog: int) -> None:
    """A port has a backlog for a whole fleet, unless the operator gives another."""
    reactor = MemoryReactorClock()
    listener("--devices", endpoint, Factory(), reactor).startService()
    assert [given for _, _, given, _ in reactor.tcpServers] == [backlog]


@pytest.mark.parametrize("endpoint", ["tcp:0", "haproxy:tcp:0"])
async def test_all_addresses_are_served(endpoint: str) -> None:
    """Without an interface a port takes devices over IPv4 and over IPv6."""
    from twisted.internet import reactor

    readers = cast(PosixReactorBase, reactor).getReaders
    before = readers()
    service = listener("--devices", endpoint, Factory.forProtocol(Protocol), reactor)
    service.startService()
    (port,) = [reader for reader in readers() if isinstance(reader, Port) and reader not in before]
    for host in ("127.0.0.1", "::1"):
        socket.create_connection((host, port.getHost().port), timeout=5).close()
    await service.stopService()


@pytest.mark.parametrize("system", ["without IPv6", "with IPv6 apart"])
def test_a_system_whose_sockets_do_not_serve_both(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a socket of IPv6 does not exist, or would not serve IPv4, a port serves IPv4."""

    class Probe(socket.socket):
        def __init__(self, *arguments: int) -> None:
            if system == "without IPv6":
                raise OSError(EAFNOSUPPORT, "Address family not supported by protocol")
            super().__init__(*arguments)

        def getsockopt(self, *_: Any) -> Any:
            return 1

    monkeypatch.setattr(listeners, "socket", Probe)
    reactor = MemoryReactorClock()
    listener("--devices", "tcp:8080", Factory(), reactor).startService()
    assert [interface for _, _, _, interface in reactor.tcpServers] == [""]


async def test_reconnect_storm_is_accepted() -> None:
    """Devices that connect all at once, while the server is busy, are all accepted: the backlog holds them."""
    from twisted.internet import reactor

    factory = Factory.forProtocol(Protocol)
    service = listener("--devices", "tcp:0:interface=127.0.0.1", factory, reactor)
    service.startService()
    readers = cast(PosixReactorBase, reactor).getReaders
    (port,) = [reader for reader in readers() if isinstance(reader, Port) and reader.factory is factory]
    address = ("127.0.0.1", port.getHost().port)
    clients = [socket.create_connection(address, timeout=0.5) for _ in range(CROWD)]  # the reactor does not turn
    accepted: list[Server] = []
    while len(accepted) < CROWD:
        port.doRead()
        before, accepted = accepted, [end for end in readers() if isinstance(end, Server) and end.server is port]
        assert len(accepted) > len(before)
    for connection in accepted:
        connection.abortConnection()
    for client in clients:
        client.close()
    await service.stopService()


@pytest.mark.parametrize("start", ["privilegedStartService", "startService"])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (IN_USE, "Couldn't listen on 10.0.0.1:80: Address already in use"),
        (CannotListenError("", 80, OSError("no reason")), "Couldn't listen on any:80: no reason"),
        (OverflowError("port must be 0-65535."), "Couldn't listen: port must be 0-65535"),
        (PermissionError(13, "Permission denied"), "Couldn't listen: Permission denied"),
    ],
)
def test_port_that_cannot_be_opened(error: Exception, reason: str, start: str) -> None:
    """The error names the option, the endpoint and the reason in one line."""
    service = listener("--devices", "tcp:80", Factory(), BusyReactor(error))
    with pytest.raises(ConfigError) as refused:
        getattr(service, start)()
    assert str(refused.value) == f"{reason} (--devices tcp:80)."


@pytest.mark.parametrize(
    ("endpoint", "reason"),
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
def test_invalid_endpoint(endpoint: str, reason: str) -> None:
    """An invalid endpoint is refused in one line, before anything is opened."""
    with pytest.raises(ConfigError) as refused:
        listener("--admin", endpoint, Factory(), MemoryReactorClock())
    line = str(refused.value)
    assert line.startswith(f"--admin: {endpoint} is not a valid endpoint such as tcp:8080")
    assert reason in line
    assert "\n" not in line
