"""A server in memory: it holds each request until the test answers it with bytes of its choice."""

from typing import cast

from attrs import define, field
from hyperlink import DecodedURL
from treq.client import HTTPClient
from treq.testing import StubTreq
from twisted.internet.task import Clock
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from pushd.simulator.http import DeviceClient


@define(eq=False)
class FakeRequest:
    """One request of a simulated device, held until the test answers it."""

    method: str
    path: str
    args: dict[str, str]
    body: bytes
    content_type: str | None
    request: Request
    flush: "Flush"
    _closed: bool = False

    def closed(self) -> bool:
        """Whether the device closed the connection."""
        return self._closed

    def drop(self) -> None:
        """Close the connection without a response."""
        self.request.loseConnection()
        self.flush()

    def answer(self, body: bytes = b"", code: int = 200) -> None:
        """Send the whole response."""
        self.request.setResponseCode(code)
        self.request.write(body)
        self.request.finish()
        self.flush()

    def begin(self, part: bytes) -> None:
        """Send the beginning of a response."""
        self.request.write(part)
        self.flush()


class Flush:
    """Delivers written bytes between the two ends of the connections."""

    def __init__(self) -> None:
        self.treq: StubTreq | None = None

    def __call__(self) -> None:
        """Deliver them."""
        assert self.treq is not None
        self.treq.flush()


class HoldingResource(Resource):
    """Holds every request."""

    isLeaf = True  # noqa: N815  # Twisted's name

    def __init__(self, flush: Flush) -> None:
        super().__init__()
        self.held: list[FakeRequest] = []
        self._flush = flush

    def render(self, request: Request) -> int:
        """Hold a request."""
        held = FakeRequest(
            method=request.method.decode(),
            path=request.path.decode(),
            args={name.decode(): values[0].decode() for name, values in request.args.items()},
            body=_body(request),
            content_type=request.getHeader("content-type"),
            request=request,
            flush=self._flush,
        )
        request.notifyFinish().addErrback(lambda _: setattr(held, "_closed", True))
        self.held.append(held)
        return NOT_DONE_YET


def _body(request: Request) -> bytes:
    assert request.content is not None
    return bytes(request.content.read())


@define(eq=False)
class FakeServer:
    """A clock, a server without a network, and clients of it."""

    clock: Clock
    resource: HoldingResource = field(factory=lambda: HoldingResource(Flush()))
    treq: HTTPClient = field(init=False)

    def __attrs_post_init__(self) -> None:
        stub = StubTreq(self.resource)
        self.resource._flush.treq = stub
        self.treq = cast(HTTPClient, stub)

    def client(self, url: str = "http://pushd.example:8080") -> DeviceClient:
        """A device's client of this server."""
        return DeviceClient(treq=self.treq, clock=self.clock, root=DecodedURL.from_text(url))

    def advance(self, seconds: float) -> None:
        """Advance the clock and deliver what is sent meanwhile."""
        self.clock.advance(seconds)
        self.resource._flush()

    def take(self, method: str, path: str) -> FakeRequest:
        """The oldest request with this method and path that waits for a response; there must be one."""
        waiting = self.unanswered()
        found = [request for request in waiting if (request.method, request.path) == (method, path)]
        assert found, f"no {method} {path} among {[(request.method, request.path) for request in waiting]}"
        self.resource.held.remove(found[0])
        return found[0]

    def waiting(self) -> list[str]:
        """The requests that were not taken, as ``METHOD path``."""
        self.resource._flush()
        return [f"{request.method} {request.path}" for request in self.resource.held if not request.closed()]

    def unanswered(self) -> list[FakeRequest]:
        """The requests that wait for a response, oldest first."""
        self.resource._flush()
        return [held for held in self.resource.held if not held.closed() and not held.request.finished]
