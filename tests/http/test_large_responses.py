"""Tests of large responses: written in pieces, as fast as the client reads them."""

import json
import weakref
from typing import Any

import pytest
from attrs import define
from twisted.internet.testing import StringTransport

from pushd.http import body_writer
from pushd.http.bodies import SMALL
from pushd.http.body_writer import PIECE, STALL_SECONDS
from pushd.model.token import Role
from tests.connection import Connection, Response, request
from tests.garbage import no_garbage
from tests.in_memory_server import InMemoryServer

CONTAINER = "servereye:c-1"
DATA = "".join(map(str, range(4 * SMALL)))
POLL = request("GET /push/c-1")


class SlowTransport(StringTransport):
    """A transport whose client reads only when the test says so: its buffer is full after each write."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[int] = []
        self.is_aborted = False

    def write(self, data: bytes) -> None:
        super().write(data)
        self.pieces.append(len(data))
        if self.producer is not None:
            self.producer.pauseProducing()

    def abortConnection(self) -> None:
        self.is_aborted = True


@define
class Client:
    """A client that reads slowly."""

    connection: Connection
    transport: SlowTransport

    def reads_on(self) -> bool:
        """Have the client read what was written; whether more was written then."""
        before = len(self.transport.pieces)
        assert self.transport.producer is not None
        self.transport.producer.resumeProducing()
        return len(self.transport.pieces) > before

    def answers(self) -> list[Response]:
        """What it has read in the end."""
        while self.reads_on():
            pass
        return self.connection.answers()


@pytest.fixture
def client(server: InMemoryServer) -> Client:
    """A client that has polled for a large command and has read nothing yet."""
    server.register(CONTAINER)
    server.put(CONTAINER, {"control": "X", "data": DATA})
    transport = SlowTransport()
    client = Client(server.connect(transport=transport), transport)
    client.connection.send(POLL)
    return client


def test_a_large_response_is_written_in_pieces(client: Client) -> None:
    """No more is written than the client reads, and what it reads in the end is whole."""
    assert len(client.transport.pieces) <= 2  # the head and the first piece
    [answer] = client.answers()
    assert answer.json["data"]["data"] == DATA
    assert max(client.transport.pieces) == PIECE


def test_a_request_behind_a_large_response(server: InMemoryServer, client: Client) -> None:
    """A pipelined request is answered after it."""
    client.connection.send(request("GET /push/c-1/signoff"))
    server.clock.advance(0)
    large = client.answers()
    server.clock.advance(0)
    answers = [*large, *client.connection.answers()]
    assert [answer.json["message"] for answer in answers] == ["message", "signed off"]


def test_a_client_that_reads_slowly(server: InMemoryServer, client: Client) -> None:
    """A client may take as long as it likes for all, but not for a single piece."""
    for _ in range(3):
        server.tick(STALL_SECONDS - 1)
        assert client.reads_on()
    assert not client.transport.is_aborted
    server.tick(STALL_SECONDS)
    assert client.transport.is_aborted


def test_a_client_that_has_read_all(server: InMemoryServer, client: Client) -> None:
    """The connection is kept: it gets the time of any other that is idle."""
    client.answers()
    server.tick(STALL_SECONDS - 1)
    assert not client.transport.is_aborted
    client.connection.send(request("GET /push/c-1/signoff"))
    server.clock.advance(0)
    assert client.connection.answer().code == 200


def test_a_client_that_disconnects(server: InMemoryServer, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a response that no client reads nothing stays in memory, not even for the garbage collector."""
    writers: list[Any] = []
    start = body_writer.BodyWriter.start

    def recording_start(self: Any) -> None:
        writers.append(weakref.ref(self))
        start(self)

    monkeypatch.setattr(body_writer.BodyWriter, "start", recording_start)
    client.answers()
    server.put(CONTAINER, {"control": "X", "data": DATA})
    with no_garbage():
        client.connection.send(POLL)
        client.connection.hang_up()
        client.transport.unregisterProducer()
    assert [writer() for writer in writers] == [None] * len(writers)


def test_the_body_of_a_request_is_free_before_its_response_is_read(server: InMemoryServer) -> None:
    """A sender that reads its response slowly keeps nothing of the budget for bodies."""
    server.register(CONTAINER)
    transport = SlowTransport()
    server._connect(server.admin_site, "192.0.2.1", transport)
    body = json.dumps({"payload": {"control": "X", "data": DATA}}).encode()
    token = f"Authorization: Bearer {server.token_of(Role.OPERATOR)}"
    server._connections[-1].send(request(f"POST /v1/devices/{CONTAINER}/commands", body, token))
    assert len(transport.pieces) <= 2
    assert server.budgets.used == 0
