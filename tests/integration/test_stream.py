"""Tests of the stream over real sockets."""

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
from pushd.store.sqlite.store import SqliteStore
from tests.in_memory_server import result_of
from tests.integration.calls import HOST, PATIENCE
from tests.integration.conftest import MakeServer
from tests.integration.server import Server, until
from tests.sse import Message, Parser

pytestmark = pytest.mark.slow

KILLS = 3

MANY, LONG = 200, 200_000
"""How many long events there are, and of how many letters: 40 MB, more than Linux keeps for a connection."""

STREAM = "GET /v1/events/stream"


@define(eq=False)
class Following:
    """A client that comes back to the stream with the last id that it has."""

    server: Server
    last: str = "0"
    told: list[Message] = field(factory=list)

    def read(self, enough: Callable[[], bool]) -> None:
        """Follow until that is enough, or the stream ends, however it does."""
        parser = Parser(messages=self.told)
        headers = {"Authorization": f"Bearer {self.server.token}", "Last-Event-ID": self.last}
        deadline = monotonic() + PATIENCE
        with closing(HTTPConnection(HOST, self.server.admin.number, timeout=PATIENCE)) as connection:
            connection.request("GET", "/v1/events/stream", headers=headers)
            response = connection.getresponse()
            assert response.status == 200
            with suppress(HTTPException, ConnectionError):
                while not enough() and (data := response.read1(65536)):
                    parser.feed(data)
                    assert monotonic() < deadline
        self.last = parser.last_id or self.last

    @property
    def seqs(self) -> list[str]:
        """What it was told of."""
        return [message.id for message in self.told]


@contextmanager
def changing(server: Server) -> Iterator[None]:
    """Let something happen all the time, until the server does not answer any more."""

    def change() -> None:
        with suppress(HTTPException, OSError):
            for number in count():
                server.admin.ask("PATCH /v1/devices/servereye:one", {"name": str(number)})

    with ThreadPoolExecutor(2) as threads:
        for _ in range(2):
            threads.submit(change)
        yield


def everything(server: Server) -> list[str]:
    """The seq of each event, by the list."""
    found: list[str] = []
    after = "0"
    while items := server.admin.ask(f"GET /v1/events?limit=500&after={after}").json["items"]:
        found += [item["seq"] for item in items]
        after = found[-1]
    return found


def test_nothing_is_missed_over_kills(server: Server) -> None:
    """Whoever follows a server that is killed again and again, while much happens, is told of all of it, once."""
    assert server.admin.ask("POST /v1/devices", {"id": "servereye:one"}).code == 201
    following = Following(server)
    for _ in range(KILLS):
        before = len(following.told)
        with changing(server), ThreadPoolExecutor(1) as threads:
            reading = threads.submit(following.read, lambda: False)
            until(lambda before=before: len(following.told) > before + 50, "fifty events")  # type: ignore[misc]
            server.kill()
            reading.result(PATIENCE)
        server.start()
    all_of_it = everything(server)
    if following.last != all_of_it[-1]:
        following.read(lambda: following.seqs[-1:] == all_of_it[-1:])
    assert following.seqs == all_of_it


def test_stop_ends_streams(server: Server) -> None:
    """A server that stops ends its streams as answers should end, and does not wait for their clients."""
    assert server.admin.ask("POST /v1/devices", {"id": "servereye:one"}).code == 201
    following = Following(server)
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(following.read, lambda: False)
        until(lambda: following.told, "an event")
        assert server.stop() == 0
        reading.result(PATIENCE)


def test_client_that_takes_nothing(make_server: MakeServer) -> None:
    """While a client takes nothing of what it asked for, others are served, and a stop does not wait for it."""
    server = make_server()
    remember_much(server.data_dir)
    server.start()
    with closing(server.admin.connect()) as stuck:
        stuck.sendall(f"{STREAM}?after=0 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {server.token}\r\n\r\n".encode())
        following = Following(server)
        following.read(lambda: len(following.told) == MANY)
        assert following.seqs == everything(server)
        assert server.stop() == 0
        assert "Shutdown incomplete" not in server.log.read_text()


def remember_much(data_dir: Path) -> None:
    """Write a feed that is longer than what the network keeps for a client that takes nothing."""
    data_dir.mkdir()
    store = SqliteStore(str(data_dir / "pushd.sqlite"))
    moment = Now(0, 0)
    store.open(moment)
    for _ in range(MANY):
        result_of(store.save_conflict("controlid:1", {"text": "x" * LONG}, moment))
    result_of(store.close())
