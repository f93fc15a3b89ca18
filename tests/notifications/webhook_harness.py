"""A webhook receiver in memory, and a server that delivers to it under a simulated clock."""

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
from tests.in_memory_server import InMemoryServer
from tests.results import result_of

URL = "https://receiver.example/hook?key=1"

NO_RESPONSE = 0
"""Instead of a status: the request stays pending."""

TURNS = 20
"""Turns of the reactor after which everything that needs no time has happened."""


@frozen(kw_only=True)
class Message:
    """A message that the receiver got."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The message's id, the same on each attempt."""
        return self.headers["webhook-id"]

    @property
    def type(self) -> str:
        """The event's type."""
        found: str = json.loads(self.body)["type"]
        return found

    @property
    def event(self) -> dict[str, Any]:
        """The event as the admin API shows it."""
        found: dict[str, Any] = json.loads(self.body)["data"]
        return found

    def signed_by(self, secret: str) -> bool:
        """Whether a signature is the one that the reference library makes with this secret."""
        moment = datetime.fromtimestamp(int(self.headers["webhook-timestamp"]), UTC)
        expected = Webhook(secret).sign(self.id, moment, self.body.decode())
        return expected in self.headers["webhook-signature"].split(" ")


class Receiver(Resource):
    """Keeps the messages that it gets; answers with the status from ``answer``, ``headers`` and ``body``."""

    isLeaf = True  # noqa: N815 - Twisted's name

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []
        self.answer: Callable[[Message], int] = lambda _: 204
        self.headers: dict[str, str] = {}
        self.body = b""
        self.pending: list[Request] = []

    @property
    def types(self) -> list[str]:
        """The types of the events that it got, in order."""
        return [message.type for message in self.messages]

    @property
    def ids(self) -> list[str]:
        """The ids of the messages that it got, in order."""
        return [message.id for message in self.messages]

    def render(self, request: Request) -> bytes | int:
        """Handle a request."""
        assert request.method == b"POST"
        headers = {
            name.decode().lower(): values[0].decode() for name, values in request.requestHeaders.getAllRawHeaders()
        }
        assert request.content is not None
        message = Message(path=request.uri.decode(), headers=headers, body=request.content.read())
        self.messages.append(message)
        status = self.answer(message)
        if status == NO_RESPONSE:
            self.pending.append(request)
            request.notifyFinish().addErrback(lambda _: None)
            return NOT_DONE_YET
        request.setResponseCode(status)
        for name, value in self.headers.items():
            request.setHeader(name, value)
        return b"" if status == 204 else self.body

    def respond(self, status: int = 204) -> None:
        """Answer all pending requests."""
        pending, self.pending = self.pending, []
        for request in pending:
            request.setResponseCode(status)
            request.finish()


@define(eq=False)
class WebhookHarness:
    """A server that delivers webhooks to a receiver."""

    server: InMemoryServer
    receiver: Receiver = field(factory=Receiver)
    dispatcher: WebhookDispatcher = field(init=False)
    _agent: RequestTraversalAgent = field(init=False)
    _devices: Iterator[int] = field(factory=lambda: iter(range(1, 10_000)), init=False)

    def __attrs_post_init__(self) -> None:
        self._agent = RequestTraversalAgent(self.receiver)
        self.dispatcher = build_dispatcher(self.server.core, self.server.config, self._agent, lambda: 0.5)
        self.dispatcher.startService()

    def subscribe(self, **fields: Any) -> dict[str, Any]:
        """Create a webhook, and let its worker start; returns it with its secret."""
        answer = self.server.ask("POST /v1/webhooks", {"url": URL, **fields})
        assert answer.code == 201, answer.body
        self.run(1)
        found: dict[str, Any] = answer.json
        return found

    def get(self, webhook: Mapping[str, Any]) -> dict[str, Any]:
        """A webhook as the admin API shows it."""
        found: dict[str, Any] = self.server.ask(f"GET /v1/webhooks/{webhook['id']}").json
        return found

    def deliveries(self, webhook: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A webhook's delivery log, oldest entry first."""
        found: list[dict[str, Any]] = self.server.ask(f"GET /v1/webhooks/{webhook['id']}/deliveries?limit=500").json[
            "items"
        ]
        return found[::-1]

    def redeliver(self, webhook: Mapping[str, Any], **body: Any) -> None:
        """Redeliver events."""
        assert self.server.ask(f"POST /v1/webhooks/{webhook['id']}/redeliver", body).code == 200

    def next_message_id(self) -> str:
        """The id of the message about the next event."""
        return self._message_id(result_of(self.server.store.last_event()) + 1)

    def register_devices(self, count: int = 1, **fields: Any) -> list[str]:
        """Register devices, which is one event each; returns the ids of the messages about them."""
        before = result_of(self.server.store.last_event())
        for _ in range(count):
            self.server.register(f"controlid:{next(self._devices)}", **fields)
        return [self._message_id(before + number) for number in range(1, count + 1)]

    def _message_id(self, number: int) -> str:
        return f"evt_{self.server.core.epochs.event_id(number)}"

    def run_ready(self) -> None:
        """Run everything that needs no time."""
        for _ in range(TURNS):
            self.server.clock.advance(0)
            self._agent.flush()

    def run(self, seconds: float = 0.5) -> None:
        """Advance the clock, from one delayed call to the next."""
        clock = self.server.clock
        until = clock.seconds() + seconds
        self.run_ready()
        while (due := min((call.getTime() for call in clock.getDelayedCalls()), default=until + 1)) <= until:
            clock.advance(max(due - clock.seconds(), 0))
            self.run_ready()
        clock.advance(max(until - clock.seconds(), 0))

    def stop(self, seconds: float = 0.0) -> None:
        """Stop the dispatcher, and advance the clock."""
        stopped: Deferred[Any] = self.dispatcher.stopService()
        self.run(seconds)
        result_of(stopped)
