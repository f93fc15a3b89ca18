"""A fake server with prepared answers, and a runner of ``pushctl`` in this process."""

import json
from typing import Any, cast
from urllib.parse import unquote

from attrs import Factory, define, field, frozen
from click.testing import CliRunner, Result
from treq.client import HTTPClient
from treq.testing import StubTreq
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from pushd.pushctl.main import cli
from pushd.pushctl.session import Program

TOKEN = "the-secret-token"

COMMAND: dict[str, Any] = {
    "id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "device": "controlid:4408801109440198",
    "state": "queued",
    "payload": {"endpoint": "load_objects", "body": {"object": "users"}},
    "delivery": "at_most_once",
    "priority": 5,
    "ttl": 300.0,
    "not_before": None,
    "created_at": "2026-01-02T03:04:05.000Z",
    "expires_at": "2026-01-02T03:09:05.000Z",
    "attempts": 0,
    "sent_at": None,
    "finished_at": None,
    "result": None,
    "error": None,
    "late": False,
}
"""A command that was just accepted, as the server shows it."""

SENT = {**COMMAND, "state": "sent", "attempts": 1, "sent_at": "2026-01-02T03:04:05.012Z"}
SUCCEEDED = {**SENT, "state": "succeeded", "result": {"response": {"users": []}}}

DEVICE: dict[str, Any] = {
    "id": "controlid:4408801109440198",
    "dialect": "controlid",
    "name": "Front door",
    "site": "Lobby",
    "tags": ["lobby"],
    "facts": {"serial": "0M020?/0376C6", "model": "iDFlex"},
    "admission": "approved",
    "presence": "online",
    "last_seen_at": "1970-01-12T13:46:00.000Z",
    "polling": True,
    "poll_gap": 0.25,
    "proof": ["secret"],
    "queue": 2,
    "in_flight": 1,
}
"""A device as the server shows it; last seen forty seconds before the tests' clock begins."""


@frozen(kw_only=True)
class Answer:
    """A response, sent after ``takes`` seconds; a ``body`` of bytes is sent as it is, anything else as JSON."""

    body: Any = field(factory=dict)
    status: int = 200
    takes: float = 0.0
    cut: bool = False
    """Close the connection instead."""
    held: bool = False
    """Send the body, but do not end the response."""


@frozen(kw_only=True)
class Received:
    """A request as the server received it."""

    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


@define(eq=False)
class FakeServer:
    """Answers each call with the answers prepared for it, in order; the last one is repeated."""

    clock: Clock
    answers: dict[str, list[Answer]] = Factory(dict)
    received: list[tuple[str, Received]] = Factory(list)
    otherwise: Answer | None = None
    """The answer to all other calls; None: that none is prepared."""

    def on(self, call: str, *answers: Answer) -> None:
        """Prepare the answers to a call such as ``GET /v1/devices``."""
        self.answers[call] = list(answers)

    def calls(self, call: str) -> list[Received]:
        """The requests of a call."""
        return [request for name, request in self.received if name == call]

    def answer(self, request: Request) -> int:
        """Record the request, and answer it in time."""
        call = f"{request.method.decode()} {unquote(request.path.decode())}"
        self.received.append((call, _read(request)))
        unprepared = self.otherwise or Answer(status=404, body={"title": f"no answer prepared for {call}"})
        answers = self.answers.get(call) or [unprepared]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        later = self.clock.callLater(answer.takes, _write, request, answer)

        def forget(_: object) -> None:
            if later.active():
                later.cancel()

        request.notifyFinish().addErrback(forget)
        return NOT_DONE_YET

    def http(self) -> HTTPClient:
        """An HTTP client of this server."""
        return cast(HTTPClient, StubTreq(_Everything(self)))


class _Everything(Resource):
    isLeaf = True  # noqa: N815  # the name is Twisted's

    def __init__(self, server: FakeServer) -> None:
        super().__init__()
        self._server = server

    def render(self, request: Request) -> int:
        return self._server.answer(request)


def _read(request: Request) -> Received:
    content = request.content.read() if request.content else b""
    headers = request.requestHeaders.getAllRawHeaders()
    return Received(
        query={name.decode(): [value.decode() for value in values] for name, values in request.args.items()},
        headers={name.decode().lower(): values[0].decode() for name, values in headers},
        body=json.loads(content) if content else None,
    )


def _write(request: Request, answer: Answer) -> None:
    if answer.cut:
        request.loseConnection()
    else:
        request.setResponseCode(answer.status)
        if answer.status >= 400 and not isinstance(answer.body, bytes):
            request.setHeader("Content-Type", "application/problem+json")
        request.write(answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode())
        if not answer.held:
            request.finish()


@define(eq=False)
class Pushctl:
    """Calls ``pushctl``; the clock moves by itself until the call ends."""

    server: FakeServer
    clock: Clock
    interrupt_after: float = 3600.0
    """Seconds until Ctrl-C is pressed."""

    def __call__(self, *arguments: str, stdin: str | bytes | None = None) -> Result:
        """Call the program with these arguments."""
        return CliRunner().invoke(cli, ["--token", TOKEN, *arguments], obj=self.run, input=stdin)

    def without_token(self, *arguments: str, stdin: str | None = None) -> Result:
        """Call the program with these arguments, and no others."""
        return CliRunner().invoke(cli, arguments, obj=self.run, input=stdin)

    def run(self, program: Program) -> None:
        """Run the program to its end, and raise what it raises."""
        http = self.server.http()
        running = ensureDeferred(program(http, self.clock))
        interrupt = self.clock.callLater(self.interrupt_after, running.cancel)
        ended: list[Any] = []
        running.addBoth(ended.append)
        while not ended:
            self.clock.advance(0.25)
            http.flush()  # type: ignore[attr-defined]
        if interrupt.active():
            interrupt.cancel()
        ended[0].raiseException()
