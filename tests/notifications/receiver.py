"""A receiver of webhooks in memory, and a server that sends to it by a clock."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import define, field, frozen
from standardwebhooks import Webhook
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from pushd.notifications.webhooks.dispatcher import WebhookDispatcher
from pushd.wiring import build_dispatcher
from tests.in_memory_server import InMemoryServer, now

URL = "https://receiver.example/hook?key=1"

HOLD = 0
"""As an answer: none."""

TURNS = 20
"""Turns of the reactor in which whatever needs no time has happened."""


@frozen(kw_only=True)
class Message:
    """What the receiver was sent."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The same on each attempt."""
        return self.headers["webhook-id"]

    @property
    def type(self) -> str:
        """What happened."""
        found: str = json.loads(self.body)["type"]
        return found

    @property
    def event(self) -> dict[str, Any]:
        """The event as the feed shows it."""
        found: dict[str, Any] = json.loads(self.body)["data"]
        return found

    def signed_by(self, secret: str) -> bool:
        """Whether a signature is the one that the reference library makes."""
        moment = datetime.fromtimestamp(int(self.headers["webhook-timestamp"]), UTC)
        expected = Webhook(secret).sign(self.id, moment, self.body.decode())
        return expected in self.headers["webhook-signature"].split(" ")


class Receiver(Resource):
    """Records what it is sent, and answers as ``answer`` says: a status, and headers if they are wanted."""

    isLeaf = True  # noqa: N815 - Twisted's name

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []
        self.answer: Callable[[Message], int] = lambda _: 204
        self.headers: dict[str, str] = {}
        self.body = b""
        self.held: list[Request] = []

    @property
    def types(self) -> list[str]:
        """What it was told of, in order."""
        return [message.type for message in self.messages]

    @property
    def ids(self) -> list[str]:
        """The same, by the ids of messages."""
        return [message.id for message in self.messages]

    def render(self, request: Request) -> bytes | int:
        """Take a message."""
        assert request.method == b"POST"
        headers = {
            name.decode().lower(): values[0].decode() for name, values in request.requestHeaders.getAllRawHeaders()
        }
        assert request.content is not None
        message = Message(path=request.uri.decode(), headers=headers, body=request.content.read())
        self.messages.append(message)
        status = self.answer(message)
        if status == HOLD:
            self.held.append(request)
            request.notifyFinish().addErrback(lambda _: None)
            return NOT_DONE_YET
        request.setResponseCode(status)
        for name, value in self.headers.items():
            request.setHeader(name, value)
        return b"" if status == 204 else self.body

    def release(self, status: int = 204) -> None:
        """Answer all that was held."""
        held, self.held = self.held, []
        for request in held:
            request.setResponseCode(status)
            request.finish()


@define(eq=False)
class Post:
    """A house whose webhooks go to a receiver."""

    server: InMemoryServer
    receiver: Receiver = field(factory=Receiver)
    dispatcher: WebhookDispatcher = field(init=False)
    _agent: RequestTraversalAgent = field(init=False)
    _devices: Iterator[int] = field(factory=lambda: iter(range(1, 10_000)), init=False)

    def __attrs_post_init__(self) -> None:
        self._agent = RequestTraversalAgent(self.receiver)
        self.dispatcher = build_dispatcher(self.server.core, self._agent, lambda: 0.5)
        self.dispatcher.startService()

    def subscribe(self, **fields: Any) -> dict[str, Any]:
        """A new webhook, with its secret; it has looked for the first time."""
        answer = self.server.ask("POST /v1/webhooks", {"url": URL, **fields})
        assert answer.code == 201, answer.body
        self.run(1)
        found: dict[str, Any] = answer.json
        return found

    def seen(self, webhook: Mapping[str, Any]) -> dict[str, Any]:
        """A webhook as an operator sees it."""
        found: dict[str, Any] = self.server.ask(f"GET /v1/webhooks/{webhook['id']}").json
        return found

    def log(self, webhook: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Its delivery log, oldest first."""
        found: list[dict[str, Any]] = self.server.ask(f"GET /v1/webhooks/{webhook['id']}/deliveries?limit=500").json[
            "items"
        ]
        return found[::-1]

    def redeliver(self, webhook: Mapping[str, Any], **body: Any) -> None:
        """Begin again."""
        assert self.server.ask(f"POST /v1/webhooks/{webhook['id']}/redeliver", body).code == 200

    def coming(self) -> str:
        """The id of the message about what happens next."""
        return f"evt_{now(self.server.store.last_event()) + 1}"

    def happen(self, count: int = 1, **fields: Any) -> list[str]:
        """Let devices be registered; the ids of the messages that tell of it."""
        before = now(self.server.store.last_event())
        for _ in range(count):
            self.server.register(f"controlid:{next(self._devices)}", **fields)
        return [f"evt_{before + number}" for number in range(1, count + 1)]

    def turn(self) -> None:
        """Let all happen that needs no time."""
        for _ in range(TURNS):
            self.server.clock.advance(0)
            self._agent.flush()

    def run(self, seconds: float = 0.5) -> None:
        """Let time pass, from one thing that is due to the next."""
        clock = self.server.clock
        until = clock.seconds() + seconds
        self.turn()
        while (due := min((call.getTime() for call in clock.getDelayedCalls()), default=until + 1)) <= until:
            clock.advance(max(due - clock.seconds(), 0))
            self.turn()
        clock.advance(max(until - clock.seconds(), 0))

    def stop(self, seconds: float = 0.0) -> None:
        """Stop sending; whatever is on its way has so long to arrive."""
        stopped: Deferred[Any] = self.dispatcher.stopService()
        self.run(seconds)
        now(stopped)
