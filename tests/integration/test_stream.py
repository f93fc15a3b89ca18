"""Tests of the event stream over real sockets."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from time import monotonic

import pytest
from attrs import define, field

from pushd.model.timestamps import Now
from tests.integration.calls import HOST, TIMEOUT
from tests.integration.conftest import MakeServer
from tests.integration.server import Server, until
from tests.results import result_of
from tests.sse import Message, Parser
from tests.store.clock import new_store, when
from tests.store.samples import device

pytestmark = pytest.mark.slow

KILLS = 3

EVENTS, SIZE = 200, 200_000
"""How many events there are, and their size in bytes: 40 MB, more than Linux buffers for a connection."""

STREAM = "GET /v1/events/stream"


@define(eq=False)
class StreamClient:
    """A client that resumes the stream after the last event that it has read."""

    server: Server
    last_id: str = "0"
    messages: list[Message] = field(factory=list)

    def read(self, done: Callable[[], bool]) -> None:
        """Read until ``done()``, or until the connection ends or is lost."""
        parser = Parser(messages=self.messages)
        headers = {"Authorization": f"Bearer {self.server.token}", "Last-Event-ID": self.last_id}
        deadline = monotonic() + TIMEOUT
        with closing(HTTPConnection(HOST, self.server.admin.number, timeout=TIMEOUT)) as connection:
            connection.request("GET", "/v1/events/stream", headers=headers)
            response = connection.getresponse()
            assert response.status == 200
            with suppress(HTTPException, ConnectionError):
                while not done() and (data := response.read1(65536)):
                    parser.feed(data)
                    assert monotonic() < deadline
        self.last_id = parser.last_id or self.last_id

    @property
    def seqs(self) -> list[str]:
        """The ids of all messages."""
        return [message.id for message in self.messages]


@contextmanager
def changing(server: Server) -> Iterator[None]:
    """Change a device all the time, until the server no longer answers."""

    def change() -> None:
        with suppress(HTTPException, OSError):
            for number in count():
                server.admin.ask("PATCH /v1/devices/servereye:one", {"name": str(number)})

    with ThreadPoolExecutor(2) as threads:
        for _ in range(2):
            threads.submit(change)
        yield


def all_seqs(server: Server) -> list[str]:
    """The ``seq`` of each event in the list of events."""
    found: list[str] = []
    after = "0"
    while items := server.admin.ask(f"GET /v1/events?limit=500&after={after}").json["items"]:
        found += [item["seq"] for item in items]
        after = found[-1]
    return found


def test_no_event_is_missed_over_kills(server: Server) -> None:
    """A client of a server that is killed repeatedly under load receives every event once."""
    assert server.admin.ask("POST /v1/devices", {"id": "servereye:one"}).code == 201
    client = StreamClient(server)
    for _ in range(KILLS):
        before = len(client.messages)
        with changing(server), ThreadPoolExecutor(1) as threads:
            reading = threads.submit(client.read, lambda: False)
            until(lambda before=before: len(client.messages) > before + 50, "fifty events are read")  # type: ignore[misc]
            server.kill()
            reading.result(TIMEOUT)
        server.start()
    expected = all_seqs(server)
    if client.last_id != expected[-1]:
        client.read(lambda: client.seqs[-1:] == expected[-1:])
    assert client.seqs == expected


def test_stop_ends_streams(server: Server) -> None:
    """A server that stops completes the responses of its streams, and does not wait for their clients."""
    assert server.admin.ask("POST /v1/devices", {"id": "servereye:one"}).code == 201
    client = StreamClient(server)
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(client.read, lambda: False)
        until(lambda: client.messages, "an event is read")
        assert server.stop() == 0
        reading.result(TIMEOUT)


def test_client_that_does_not_read(make_server: MakeServer) -> None:
    """A client that does not read its stream delays neither other clients nor a stop."""
    server = make_server()
    write_many_events(server.data_dir)
    server.start()
    with closing(server.admin.connect()) as stuck:
        stuck.sendall(f"{STREAM}?after=0 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {server.token}\r\n\r\n".encode())
        client = StreamClient(server)
        client.read(lambda: len(client.messages) == 2 * EVENTS)
        assert client.seqs == all_seqs(server)
        assert server.stop() == 0
        assert "Shutdown incomplete" not in server.log.read_text()


def write_many_events(data_dir: Path) -> None:
    """Write more events than the network buffers for a client that does not read."""
    data_dir.mkdir()
    store = new_store(str(data_dir / "pushd.sqlite"))
    moment = Now(0, 0)
    when(store, moment).open()
    for number in range(EVENTS):  # a device of its own for each, because the events of one device are limited
        name = f"controlid:{number}"
        result_of(when(store, moment).add_device(device(name), False))
        result_of(when(store, moment).save_conflict(name, {"text": "x" * SIZE}))
    result_of(store.close())
