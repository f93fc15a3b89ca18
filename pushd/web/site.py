"""
The site: Twisted's HTTP server with our bodies, and without what we do not use.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.web import http
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from pushd.web.bodies import Body, Budget

Limit = Callable[[bytes, bytes], int]
"""How many bytes of a body to keep, by the request's method and URI."""

_NOTHING = Body(limit=0, budget=Budget(limit=0))
"""The body of a request whose headers have not all arrived."""


class HouseRequest(Request):
    """
    A request whose body is a :class:`Body`, bounded while it arrives.
    """

    body: Body = _NOTHING
    owner: str | None = None
    """The device whose secret path was used, on the device port."""

    def gotLength(self, _length: int | None) -> None:
        """
        The headers are here: choose how much of the body to keep.

        Twisted tells a request its method and path only once the whole body is here; the channel knows them now.
        """
        channel = self.channel
        self.body = self.site_of(channel).body(channel._command, channel._path)
        super().gotLength(0)  # Twisted's own content stays empty

    def handleContentChunk(self, data: bytes) -> None:
        """
        A piece of the body is here.
        """
        self.body.feed(data)

    def process(self) -> None:
        """
        All of it is here. Whoever answers, no cache may keep it: a cached poll would run a command twice.
        """
        self.responseHeaders.setRawHeaders(b"cache-control", [b"no-store"])
        super().process()

    def getRequestHostname(self) -> bytes:
        """
        A name that Klein can make URLs of: we make none, and some that clients call us by are none.
        """
        return b"localhost"

    def connectionLost(self, reason: Any) -> None:
        """
        The client is gone.
        """
        super().connectionLost(reason)
        self.body.release()

    def finish(self) -> None:
        """
        The answer is complete.
        """
        if self.site_of(self.channel).closing:
            self.channel.persistent = False
        super().finish()
        self.body.release()

    @staticmethod
    def site_of(channel: Any) -> "HouseSite":
        """
        The site that a channel belongs to.
        """
        site: HouseSite = channel.site
        return site


class HouseSite(Site):
    """
    A site with one budget for all bodies; no access log, and no form parsing.
    """

    closing = False
    """Whether connections end with the answer that they wait for: clients would ask again at once."""

    def __init__(self, resource: IResource, limit: Limit, budget: Budget, clock: IReactorTime) -> None:
        super().__init__(resource, requestFactory=HouseRequest, parsePOSTFormSubmission=False, reactor=clock)
        self._limit = limit
        self._budget = budget

    def body(self, method: bytes, uri: bytes) -> Body:
        """
        An empty body for a request whose headers are here.
        """
        return Body(self._limit(method, uri), self._budget)

    def acceptableProtocols(self) -> list[bytes]:
        """
        HTTP/1.1 alone, also where a library for HTTP/2 happens to be installed: no device speaks it, and its
        requests do not know their path before their body is here.
        """
        return [b"http/1.1"]

    def log(self, request: http.Request) -> None:
        """
        Write no access log: the feed tells what happened, and paths may hold secrets.
        """
