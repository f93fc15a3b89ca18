"""Tests of webhooks from a server process to a receiver that fails half of the time."""

import random
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server
from threading import Thread
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.certificates import make_certificate
from tests.integration.calls import HOST
from tests.integration.conftest import MakeServer
from tests.integration.server import Server, until

pytestmark = pytest.mark.slow

ALLOWED = "--webhook-allow=127.0.0.0/8"
DEVICES = 12


class Receiver(ThreadingHTTPServer):
    """Verifies messages with the reference library, and accepts and records them or fails at random."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((HOST, 0), _Request)
        self.secret = ""
        self.accepted: list[int] = []
        self.refused = 0
        self.random = random.Random(7)
        self.failure_rate = 0.5
        self.scheme = "http"

    @property
    def url(self) -> str:
        """Its URL, with a host name that must be resolved."""
        return f"{self.scheme}://localhost:{self.server_port}/hook"

    def encrypt(self, file: Path) -> None:
        """Use TLS with the certificate and key in a file."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.scheme = "https"

    def handle_error(self, *_: Any) -> None:
        """Ignore clients that hang up."""

    @property
    def in_order(self) -> bool:
        """Whether the first deliveries of the events are in order."""
        firsts = list(dict.fromkeys(self.accepted))
        return firsts == sorted(firsts)


class _Request(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        message = Webhook(self.server.secret).verify(body, dict(self.headers.items()))
        if self.server.random.random() < self.server.failure_rate:
            self.server.refused += 1
            self.send_response(503)
        else:
            self.server.accepted.append(int(message["data"]["seq"].rpartition("-")[2]))
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
    """Subscribe the receiver to registrations of devices; the webhook's path."""
    body = {"url": receiver.url, "types": ["device.registered"], **fields}
    answer = server.admin.ask("POST /v1/webhooks", body)
    assert answer.code == 201, answer.body
    receiver.secret = answer.json["secret"]
    return f"/v1/webhooks/{answer.json['id']}"


def register(server: Server, first: int, count: int = DEVICES) -> list[int]:
    """Register devices; the ``seq`` of the events of all registrations."""
    for number in range(first, first + count):
        assert server.admin.ask("POST /v1/devices", {"id": f"controlid:{number}"}).code == 201
    return registered(server)


def registered(server: Server) -> list[int]:
    """The ``seq`` of the events that the receiver must accept."""
    events = server.admin.ask("GET /v1/events?type=device.registered&limit=500").json["items"]
    return [int(event["seq"].rpartition("-")[2]) for event in events]


def redeliver(server: Server, webhook: str) -> None:
    """Have failed deliveries retried now, instead of after five seconds."""
    assert server.admin.ask(f"POST {webhook}/redeliver").code == 200


def test_failing_receiver(make_server: MakeServer, receiver: Receiver) -> None:
    """A receiver that fails half of the time receives all events in order, and the delivery log has each attempt."""
    server = make_server(ALLOWED).start()
    webhook = subscribe(server, receiver)
    expected = register(server, 1)

    def arrived() -> bool:
        redeliver(server, webhook)
        return len(set(receiver.accepted)) == DEVICES

    until(arrived, "all events are accepted")
    assert receiver.in_order
    assert sorted(set(receiver.accepted)) == expected
    assert receiver.refused
    statuses = {entry["status"] for entry in server.admin.ask(f"GET {webhook}/deliveries").json["items"]}
    assert statuses == {200, 503}


@pytest.mark.parametrize("parallel", [1, 4])
def test_kills_during_deliveries(make_server: MakeServer, receiver: Receiver, parallel: int) -> None:
    """A server that is killed repeatedly loses no event, and keeps the order unless deliveries are parallel."""
    server = make_server(ALLOWED).start()
    webhook = subscribe(server, receiver, parallel=parallel)
    for run in range(3):
        register(server, 1 + run * DEVICES)

        def has_more(before: int = len(receiver.accepted)) -> bool:
            redeliver(server, webhook)
            return len(receiver.accepted) > before

        until(has_more, "an event is accepted")
        server.kill()
        server.start()
    receiver.failure_rate = 0.0
    redeliver(server, webhook)
    until(lambda: set(receiver.accepted) == set(registered(server)), "all events are accepted")
    assert len(set(receiver.accepted)) == 3 * DEVICES
    assert parallel > 1 or receiver.in_order


def test_private_network_is_not_reached(make_server: MakeServer, receiver: Receiver) -> None:
    """Without ``--webhook-allow``, the server sends nothing to this machine, even if a host name resolves to it."""
    server = make_server().start()
    webhook = subscribe(server, receiver)
    register(server, 1, 1)
    log = until(lambda: server.admin.ask(f"GET {webhook}/deliveries").json["items"], "an attempt is logged")
    assert "not a public address" in log[0]["error"]
    assert (receiver.accepted, receiver.refused) == ([], 0)
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
    """Events are sent over TLS only if the certificate is trusted by the system and matches the host name."""
    file = make_certificate(tmp_path, name)
    receiver.encrypt(file)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    server = make_server(ALLOWED).start()
    webhook = subscribe(server, receiver)
    receiver.failure_rate = 0.0
    register(server, 1, 1)
    [entry] = until(lambda: server.admin.ask(f"GET {webhook}/deliveries").json["items"], "an attempt is logged")
    assert entry["status"] == (200 if error is None else None), entry
    assert error is None or error in entry["error"]
    assert len(receiver.accepted) == (1 if error is None else 0)


def test_stop_does_not_wait_for_a_receiver(make_server: MakeServer) -> None:
    """A receiver that does not answer does not keep the server from stopping."""
    with create_server((HOST, 0)) as receiver:
        server = make_server(ALLOWED).start()
        body = {"url": f"http://{HOST}:{receiver.getsockname()[1]}/"}
        assert server.admin.ask("POST /v1/webhooks", body).code == 201
        register(server, 1, 1)
        connection, _ = receiver.accept()
        with connection:
            assert connection.recv(4) == b"POST"
            assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()
