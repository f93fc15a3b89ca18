"""Tests of ``pushctl webhooks listen``, against a server and a receiver on this machine."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from attrs import frozen
from standardwebhooks import Webhook

from tests.harness.environment import free_ports
from tests.integration.calls import HOST, TIMEOUT
from tests.integration.conftest import MakeServer
from tests.integration.server import Server, environment, until

pytestmark = pytest.mark.slow

TYPES = ("device.changed", "device.deleted", "command.queued", "command.cancelled")
VARYING = {"webhook-timestamp", "webhook-signature", "host"}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@frozen
class Message:
    """A request as a receiver got it."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def same(self) -> tuple[dict[str, str], bytes]:
        """What does not vary between two receivers."""
        return {name: value for name, value in self.headers.items() if name not in VARYING}, self.body

    @property
    def type(self) -> str:
        """That of the event."""
        return str(json.loads(self.body)["type"])


class Receiver(ThreadingHTTPServer):
    """Records messages, and answers with a status."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((HOST, 0), _Request)
        self.messages: list[Message] = []
        self.status = 204

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://localhost:{self.server_port}/hook"


class _Request(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.messages.append(Message({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.status)
        self.send_header("set-cookie", "a=b")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def running(receiver: Receiver) -> Iterator[Receiver]:
    """Serve until the block ends."""
    with receiver:
        Thread(target=receiver.serve_forever, daemon=True).start()
        yield receiver
        receiver.shutdown()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver."""
    with running(Receiver()) as receiver:
        yield receiver


@contextmanager
def listening(server: Server, *options: str) -> "Iterator[subprocess.Popen[str]]":
    """Run the command with these options, once it has shown its first line, until the block ends."""
    words = [sys.executable, "-c", "from pushd.pushctl.main import main; main()", "webhooks", "listen", *options]
    address = {"PUSHD_URL": f"http://{HOST}:{server.admin.number}", "PUSHD_TOKEN": server.token}
    with subprocess.Popen(
        words, env=environment() | address, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: "subprocess.Popen[str]") -> str:
    """The next line that it prints."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def end(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Press Ctrl-C, which is no error; what was still printed, and the errors."""
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, rest
    return rest


def _change_things(server: Server) -> None:
    """Cause an event of each of the types; one is about a device that is deleted when its event is read."""
    device = "controlid:7"
    labels = {"name": 'Ümlaut "\\ gate', "site": "Lisbon", "tags": ["a", "b"]}
    assert server.admin.ask("POST /v1/devices", {"id": device}).code == 201
    assert server.admin.ask(f"PATCH /v1/devices/{device}", labels).code == 200
    command = server.send(device, {"endpoint": "load_objects", "body": {"object": "users"}})
    assert server.admin.ask(f"POST /v1/commands/{command}/cancel", {}).code == 200
    assert server.admin.ask(f"DELETE /v1/devices/{device}").code == 204


def test_messages_are_those_of_a_webhook(make_server: MakeServer, receiver: Receiver) -> None:
    """Each message is what a webhook of the server is sent, to the byte, but for time and secret."""
    server = make_server("--webhook-allow=127.0.0.0/8").start()
    with running(Receiver()) as hooked:
        server.admin.ask("POST /v1/webhooks", {"url": hooked.url, "types": TYPES})
        options = [word for kind in TYPES for word in ("--type", kind)]
        with listening(server, "--forward", receiver.url, "--json", "--print", *options) as process:
            secret = json.loads(line(process))["secret"]
            _change_things(server)
            shown = [json.loads(line(process)) for _ in TYPES]
            end(process)
        with listening(server, "--forward", receiver.url, "--after", "0", *options) as process:
            for _ in range(2 + len(TYPES)):
                assert line(process)
            end(process)
        until(lambda: len(hooked.messages) == len(TYPES), "the webhook has all messages")
    again = receiver.messages[len(TYPES) :]  # the device is deleted by now, and has its last labels
    del receiver.messages[len(TYPES) :]
    assert [message.same for message in again] == [message.same for message in hooked.messages]
    assert {message.type for message in receiver.messages} == set(TYPES)
    assert [message.same for message in receiver.messages] == [message.same for message in hooked.messages]
    for message in receiver.messages:
        Webhook(secret).verify(message.body, dict(message.headers))
    assert [each["body"].encode() for each in shown] == [message.body for message in receiver.messages]
    assert {each["status"] for each in shown} == {204}


def _run_commands(server: Server, *results: object) -> None:
    """A device answers a command with each of the results."""
    for result in results:
        server.send("controlid:8", {"endpoint": "load_objects", "body": {"object": "users"}})
        assert server.devices.ask("GET /push?deviceId=8&uuid=u").body
        assert server.devices.ask("POST /result?deviceId=8&uuid=u", result).code == 200


def test_results(make_server: MakeServer, receiver: Receiver) -> None:
    """With --include-result, messages about ended commands are those of a webhook with include_result; of a large
    result they have the beginning, as compact JSON.
    """
    server = make_server("--webhook-allow=127.0.0.0/8").start()
    types = ("command.succeeded", "command.failed", "command.cancelled")
    assert server.admin.ask("POST /v1/devices", {"id": "controlid:8"}).code == 201
    with running(Receiver()) as hooked:
        server.admin.ask("POST /v1/webhooks", {"url": hooked.url, "types": types, "include_result": True})
        _run_commands(server, {"response": {"users": ["Ünal", 1.5]}}, {"error": "no"}, {"response": "x" * 70_000})
        cancelled = server.send("controlid:8", {"endpoint": "load_objects", "body": {"object": "users"}})
        assert server.admin.ask(f"POST /v1/commands/{cancelled}/cancel", {}).code == 200
        options = [word for kind in types for word in ("--type", kind)]
        with listening(server, "--forward", receiver.url, "--after", "0", "--include-result", *options) as process:
            assert [line(process) for _ in range(6)]
            end(process)
        until(lambda: len(hooked.messages) == 4, "the webhook has all messages")
    data = [json.loads(message.body)["data"]["data"] for message in receiver.messages]
    assert data[0]["result"] == {"response": {"users": ["Ünal", 1.5]}}
    assert (data[2]["result"][:20], data[2]["result_size"]) == ('{"response":"xxxxxxx', 70_015)
    assert "result" not in data[3]
    for listened, delivered in zip(receiver.messages, hooked.messages, strict=True):
        assert listened.same == delivered.same or "result_size" in json.loads(listened.body)["data"]["data"]


def test_answers_are_shown(server: Server, receiver: Receiver) -> None:
    """What the receiver answers, or that there is none, is shown in a line; the next event is posted nevertheless."""
    (closed,) = free_ports(1)
    with listening(server, "--forward", receiver.url, "--secret", SECRET, "--type", "device.registered") as process:
        assert line(process) == f"secret {SECRET}"
        assert line(process) == f"Posting events to {receiver.url} until Ctrl-C."
        receiver.status = 500
        server.admin.ask("POST /v1/devices", {"id": "controlid:1"})
        assert re.fullmatch(
            r"device\.registered  controlid:1  evt_\S+  failed after .+: the receiver answered 500", line(process)
        )
        receiver.status = 302  # not followed
        server.admin.ask("POST /v1/devices", {"id": "controlid:2"})
        assert "the receiver answered 302" in line(process)
        receiver.status = 200
        server.admin.ask("POST /v1/devices", {"id": "controlid:3"})
        assert re.search(r"  accepted: 200 in \S+ s$", line(process))
        assert end(process) == ("", "")
    assert len(receiver.messages) == 3
    assert not any("cookie" in message.headers for message in receiver.messages)
    Webhook(SECRET).verify(receiver.messages[-1].body, dict(receiver.messages[-1].headers))
    with listening(
        server, "--forward", f"http://{HOST}:{closed}/", "--type", "device.registered", "--after", "0"
    ) as it:
        shown = [line(it) for _ in range(5)][2:]
        assert [words.split()[1] for words in shown] == [f"controlid:{number}" for number in (1, 2, 3)]
        assert all("refused" in words for words in shown)
        end(it)


def test_restart_of_the_server(make_server: MakeServer, receiver: Receiver) -> None:
    """While the server restarts nothing is missed, and nothing is posted twice."""
    (number,) = free_ports(1)
    server = make_server(
        f"--admin=tcp:{number}:interface={HOST}", usual=("--devices=tcp:0", "--admission=open")
    ).start()
    with listening(server, "--forward", receiver.url, "--type", "device.registered") as process:
        assert [line(process) for _ in range(2)]
        for local in (1, 2, 3):
            server.admin.ask("POST /v1/devices", {"id": f"controlid:{local}"})
            if local == 2:
                server.kill()
                server.start()
        shown = [line(process) for _ in range(3)]
        _, errors = end(process)
    assert [words.split()[1] for words in shown] == [f"controlid:{local}" for local in (1, 2, 3)]
    assert all("  accepted: " in words for words in shown), shown
    assert len(receiver.messages) == 3
    assert "; reconnecting\npushctl: reconnected\n" in errors
