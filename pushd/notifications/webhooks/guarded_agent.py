"""SSRF guard: an HTTP agent that connects only to addresses that the egress policy allows.

A name is resolved once per connection, and each address is checked where it is connected to: DNS rebinding gains
nothing.
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
from twisted.web.client import URI, Agent, BrowserLikePolicyForHTTPS
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

from pushd.core.egress_policy import EgressPolicy
from pushd.lib.http_client import BoundedConnectionPool
from pushd.lib.webhook_sender import IDLE_SECONDS
from pushd.model.webhook import MAX_PARALLEL

CONNECT_SECONDS = 10.0
"""Seconds to connect to one address."""


@implementer(IReactorPluggableNameResolver, IReactorTime)
@define(eq=False)
class GuardedReactor:
    """What an endpoint needs of a reactor; refuses to connect to addresses that the egress policy does not allow."""

    reactor: Any
    egress_policy: EgressPolicy

    @property
    def nameResolver(self) -> IHostnameResolver:
        resolver: IHostnameResolver = self.reactor.nameResolver
        return resolver

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:  # noqa: ARG002
        """Not supported.

        :raises RuntimeError: always.
        """
        raise RuntimeError("install the name resolver on the reactor itself")

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: ClientFactory,
        timeout: float = 30,
        bindAddress: Any = None,  # noqa: N803
    ) -> IConnector:
        """Connect to an IP address; names are resolved already.

        :raises EgressRefused: if the egress policy does not allow the address.
        """
        self.egress_policy.check_address(host)
        connector: IConnector = self.reactor.connectTCP(host, port, factory, timeout, bindAddress)
        return connector

    def seconds(self) -> float:
        seconds: float = self.reactor.seconds()
        return seconds

    def callLater(self, delay: float, callable: Callable[..., Any], *args: object, **kwargs: object) -> IDelayedCall:  # noqa: A002
        call: IDelayedCall = self.reactor.callLater(delay, callable, *args, **kwargs)
        return call

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        calls: Sequence[IDelayedCall] = self.reactor.getDelayedCalls()
        return calls


@implementer(IAgentEndpointFactory)
@define(eq=False)
class GuardedEndpoints:
    """Guarded endpoints for URLs: TCP, or TLS with a certificate for the URL's host."""

    reactor: Any
    egress_policy: EgressPolicy
    tls_policy: IPolicyForHTTPS = field(factory=BrowserLikePolicyForHTTPS)

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        reactor = GuardedReactor(self.reactor, self.egress_policy)
        endpoint = HostnameEndpoint(reactor, uri.host.decode("ascii"), uri.port, CONNECT_SECONDS)
        if uri.scheme != b"https":
            return endpoint
        tls: IStreamClientEndpoint = wrapClientTLS(self.tls_policy.creatorForNetloc(uri.host, uri.port), endpoint)
        return tls


def build_agent(reactor: Any, egress_policy: EgressPolicy) -> IAgent:
    """An agent with pooled connections that reaches only addresses that the egress policy allows."""
    pool = BoundedConnectionPool(reactor)
    pool.maxPersistentPerHost = MAX_PARALLEL
    pool.cachedConnectionTimeout = IDLE_SECONDS  # type: ignore[assignment]  # it is any number of seconds
    agent: IAgent = Agent.usingEndpointFactory(reactor, GuardedEndpoints(reactor, egress_policy), pool)
    return agent
