"""The server in the tests of the simulator: it says nothing until a test says what, and speaks no codec of ours."""

from typing import cast

from attrs import define, field
from hyperlink import DecodedURL
from treq.client import HTTPClient
from treq.testing import StubTreq
from twisted.internet.task import Clock
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from pushd.simulator.http import Line


@define(eq=False)
class Asked:
    """One request of a simulated device, held until the test answers it."""

    method: str
    path: str
    args: dict[str, str]
    body: bytes
    content_type: str | None
    request: Request
    flush: "Flush"
    _gone: bool = False

    def hung_up(self) -> bool:
        """Whether the device did."""
        return self._gone

    def lose(self) -> None:
        """Close the connection on the device."""
        self.request.loseConnection()
        self.flush()

    def answer(self, body: bytes = b"", code: int = 200) -> None:
        """Let the device have its answer."""
        self.request.setResponseCode(code)
        self.request.write(body)
        self.request.finish()
        self.flush()

    def begin(self, part: bytes) -> None:
        """Let the device have the beginning of an answer."""
        self.request.write(part)
        self.flush()


class Flush:
    """Moves what was written to where it is read."""

    def __init__(self) -> None:
        self.treq: StubTreq | None = None

    def __call__(self) -> None:
        """Move it."""
        assert self.treq is not None
        self.treq.flush()


class Door(Resource):
    """Where every request of a device goes."""

    isLeaf = True  # noqa: N815  # Twisted's name

    def __init__(self, flush: Flush) -> None:
        super().__init__()
        self.held: list[Asked] = []
        self._flush = flush

    def render(self, request: Request) -> int:
        """Hold it."""
        asked = Asked(
            method=request.method.decode(),
            path=request.path.decode(),
            args={name.decode(): values[0].decode() for name, values in request.args.items()},
            body=_body(request),
            content_type=request.getHeader("content-type"),
            request=request,
            flush=self._flush,
        )
        request.notifyFinish().addErrback(lambda _: setattr(asked, "_gone", True))
        self.held.append(asked)
        return NOT_DONE_YET


def _body(request: Request) -> bytes:
    assert request.content is not None
    return bytes(request.content.read())


@define(eq=False)
class Counterpart:
    """A clock, a server without a network, and lines to it."""

    clock: Clock
    door: Door = field(factory=lambda: Door(Flush()))
    treq: HTTPClient = field(init=False)

    def __attrs_post_init__(self) -> None:
        stub = StubTreq(self.door)
        self.door._flush.treq = stub
        self.treq = cast(HTTPClient, stub)

    def line(self, url: str = "http://pushd.example:8080") -> Line:
        """A device's line to this server."""
        return Line(treq=self.treq, clock=self.clock, root=DecodedURL.from_text(url))

    def advance(self, seconds: float) -> None:
        """Let time pass, and whatever it causes happen."""
        self.clock.advance(seconds)
        self.door._flush()

    def take(self, method: str, path: str) -> Asked:
        """The oldest request that waits for an answer, which must be this one."""
        self.door._flush()
        waiting = [asked for asked in self.door.held if not asked.hung_up() and not asked.request.finished]
        found = [asked for asked in waiting if (asked.method, asked.path) == (method, path)]
        assert found, f"no {method} {path} among {[(asked.method, asked.path) for asked in waiting]}"
        self.door.held.remove(found[0])
        return found[0]

    def waiting(self) -> list[str]:
        """What is asked and not taken, as ``METHOD path``."""
        self.door._flush()
        return [f"{asked.method} {asked.path}" for asked in self.door.held if not asked.hung_up()]
