"""Tests of :mod:`pushd.notifications.webhooks.guarded_agent`: which addresses are connected to."""

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHostnameResolver, IHostResolution, IResolutionReceiver
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.web.client import URI
from zope.interface import implementer

from pushd.core.egress_policy import EgressPolicy, EgressRefused
from pushd.notifications.webhooks.guarded_agent import GuardedEndpoints

PUBLIC = "93.184.216.34"
ELSEWHERE = "2606:2800:220:1:248:1893:25c8:1946"


@implementer(IHostnameResolver)
@define(eq=False)
class Names:
    """A resolver that gives other addresses each time."""

    answers: list[Sequence[str]]
    asked: list[str] = field(factory=list)

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,  # noqa: N803 - Twisted's names
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        addressTypes: Any = None,  # noqa: N803
        transportSemantics: str = "TCP",  # noqa: N803
    ) -> IHostResolution:
        self.asked.append(hostName)
        for host in self.answers.pop(0):
            kind = IPv6Address if ":" in host else IPv4Address
            resolutionReceiver.addressResolved(kind("TCP", host, portNumber))
        resolutionReceiver.resolutionComplete()
        found: IHostResolution = None  # type: ignore[assignment]  # nobody cancels it
        return found


@define(eq=False)
class World:
    """A reactor that connects to nothing, and what is asked of it."""

    names: Names
    targets: EgressPolicy = field(factory=EgressPolicy)
    reactor: Any = field(factory=MemoryReactorClock)

    def connect(self, url: bytes) -> list[Any]:
        """Connect to where a URL leads; what went wrong, if anything did."""
        self.reactor.installNameResolver(self.names)
        endpoint = GuardedEndpoints(self.reactor, self.targets).endpointForURI(URI.fromBytes(url))
        outcome: list[Any] = []
        connecting: Deferred[Any] = endpoint.connect(Factory())
        connecting.addErrback(lambda failure: outcome.append(failure.value))
        self.reactor.pump([0.5] * 4)
        return outcome

    @property
    def connected(self) -> list[str]:
        """The addresses that connections were begun to."""
        return [client[0] for client in self.reactor.tcpClients]


@pytest.mark.parametrize("scheme", [b"http", b"https"])
def test_public_addresses_are_connected_to(scheme: bytes) -> None:
    """A receiver on the Internet is reached at the addresses of its name."""
    world = World(Names([[PUBLIC, ELSEWHERE]]))
    assert world.connect(scheme + b"://receiver.example/hook") == []
    assert world.connected == [PUBLIC, ELSEWHERE]
    assert world.names.asked == ["receiver.example"]


@pytest.mark.parametrize("scheme", [b"http", b"https"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "169.254.169.254", "fd00::1"])
def test_internal_addresses_are_not(scheme: bytes, address: str) -> None:
    """A name that leads to something internal is not connected to."""
    world = World(Names([[address]]))
    [error] = world.connect(scheme + b"://receiver.example/hook")
    assert isinstance(error, EgressRefused)
    assert world.connected == []


def test_each_address_is_judged() -> None:
    """Of a name with addresses of both kinds, only the public ones are connected to."""
    world = World(Names([["10.0.0.1", PUBLIC, "::1"]]))
    world.connect(b"http://receiver.example/hook")
    assert world.connected == [PUBLIC]


def test_a_name_cannot_be_bound_to_another_address_later() -> None:
    """A resolver that says something public first, and something internal the next time, gains nothing by it."""
    world = World(Names([[PUBLIC], ["127.0.0.1"]]))
    assert world.connect(b"http://receiver.example/hook") == []
    [error] = world.connect(b"http://receiver.example/hook")
    assert isinstance(error, EgressRefused)
    assert world.connected == [PUBLIC]
    assert len(world.names.asked) == 2  # once for each connection


def test_what_an_operator_allows() -> None:
    """A network that --webhook-allow names is connected to."""
    world = World(Names([["127.0.0.1"]]), EgressPolicy((ip_network("127.0.0.0/8"),)))
    assert world.connect(b"http://localhost:8000/") == []
    assert world.connected == ["127.0.0.1"]
