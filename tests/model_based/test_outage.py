"""Tests of a store that cannot write for a while: what is answered meanwhile, and whom it is blamed on afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pushd.model.errors import Unavailable
from pushd.store.sqlite.store import SqliteStore
from tests.connection import request
from tests.in_memory_server import BuildHouse, House, now

READER = "controlid:7"
CONTAINER = "servereye:c"
LOAD = {"endpoint": "load_objects"}
REFRESH = {"control": "REFRESH_AGENT"}
LEASE = {READER: 60, CONTAINER: 30}
"""Seconds, as the dialects have them."""

WORKED = request("POST /result?deviceId=7&uuid=u", b'{"response":{}}')


@pytest.fixture
def house(build_house: BuildHouse, tmp_path: Path) -> House:
    """A house whose database is a file, and that an operator has called before."""
    house = build_house(SqliteStore(str(tmp_path / "pushd.sqlite")))
    assert house.ask("GET /readyz").code == 200
    return house


@contextmanager
def read_only(house: House) -> Iterator[None]:
    """Meanwhile the database refuses whatever would change it."""
    connection = house.store._writer.connection.connection  # type: ignore[attr-defined]
    connection.execute("PRAGMA query_only = ON")
    try:
        yield
    finally:
        connection.execute("PRAGMA query_only = OFF")


def endure(house: House, seconds: int) -> None:
    """Let time pass, in which the clock may be unable to end what it should."""
    for _ in range(seconds):
        house.clock.advance(1)
        with suppress(Unavailable):
            now(house.core.sweep())


def at_work(house: House) -> tuple[str, str]:
    """A reader and a container, each with a command that it has just taken."""
    for device in (READER, CONTAINER):
        house.register(device)
    commands = house.put(READER, LOAD), house.put(CONTAINER, REFRESH)
    assert b"load_objects" in house.knock(request("GET /push?deviceId=7&uuid=u")).answer().body
    assert commands[1].encode() in house.knock(request("GET /push/c")).answer().body
    return commands


def states(house: House, *commands: str) -> list[str]:
    """Where commands stand."""
    return [house.command(command)["state"] for command in commands]


def test_a_database_that_cannot_be_written_refuses_and_forgets_nothing(house: House) -> None:
    """What cannot be durable is answered with 503; nothing of it is there later, and what was there before can be
    read.
    """
    reader, container = at_work(house)
    told = house.ask("GET /v1/events").json["items"]
    with read_only(house):
        sent = house.ask(f"POST /v1/devices/{READER}/commands", {"payload": LOAD}, "Idempotency-Key: k")
        assert (sent.code, sent.headers["content-type"]) == (503, "application/problem+json")
        assert sent.json["detail"].endswith("attempt to write a readonly database")
        result = house.knock(WORKED).answer()
        assert (result.code, result.body) == (503, b"")
        for call in (f"ack/{container}", f"result/{container}", "signoff"):
            refused = house.knock(request(f"POST /push/c/{call}", b'{"success":true}')).answer()
            assert (refused.code, refused.json["success"]) == (503, False)
        assert [house.ask(f"GET /{name}").code for name in ("healthz", "readyz")] == [200, 503]
        assert states(house, reader, container) == ["sent", "sent"]
    assert house.ask("GET /readyz").code == 200
    assert house.ask("GET /v1/events").json["items"] == told
    assert house.ask("GET /v1/fsck").json["items"] == []
    again = house.ask(f"POST /v1/devices/{READER}/commands", {"payload": LOAD}, "Idempotency-Key: k")
    assert again.code == 201


def test_a_poll_is_held_while_nothing_can_be_claimed(house: House) -> None:
    """A device that polls meanwhile is answered idle at the end of its hold, and its next poll gets what waits
    for it.
    """
    house.register(READER)
    waiting = house.put(READER, LOAD)
    with read_only(house):
        poll = house.knock(request("GET /push?deviceId=7&uuid=u"))
        endure(house, 8)
        assert poll.answers() == []
        endure(house, 2)
        assert (poll.answer().code, states(house, waiting)) == (200, ["queued"])
    assert b"load_objects" in house.knock(request("GET /push?deviceId=7&uuid=v")).answer().body
    assert house.command(waiting)["attempts"] == 1


def test_a_stranger_is_remembered_once_it_can_be(house: House) -> None:
    """A device that comes for the first time meanwhile is held like any other, and recorded when it comes again."""
    with read_only(house):
        poll = house.knock(request("GET /push?deviceId=9"))
        endure(house, 10)
        assert poll.answer().code == 200
        assert house.ask("GET /v1/devices").json["items"] == []
    house.knock(request("GET /push?deviceId=9"))
    assert house.seen("controlid:9")["presence"] == "online"


def test_no_lease_lapses_because_we_could_not_hear(house: House) -> None:
    """A device whose result we could not take has the whole time of its lease again to send it once we can."""
    commands = at_work(house)
    with read_only(house):
        endure(house, 20)
        assert house.knock(WORKED).answer().code == 503
        endure(house, 100)
    house.tick(LEASE[CONTAINER] - 1)
    assert states(house, *commands) == ["sent", "sent"]
    assert house.knock(WORKED).answer().code == 200
    house.tick(LEASE[CONTAINER])
    assert states(house, *commands) == ["succeeded", "unknown"]
    assert house.command(commands[0])["late"] is False


def test_a_short_outage_gives_time_back_too(house: House) -> None:
    """Even if no lease ran out meanwhile: who was turned away once may not be back before its lease would have
    ended.
    """
    reader, _ = at_work(house)
    with read_only(house):
        endure(house, 10)
        assert house.knock(WORKED).answer().code == 503
        endure(house, 10)
    house.tick(LEASE[READER] - 1)
    assert states(house, reader) == ["sent"]
    house.tick(2)
    assert states(house, reader) == ["unknown"]
