"""Tests of :mod:`pushd.notifications.webhooks.guarded_agent`."""

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
PUBLIC_V6 = "2606:2800:220:1:248:1893:25c8:1946"


@implementer(IHostnameResolver)
@define(eq=False)
class FakeResolver:
    """A resolver that gives the next of several answers each time."""

    answers: list[Sequence[str]]
    lookups: list[str] = field(factory=list)

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,  # noqa: N803 - Twisted's names
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        addressTypes: Any = None,  # noqa: N803
        transportSemantics: str = "TCP",  # noqa: N803
    ) -> IHostResolution:
        self.lookups.append(hostName)
        for host in self.answers.pop(0):
            kind = IPv6Address if ":" in host else IPv4Address
            resolutionReceiver.addressResolved(kind("TCP", host, portNumber))
        resolutionReceiver.resolutionComplete()
        found: IHostResolution = None  # type: ignore[assignment]  # it is not cancelled
        return found


@define(eq=False)
class EndpointHarness:
    """Guarded endpoints over a reactor that connects to nothing."""

    resolver: FakeResolver
    egress_policy: EgressPolicy = field(factory=EgressPolicy)
    reactor: Any = field(factory=MemoryReactorClock)

    def connect(self, url: bytes) -> list[Any]:
        """Connect to a URL's host; returns the errors."""
        self.reactor.installNameResolver(self.resolver)
        endpoint = GuardedEndpoints(self.reactor, self.egress_policy).endpointForURI(URI.fromBytes(url))
        outcome: list[Any] = []
        connecting: Deferred[Any] = endpoint.connect(Factory())
        connecting.addErrback(lambda failure: outcome.append(failure.value))
        self.reactor.pump([0.5] * 4)
        return outcome

    @property
    def connected(self) -> list[str]:
        """The addresses that the reactor was to connect to."""
        return [client[0] for client in self.reactor.tcpClients]


@pytest.mark.parametrize("scheme", [b"http", b"https"])
def test_public_addresses_are_connected_to(scheme: bytes) -> None:
    """A receiver on the Internet is reached at the addresses of its name."""
    harness = EndpointHarness(FakeResolver([[PUBLIC, PUBLIC_V6]]))
    assert harness.connect(scheme + b"://receiver.example/hook") == []
    assert harness.connected == [PUBLIC, PUBLIC_V6]
    assert harness.resolver.lookups == ["receiver.example"]


@pytest.mark.parametrize("scheme", [b"http", b"https"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "169.254.169.254", "fd00::1"])
def test_internal_addresses_are_refused(scheme: bytes, address: str) -> None:
    """A name that resolves to an internal address is not connected to."""
    harness = EndpointHarness(FakeResolver([[address]]))
    [error] = harness.connect(scheme + b"://receiver.example/hook")
    assert isinstance(error, EgressRefused)
    assert harness.connected == []


def test_each_address_is_checked() -> None:
    """Of a name with public and internal addresses, only the public ones are connected to."""
    harness = EndpointHarness(FakeResolver([["10.0.0.1", PUBLIC, "::1"]]))
    harness.connect(b"http://receiver.example/hook")
    assert harness.connected == [PUBLIC]


def test_dns_rebinding() -> None:
    """A name that resolves to a public address first, and to an internal one later, is refused the second time."""
    harness = EndpointHarness(FakeResolver([[PUBLIC], ["127.0.0.1"]]))
    assert harness.connect(b"http://receiver.example/hook") == []
    [error] = harness.connect(b"http://receiver.example/hook")
    assert isinstance(error, EgressRefused)
    assert harness.connected == [PUBLIC]
    assert len(harness.resolver.lookups) == 2  # once for each connection


def test_allowed_networks() -> None:
    """An address in a network that --webhook-allow names is connected to."""
    harness = EndpointHarness(FakeResolver([["127.0.0.1"]]), EgressPolicy((ip_network("127.0.0.0/8"),)))
    assert harness.connect(b"http://localhost:8000/") == []
    assert harness.connected == ["127.0.0.1"]
