"""The exchange: gives each device connections of its own, which it can close when it falls silent."""

from typing import Any

from attrs import field, frozen
from hyperlink import DecodedURL
from treq.client import HTTPClient
from twisted.internet.abstract import isIPAddress
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.web.client import URI, Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

from pushd.simulator.http import Line

_IDLE_CONNECTION = 30
"""Seconds for which a connection is kept for the next request: less than servers keep theirs."""

_KEPT = 4
"""Connections that one device keeps: for its poll, and for acks and results at the same time."""


@frozen
class Exchange:
    """Makes lines; ``reactor`` must also be able to connect."""

    reactor: Any
    _tls: IPolicyForHTTPS = field(factory=BrowserLikePolicyForHTTPS, init=False)

    def line(self, root: DecodedURL, source: str | None) -> Line:
        """A line to the server at ``root``, from the address ``source`` or, with None, from whichever the system
        takes.
        """
        pool = HTTPConnectionPool(self.reactor)
        pool.maxPersistentPerHost = _KEPT
        pool.cachedConnectionTimeout = _IDLE_CONNECTION
        agent = Agent.usingEndpointFactory(self.reactor, _Way(self.reactor, self._tls, source), pool)
        return Line(treq=HTTPClient(agent), clock=self.reactor, root=root, kept=pool)


@implementer(IAgentEndpointFactory)
@frozen
class _Way:
    reactor: Any
    tls: IPolicyForHTTPS
    source: str | None

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        endpoint = _Quiet(self._endpoint(uri.host.decode("ascii"), uri.port))
        if uri.scheme == b"https":
            return wrapClientTLS(self.tls.creatorForNetloc(uri.host, uri.port), endpoint)
        return endpoint

    def _endpoint(self, host: str, port: int) -> IStreamClientEndpoint:
        if isIPAddress(host):  # without a resolver, which takes a thread for each connection of a crowd
            return TCP4ClientEndpoint(self.reactor, host, port, bindAddress=self.source and (self.source, 0))
        return HostnameEndpoint(self.reactor, host, port)


@implementer(IStreamClientEndpoint)
@frozen
class _Quiet:
    """Connects without a line in the log for each connection."""

    endpoint: IStreamClientEndpoint

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803  # Twisted's name
        vars(protocolFactory)["noisy"] = False
        return self.endpoint.connect(protocolFactory)
