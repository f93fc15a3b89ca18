"""``python -m tests.cluster.forwarder PORT POSTGRES_PORT DEVICE``: the network between one node and PostgreSQL.

It is cut while this process is stopped: neither end notices. After SIGUSR1 it stops itself when PostgreSQL has
committed the next claim for the device, and before the node knows of it.
"""

import os
import signal
import sys
from typing import Any

from twisted.internet import reactor as twisted_reactor
from twisted.protocols import portforward

from pushd.demo.layout import HOST

_COMMITTED = b"COMMIT\x00"
"""In PostgreSQL's answer to a COMMIT."""

_CLAIMED = b"command.sent"
"""The type of the event that a claim writes."""


class _ToPostgres(portforward.ProxyClient):
    """The connection to PostgreSQL; ``peer`` is that of the node."""

    def dataReceived(self, data: bytes) -> None:
        session: Any = self.peer
        if session.claims and _COMMITTED in data:
            session.claims = session.factory.is_armed = False
            os.kill(os.getpid(), signal.SIGSTOP)
        super().dataReceived(data)


class _Connector(portforward.ProxyClientFactory):
    protocol = _ToPostgres
    noisy = False


class _Session(portforward.ProxyServer):
    """The connection of the node; ``peer`` is the one to PostgreSQL."""

    clientProtocolFactory = _Connector  # noqa: N815  # Twisted's name
    factory: Any
    claims = False
    """Whether the awaited claim was written, and its commit not answered yet."""

    def dataReceived(self, data: bytes) -> None:
        self.claims |= self.factory.is_armed and _CLAIMED in data and self.factory.device in data
        super().dataReceived(data)


class _Sessions(portforward.ProxyFactory):
    protocol = _Session
    noisy = False
    is_armed = False

    def __init__(self, postgres_port: int, device: bytes) -> None:
        super().__init__(HOST, postgres_port)
        self.device = device

    def arm(self, *_signal: object) -> None:
        """Stop at the next claim."""
        self.is_armed = True


def main(port: str, postgres_port: str, device: str) -> None:
    """Forward connections until the process is killed."""
    reactor: Any = twisted_reactor
    sessions = _Sessions(int(postgres_port), device.encode())
    signal.signal(signal.SIGUSR1, sessions.arm)
    reactor.listenTCP(int(port), sessions, interface=HOST)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
