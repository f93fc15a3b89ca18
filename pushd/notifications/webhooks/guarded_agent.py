"""Connecting: endpoints that reach no address but those that webhooks may be sent to.

A name is resolved once, and each address is judged where it is connected to: no later answer of the DNS matters.
"""

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import (
    IConnector,
    IDelayedCall,
    IHostnameResolver,
    IReactorPluggableNameResolver,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import ClientFactory
from twisted.web.client import URI, BrowserLikePolicyForHTTPS
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

from pushd.core.egress_policy import EgressPolicy

CONNECT_SECONDS = 10.0
"""For one address."""


@implementer(IReactorPluggableNameResolver, IReactorTime)
@define(eq=False)
class GuardedReactor:
    """What an endpoint needs of a reactor, but for the addresses that ``targets`` refuses."""

    reactor: Any
    targets: EgressPolicy

    @property
    def nameResolver(self) -> IHostnameResolver:
        """The reactor's own."""
        resolver: IHostnameResolver = self.reactor.nameResolver
        return resolver

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:  # noqa: ARG002
        """Nobody may: names are looked up as everywhere else.

        :raises RuntimeError: always.
        """
        raise RuntimeError("the reactor's own resolver is the one to change")

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: ClientFactory,
        timeout: float = 30,
        bindAddress: Any = None,  # noqa: N803
    ) -> IConnector:
        """Connect to an address, which is no name any more.

        :raises TargetRefused: if it may not be.
        """
        self.targets.check_address(host)
        connector: IConnector = self.reactor.connectTCP(host, port, factory, timeout, bindAddress)
        return connector

    def seconds(self) -> float:
        """The reactor's own."""
        seconds: float = self.reactor.seconds()
        return seconds

    def callLater(self, delay: float, callable: Callable[..., Any], *args: object, **kwargs: object) -> IDelayedCall:  # noqa: A002
        """The reactor's own."""
        call: IDelayedCall = self.reactor.callLater(delay, callable, *args, **kwargs)
        return call

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        """The reactor's own."""
        calls: Sequence[IDelayedCall] = self.reactor.getDelayedCalls()
        return calls


@implementer(IAgentEndpointFactory)
@define(eq=False)
class GuardedEndpoints:
    """Endpoints for URLs: TCP, or TLS verified against the host's name."""

    reactor: Any
    targets: EgressPolicy
    policy: IPolicyForHTTPS = field(factory=BrowserLikePolicyForHTTPS)

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        reactor = GuardedReactor(self.reactor, self.targets)
        endpoint = HostnameEndpoint(reactor, uri.host.decode("ascii"), uri.port, CONNECT_SECONDS)
        if uri.scheme != b"https":
            return endpoint
        secured: IStreamClientEndpoint = wrapClientTLS(self.policy.creatorForNetloc(uri.host, uri.port), endpoint)
        return secured
