"""Tests of a server whose database cannot be written for a while: its answers, and leases afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pushd.model.errors import Unavailable
from tests.connection import request
from tests.in_memory_server import BuildServer, InMemoryServer
from tests.results import result_of
from tests.store.clock import new_store

READER = "controlid:7"
CONTAINER = "servereye:c"
LOAD = {"endpoint": "load_objects"}
REFRESH = {"control": "REFRESH_AGENT"}
LEASE = {READER: 60, CONTAINER: 30}
"""Seconds, the defaults of the dialects."""

RESULT = request("POST /result?deviceId=7&uuid=u", b'{"response":{}}')


@pytest.fixture
def server(build_server: BuildServer, tmp_path: Path) -> InMemoryServer:
    """A server with a database in a file, whose admin port has been used."""
    server = build_server(new_store(str(tmp_path / "pushd.sqlite")))
    assert server.ask("GET /readyz").code == 200
    return server


@contextmanager
def read_only(server: InMemoryServer) -> Iterator[None]:
    """The database refuses all changes in this context."""
    connection = server.store._writer.connection.connection  # type: ignore[attr-defined]
    connection.execute("PRAGMA query_only = ON")
    try:
        yield
    finally:
        connection.execute("PRAGMA query_only = OFF")


def advance(server: InMemoryServer, seconds: int) -> None:
    """Let time pass, while the sweep may fail."""
    for _ in range(seconds):
        server.clock.advance(1)
        with suppress(Unavailable):
            result_of(server.core.sweep())


def in_flight(server: InMemoryServer) -> tuple[str, str]:
    """A reader and a container, each with a command in flight that is not sent again."""
    for device in (READER, CONTAINER):
        server.register(device)
    commands = server.put(READER, LOAD, delivery="at_most_once"), server.put(CONTAINER, REFRESH)
    assert b"load_objects" in server.device_request(request("GET /push?deviceId=7&uuid=u")).answer().body
    assert commands[1].encode() in server.device_request(request("GET /push/c")).answer().body
    return commands


def states(server: InMemoryServer, *commands: str) -> list[str]:
    """The states of commands."""
    return [server.command(command)["state"] for command in commands]


def test_requests_that_would_write_are_refused(server: InMemoryServer) -> None:
    """They are answered with 503 and leave nothing behind; what was stored before can be read."""
    reader, container = in_flight(server)
    events = server.ask("GET /v1/events").json["items"]
    with read_only(server):
        sent = server.ask(f"POST /v1/devices/{READER}/commands", {"payload": LOAD}, "Idempotency-Key: k")
        assert (sent.code, sent.headers["content-type"]) == (503, "application/problem+json")
        assert sent.json["detail"].endswith("attempt to write a readonly database")
        result = server.device_request(RESULT).answer()
        assert (result.code, result.body) == (503, b"")
        for call in (f"ack/{container}", f"result/{container}", "signoff"):
            refused = server.device_request(request(f"POST /push/c/{call}", b'{"success":true}')).answer()
            assert (refused.code, refused.json["success"]) == (503, False)
        assert [server.ask(f"GET /{name}").code for name in ("healthz", "readyz")] == [200, 503]
        assert states(server, reader, container) == ["sent", "sent"]
    assert server.ask("GET /readyz").code == 200
    assert server.ask("GET /v1/events").json["items"] == events
    assert server.ask("GET /v1/fsck").json["items"] == []
    again = server.ask(f"POST /v1/devices/{READER}/commands", {"payload": LOAD}, "Idempotency-Key: k")
    assert again.code == 201


def test_a_poll_is_held_while_nothing_can_be_claimed(server: InMemoryServer) -> None:
    """A poll ends idle at the end of its hold, and the device's next poll gets the command."""
    server.register(READER)
    waiting = server.put(READER, LOAD)
    with read_only(server):
        poll = server.device_request(request("GET /push?deviceId=7&uuid=u"))
        advance(server, 8)
        assert poll.answers() == []
        advance(server, 2)
        assert (poll.answer().code, states(server, waiting)) == (200, ["queued"])
    assert b"load_objects" in server.device_request(request("GET /push?deviceId=7&uuid=v")).answer().body
    assert server.command(waiting)["attempts"] == 1


def test_a_new_device_is_recorded_later(server: InMemoryServer) -> None:
    """The first poll of a new device is held like any other, and the device is recorded at its next poll."""
    with read_only(server):
        poll = server.device_request(request("GET /push?deviceId=9"))
        advance(server, 10)
        assert poll.answer().code == 200
        assert server.ask("GET /v1/devices").json["items"] == []
    server.device_request(request("GET /push?deviceId=9"))
    assert server.device("controlid:9")["presence"] == "online"


def test_no_lease_lapses_because_results_could_not_be_stored(server: InMemoryServer) -> None:
    """A device whose result was refused has its whole lease again to repeat it."""
    commands = in_flight(server)
    with read_only(server):
        advance(server, 20)
        assert server.device_request(RESULT).answer().code == 503
        advance(server, 100)
    server.tick(LEASE[CONTAINER] - 1)
    assert states(server, *commands) == ["sent", "sent"]
    assert server.device_request(RESULT).answer().code == 200
    server.tick(LEASE[CONTAINER])
    assert states(server, *commands) == ["succeeded", "unknown"]
    assert server.command(commands[0])["late"] is False


def test_leases_are_renewed_after_a_short_outage(server: InMemoryServer) -> None:
    """Even if no lease ran out meanwhile: a device may repeat its result only after its old lease would have ended."""
    reader, _ = in_flight(server)
    with read_only(server):
        advance(server, 10)
        assert server.device_request(RESULT).answer().code == 503
        advance(server, 10)
    server.tick(LEASE[READER] - 1)
    assert states(server, reader) == ["sent"]
    server.tick(2)
    assert states(server, reader) == ["unknown"]
