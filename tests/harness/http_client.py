"""An HTTP client that connects to addresses of this machine without a resolver."""

from typing import Any

from attrs import define
from treq.client import HTTPClient
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.web.client import URI, Agent, HTTPConnectionPool
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

_CONNECT_TIMEOUT = 3


@implementer(IAgentEndpointFactory)
@define(eq=False)
class _AddressEndpoints:
    """Connects to the address in the URL; a resolver would use a thread for each of many connections."""

    reactor: Any

    def endpointForURI(self, uri: URI) -> TCP4ClientEndpoint:
        return TCP4ClientEndpoint(self.reactor, uri.host.decode("ascii"), uri.port, timeout=_CONNECT_TIMEOUT)


def http_client(reactor: Any, pool: HTTPConnectionPool) -> HTTPClient:
    """A client that keeps its persistent connections in ``pool``."""
    return HTTPClient(Agent.usingEndpointFactory(reactor, _AddressEndpoints(reactor), pool))
