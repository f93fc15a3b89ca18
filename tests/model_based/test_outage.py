"""Tests of a store that cannot write for a while: what is answered meanwhile, and whom it is blamed on afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pushd.model.errors import Unavailable
from pushd.store.sqlite.store import SqliteStore
from tests.connection import request
from tests.in_memory_server import BuildHouse, InMemoryServer, now

READER = "controlid:7"
CONTAINER = "servereye:c"
LOAD = {"endpoint": "load_objects"}
REFRESH = {"control": "REFRESH_AGENT"}
LEASE = {READER: 60, CONTAINER: 30}
"""Seconds, as the dialects have them."""

WORKED = request("POST /result?deviceId=7&uuid=u", b'{"response":{}}')


@pytest.fixture
def server(build_house: BuildHouse, tmp_path: Path) -> InMemoryServer:
    """A house whose database is a file, and that an operator has called before."""
    server = build_house(SqliteStore(str(tmp_path / "pushd.sqlite")))
    assert server.ask("GET /readyz").code == 200
    return server


@contextmanager
def read_only(server: InMemoryServer) -> Iterator[None]:
    """Meanwhile the database refuses whatever would change it."""
    connection = server.store._writer.connection.connection  # type: ignore[attr-defined]
    connection.execute("PRAGMA query_only = ON")
    try:
        yield
    finally:
        connection.execute("PRAGMA query_only = OFF")


def endure(server: InMemoryServer, seconds: int) -> None:
    """Let time pass, in which the clock may be unable to end what it should."""
    for _ in range(seconds):
        server.clock.advance(1)
        with suppress(Unavailable):
            now(server.core.sweep())


def at_work(server: InMemoryServer) -> tuple[str, str]:
    """A reader and a container, each with a command that it has just taken."""
    for device in (READER, CONTAINER):
        server.register(device)
    commands = server.put(READER, LOAD), server.put(CONTAINER, REFRESH)
    assert b"load_objects" in server.device_request(request("GET /push?deviceId=7&uuid=u")).answer().body
    assert commands[1].encode() in server.device_request(request("GET /push/c")).answer().body
    return commands


def states(server: InMemoryServer, *commands: str) -> list[str]:
    """Where commands stand."""
    return [server.command(command)["state"] for command in commands]


def test_a_database_that_cannot_be_written_refuses_and_forgets_nothing(server: InMemoryServer) -> None:
    """What cannot be durable is answered with 503; nothing of it is there later, and what was there before can be
    read.
    """
    reader, container = at_work(server)
    told = server.ask("GET /v1/events").json["items"]
    with read_only(server):
        sent = server.ask(f"POST /v1/devices/{READER}/commands", {"payload": LOAD}, "Idempotency-Key: k")
        assert (sent.code, sent.headers["content-type"]) == (503, "application/problem+json")
        assert sent.json["detail"].endswith("attempt to write a readonly database")
        result = server.device_request(WORKED).answer()
        assert (result.code, result.body) == (503, b"")
        for call in (f"ack/{container}", f"result/{container}", "signoff"):
            refused = server.device_request(request(f"POST /push/c/{call}", b'{"success":true}')).answer()
            assert (refused.code, refused.json["success"]) == (503, False)
        assert [server.ask(f"GET /{name}").code for name in ("healthz", "readyz")] == [200, 503]
        assert states(server, reader, container) == ["sent", "sent"]
    assert server.ask("GET /readyz").code == 200
    assert server.ask("GET /v1/events").json["items"] == told
    assert server.ask("GET /v1/fsck").json["items"] == []
    again = server.ask(f"POST /v1/devices/{READER}/commands", {"payload": LOAD}, "Idempotency-Key: k")
    assert again.code == 201


def test_a_poll_is_held_while_nothing_can_be_claimed(server: InMemoryServer) -> None:
    """A device that polls meanwhile is answered idle at the end of its hold, and its next poll gets what waits
    for it.
    """
    server.register(READER)
    waiting = server.put(READER, LOAD)
    with read_only(server):
        poll = server.device_request(request("GET /push?deviceId=7&uuid=u"))
        endure(server, 8)
        assert poll.answers() == []
        endure(server, 2)
        assert (poll.answer().code, states(server, waiting)) == (200, ["queued"])
    assert b"load_objects" in server.device_request(request("GET /push?deviceId=7&uuid=v")).answer().body
    assert server.command(waiting)["attempts"] == 1


def test_a_stranger_is_remembered_once_it_can_be(server: InMemoryServer) -> None:
    """A device that comes for the first time meanwhile is held like any other, and recorded when it comes again."""
    with read_only(server):
        poll = server.device_request(request("GET /push?deviceId=9"))
        endure(server, 10)
        assert poll.answer().code == 200
        assert server.ask("GET /v1/devices").json["items"] == []
    server.device_request(request("GET /push?deviceId=9"))
    assert server.seen("controlid:9")["presence"] == "online"


def test_no_lease_lapses_because_we_could_not_hear(server: InMemoryServer) -> None:
    """A device whose result we could not take has the whole time of its lease again to send it once we can."""
    commands = at_work(server)
    with read_only(server):
        endure(server, 20)
        assert server.device_request(WORKED).answer().code == 503
        endure(server, 100)
    server.tick(LEASE[CONTAINER] - 1)
    assert states(server, *commands) == ["sent", "sent"]
    assert server.device_request(WORKED).answer().code == 200
    server.tick(LEASE[CONTAINER])
    assert states(server, *commands) == ["succeeded", "unknown"]
    assert server.command(commands[0])["late"] is False


def test_a_short_outage_gives_time_back_too(server: InMemoryServer) -> None:
    """Even if no lease ran out meanwhile: who was turned away once may not be back before its lease would have
    ended.
    """
    reader, _ = at_work(server)
    with read_only(server):
        endure(server, 10)
        assert server.device_request(WORKED).answer().code == 503
        endure(server, 10)
    server.tick(LEASE[READER] - 1)
    assert states(server, reader) == ["sent"]
    server.tick(2)
    assert states(server, reader) == ["unknown"]
