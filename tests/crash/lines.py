"""Lines to the server: connections to this machine, straight."""

from typing import Any

from attrs import define
from treq.client import HTTPClient
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.web.client import URI, Agent, HTTPConnectionPool
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

_CONNECT_WITHIN = 3


@implementer(IAgentEndpointFactory)
@define(eq=False)
class _Straight:
    """Connects to an address without asking a resolver in a thread, which this many connections would feel."""

    reactor: Any

    def endpointForURI(self, uri: URI) -> TCP4ClientEndpoint:
        return TCP4ClientEndpoint(self.reactor, uri.host.decode("ascii"), uri.port, timeout=_CONNECT_WITHIN)


def lines(reactor: Any, pool: HTTPConnectionPool) -> HTTPClient:
    """A client whose kept connections are in ``pool``."""
    return HTTPClient(Agent.usingEndpointFactory(reactor, _Straight(reactor), pool))
