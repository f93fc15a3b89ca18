"""HTTP clients of simulated devices: one for each, with connections of its own."""

from collections.abc import Mapping
from typing import Any, NoReturn

from attrs import field, frozen
from hyperlink import DecodedURL
from treq.client import HTTPClient
from twisted.internet.abstract import isIPAddress
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IReactorTime, IStreamClientEndpoint
from twisted.internet.task import deferLater
from twisted.web.client import URI, Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS, IResponse
from zope.interface import implementer

from pushd.lib.http_client import (
    CANCELLED,
    CONNECTION_LOST,
    NEVER_SENT,
    BoundedConnectionPool,
    cause_of,
    close,
    describe,
    read_body,
)

_JSON = Headers({"Content-Type": ["application/json"]})

_KEEP_ALIVE = 30
"""Seconds that an idle connection is kept for the next request: less than servers keep it."""

_MAX_CONNECTIONS = 4
"""Connections that one device keeps: for its poll, and for acks and results at the same time."""


class RequestFailed(Exception):
    """A request was not answered with 200 in time; the message says why."""


@frozen(kw_only=True)
class ReadFaults:
    """Faults while a response is read: reading begins ``delay`` seconds late, or ``cut`` closes the connection."""

    delay: float = 0.0
    cut: bool = False


NO_READ_FAULTS = ReadFaults()


@frozen(kw_only=True)
class DeviceClient:
    """Sends the requests of one device to the server at ``root``."""

    treq: HTTPClient
    clock: IReactorTime
    root: DecodedURL
    pool: HTTPConnectionPool | None = None
    """The idle connections of the device."""

    def disconnect(self) -> Deferred[None]:
        """Close idle connections; fires when they are closed. Requests in progress are for their callers to cancel."""
        return succeed(None) if self.pool is None else self.pool.closeCachedConnections()

    async def get(
        self, *path: str, query: Mapping[str, str], timeout: float, faults: ReadFaults = NO_READ_FAULTS
    ) -> bytes:
        """The body of the response, if its status is 200; ``timeout`` is in seconds.

        :raises RequestFailed: for any other status, a timeout, a lost connection, or a fault.
        """
        return await self._request("GET", path, query, None, timeout, faults)

    async def post(
        self,
        *path: str,
        query: Mapping[str, str],
        timeout: float,
        body: bytes = b"",
        faults: ReadFaults = NO_READ_FAULTS,
    ) -> bytes:
        """The body of the response to a POST request, whose ``body`` is JSON or empty.

        :raises RequestFailed: for any other status, a timeout, a lost connection, or a fault.
        """
        return await self._request("POST", path, query, body, timeout, faults)

    async def _request(
        self,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, str],
        body: bytes | None,
        timeout: float,
        faults: ReadFaults,
    ) -> bytes:
        url = self.root.child(*path).replace(query=tuple(query.items()))
        response = Deferred.fromCoroutine(self._exchange(method, url, body, faults))
        response.addTimeout(timeout, self.clock, onTimeoutCancel=_time_out)
        try:
            return await response
        except (*CANCELLED, *NEVER_SENT, *CONNECTION_LOST) as error:
            if isinstance(cause_of(error), CANCELLED):
                raise CancelledError from error
            raise RequestFailed(describe(error)) from error

    async def _exchange(self, method: str, url: DecodedURL, body: bytes | None, faults: ReadFaults) -> bytes:
        response = await self.treq.request(
            method, url, data=body, headers=_JSON if body else None, allow_redirects=False, unbuffered=True
        )
        if faults.cut:
            close(response)
            raise RequestFailed("the simulated device closed the connection (fault)")
        if faults.delay:
            await self._delay_reading(response, faults.delay)
        content = await read_body(response)
        if response.code != 200:
            raise RequestFailed(f"HTTP {response.code}")
        return content

    async def _delay_reading(self, response: IResponse, seconds: float) -> None:
        try:
            await deferLater(self.clock, seconds)
        except CancelledError:
            close(response)
            raise


def _time_out(_outcome: object, timeout: float) -> NoReturn:
    raise RequestFailed(f"no response within {timeout:g} s")


@frozen
class DeviceClientFactory:
    """Creates a client for each device; ``reactor`` must also be able to connect."""

    reactor: Any
    _tls: IPolicyForHTTPS = field(factory=BrowserLikePolicyForHTTPS, init=False)

    def create(self, root: DecodedURL, source: str | None) -> DeviceClient:
        """A client of the server at ``root``, which connects from the address ``source``; None leaves it to the OS."""
        pool = BoundedConnectionPool(self.reactor)
        pool.maxPersistentPerHost = _MAX_CONNECTIONS
        pool.cachedConnectionTimeout = _KEEP_ALIVE
        agent = Agent.usingEndpointFactory(self.reactor, _EndpointFactory(self.reactor, self._tls, source), pool)
        return DeviceClient(treq=HTTPClient(agent), clock=self.reactor, root=root, pool=pool)


@implementer(IAgentEndpointFactory)
@frozen
class _EndpointFactory:
    """Endpoints that connect from the address ``source``."""

    reactor: Any
    tls: IPolicyForHTTPS
    source: str | None

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        endpoint = _QuietEndpoint(self._endpoint(uri.host.decode("ascii"), uri.port))
        if uri.scheme == b"https":
            return wrapClientTLS(self.tls.creatorForNetloc(uri.host, uri.port), endpoint)
        return endpoint

    def _endpoint(self, host: str, port: int) -> IStreamClientEndpoint:
        if isIPAddress(host):  # without the resolver, which needs a thread for each of many connections
            return TCP4ClientEndpoint(self.reactor, host, port, bindAddress=self.source and (self.source, 0))
        return HostnameEndpoint(self.reactor, host, port)


@implementer(IStreamClientEndpoint)
@frozen
class _QuietEndpoint:
    """Connects without a log line for each connection."""

    endpoint: IStreamClientEndpoint

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803  # Twisted's name
        vars(protocolFactory)["noisy"] = False
        return self.endpoint.connect(protocolFactory)
