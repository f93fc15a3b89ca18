"""Tests of webhooks over real sockets: a server process, and a receiver that fails as often as it works."""

import random
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.integration.calls import HOST
from tests.integration.conftest import MakeServer
from tests.integration.server import Server, until
from tests.integration.test_tls import make_certificate

pytestmark = pytest.mark.slow

ALLOWED = "--webhook-allow=127.0.0.0/8"
DEVICES = 12


class Receiver(ThreadingHTTPServer):
    """Takes messages that the reference library verifies, and writes down which it has thanked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((HOST, 0), _Request)
        self.secret = ""
        self.taken: list[int] = []
        self.refused = 0
        self.fails = random.Random(7)
        self.often = 0.5
        self.scheme = "http"

    @property
    def url(self) -> str:
        """Where it is, by a name that must be resolved."""
        return f"{self.scheme}://localhost:{self.server_port}/hook"

    def encrypt(self, file: Path) -> None:
        """Speak TLS, with the certificate and key in a file."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.scheme = "https"

    def handle_error(self, *_: Any) -> None:
        """Who hangs up is no error."""

    @property
    def in_order(self) -> bool:
        """Whether each event came for the first time after all before it had."""
        firsts = list(dict.fromkeys(self.taken))
        return firsts == sorted(firsts)


class _Request(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        message = Webhook(self.server.secret).verify(body, dict(self.headers.items()))
        if self.server.fails.random() < self.server.often:
            self.server.refused += 1
            self.send_response(503)
        else:
            self.server.taken.append(int(message["data"]["seq"]))
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.send_header("Retry-After", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that fails half of the time."""
    receiver = Receiver()
    thread = Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield receiver
    receiver.shutdown()
    receiver.server_close()
    thread.join()


def subscribe(server: Server, receiver: Receiver, **fields: Any) -> str:
    """Have the receiver told of devices that are registered; the webhook's path."""
    body = {"url": receiver.url, "types": ["device.registered"], **fields}
    answer = server.admin.ask("POST /v1/webhooks", body)
    assert answer.code == 201, answer.body
    receiver.secret = answer.json["secret"]
    return f"/v1/webhooks/{answer.json['id']}"


def register(server: Server, first: int, count: int = DEVICES) -> list[int]:
    """Register devices; the events that tell of it."""
    for number in range(first, first + count):
        assert server.admin.ask("POST /v1/devices", {"id": f"controlid:{number}"}).code == 201
    return registered(server)


def registered(server: Server) -> list[int]:
    """The events that the receiver is to be told of."""
    events = server.admin.ask("GET /v1/events?type=device.registered&limit=500").json["items"]
    return [int(event["seq"]) for event in events]


def nudge(server: Server, webhook: str) -> None:
    """Have what failed tried again now, not in five seconds."""
    assert server.admin.ask(f"POST {webhook}/redeliver").code == 200


def test_a_receiver_that_fails_half_of_the_time(make_server: MakeServer, receiver: Receiver) -> None:
    """Everything arrives, in order, and the log tells of each attempt."""
    server = make_server(ALLOWED).start()
    webhook = subscribe(server, receiver)
    expected = register(server, 1)

    def arrived() -> bool:
        nudge(server, webhook)
        return len(set(receiver.taken)) == DEVICES

    until(arrived, "all events")
    assert receiver.in_order
    assert sorted(set(receiver.taken)) == expected
    assert receiver.refused
    statuses = {entry["status"] for entry in server.admin.ask(f"GET {webhook}/deliveries").json["items"]}
    assert statuses == {200, 503}


@pytest.mark.parametrize("parallel", [1, 4])
def test_a_server_that_is_killed_amid_deliveries(make_server: MakeServer, receiver: Receiver, parallel: int) -> None:
    """A server that is killed again and again loses no event, and keeps the order unless it need not."""
    server = make_server(ALLOWED).start()
    webhook = subscribe(server, receiver, parallel=parallel)
    for run in range(3):
        register(server, 1 + run * DEVICES)

        def begun(before: int = len(receiver.taken)) -> bool:
            nudge(server, webhook)
            return len(receiver.taken) > before

        until(begun, "an event")
        server.kill()
        server.start()
    receiver.often = 0.0
    nudge(server, webhook)
    until(lambda: set(receiver.taken) == set(registered(server)), "all events")
    assert len(set(receiver.taken)) == 3 * DEVICES
    assert parallel > 1 or receiver.in_order


def test_what_is_not_allowed_is_not_reached(make_server: MakeServer, receiver: Receiver) -> None:
    """Without --webhook-allow, nothing on this machine is sent to, though a name leads there."""
    server = make_server().start()
    webhook = subscribe(server, receiver)
    register(server, 1, 1)
    log = until(lambda: server.admin.ask(f"GET {webhook}/deliveries").json["items"], "an attempt")
    assert "not a public address" in log[0]["error"]
    assert (receiver.taken, receiver.refused) == ([], 0)
    refused = server.admin.ask("POST /v1/webhooks", {"url": f"http://{HOST}:{receiver.server_port}/"})
    assert refused.code == 422


@pytest.mark.parametrize(
    ("name", "trusted", "error"),
    [("localhost", True, None), ("other.example", True, "match"), ("localhost", False, "verify failed")],
)
def test_tls_is_verified(
    make_server: MakeServer,
    receiver: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    trusted: bool,
    error: str | None,
) -> None:
    """A receiver behind TLS is sent to if its certificate is one for its name that the system trusts."""
    file = make_certificate(tmp_path, name)
    receiver.encrypt(file)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    server = make_server(ALLOWED).start()
    webhook = subscribe(server, receiver)
    receiver.often = 0.0
    register(server, 1, 1)
    [entry] = until(lambda: server.admin.ask(f"GET {webhook}/deliveries").json["items"], "an attempt")
    assert entry["status"] == (200 if error is None else None), entry
    assert error is None or error in entry["error"]
    assert len(receiver.taken) == (1 if error is None else 0)


def test_a_server_stops_though_a_receiver_is_silent(make_server: MakeServer) -> None:
    """A receiver that takes a message and says nothing does not keep the server from ending."""
    from socket import create_server

    with create_server((HOST, 0)) as silent:
        server = make_server(ALLOWED).start()
        body = {"url": f"http://{HOST}:{silent.getsockname()[1]}/"}
        assert server.admin.ask("POST /v1/webhooks", body).code == 201
        register(server, 1, 1)
        taken, _ = silent.accept()
        with taken:
            assert taken.recv(4) == b"POST"
            assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()
