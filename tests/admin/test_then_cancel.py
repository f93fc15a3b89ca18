"""Tests of :mod:`pushd.admin.commands`: a command that is cancelled when the wait for it ends."""

from typing import Any

import pytest

from tests.connection import Connection, request
from tests.in_memory_server import InMemoryServer

DEVICE = "controlid:7"
SEND = f"POST /v1/devices/{DEVICE}/commands"
WAIT = f"{SEND}?wait=10&then=cancel"
OPEN = f"POST /v1/devices/{DEVICE}/open"
POLL = request("GET /push?deviceId=7&uuid=a")
RESULT = request("POST /result?deviceId=7&uuid=a", b'{"response":{}}')
ONCE = {"payload": {"endpoint": "own_call"}}
AGAIN = ONCE | {"delivery": "at_least_once"}


@pytest.fixture
def known(server: InMemoryServer) -> InMemoryServer:
    """A server with one registered device."""
    server.register(DEVICE)
    return server


def newest(server: InMemoryServer) -> dict[str, object]:
    """The newest command."""
    found: dict[str, object] = server.ask("GET /v1/commands").json["items"][0]
    return found


def end(server: InMemoryServer, sender: Connection, *, hangs_up: bool) -> int | None:
    """End the wait of a sender, by its time or by a hang-up; the status of its answer, if it gets one."""
    if hangs_up:
        sender.hang_up()
        server.clock.advance(0)
        return None
    server.clock.advance(10)
    answer = sender.answer()
    assert answer.json["id"] == newest(server)["id"]
    return answer.code


@pytest.mark.parametrize("hangs_up", [False, True])
def test_queued_command_is_cancelled(known: InMemoryServer, hangs_up: bool) -> None:
    """A command that was not sent when the wait ends is never sent."""
    assert end(known, known.begin(WAIT, ONCE), hangs_up=hangs_up) in (None, 200)
    assert newest(known)["state"] == "cancelled"
    assert known.device_request(POLL).answers() == []


def test_status_of_a_cancelled_command(known: InMemoryServer) -> None:
    """The answer is 200: the command has ended."""
    sender = known.begin(WAIT, ONCE)
    known.clock.advance(9.9)
    assert sender.answers() == []
    known.clock.advance(0.1)
    answer = sender.answer()
    assert (answer.code, answer.json["state"]) == (200, "cancelled")


@pytest.mark.parametrize("hangs_up", [False, True])
def test_sent_command_stays(known: InMemoryServer, hangs_up: bool) -> None:
    """A command that may have run stays as it is, and its result counts."""
    sender = known.begin(WAIT, ONCE)
    known.device_request(POLL)
    assert end(known, sender, hangs_up=hangs_up) in (None, 202)
    assert (newest(known)["state"], newest(known)["error"]) == ("sent", None)
    known.device_request(RESULT)
    assert newest(known)["state"] == "succeeded"


@pytest.mark.parametrize("hangs_up", [False, True])
def test_sent_command_gets_no_further_attempt(known: InMemoryServer, hangs_up: bool) -> None:
    """A command that could be sent again, and is in flight when the wait ends, is not sent again."""
    sender = known.begin(WAIT, AGAIN)
    known.device_request(POLL)
    assert end(known, sender, hangs_up=hangs_up) in (None, 202)
    assert (newest(known)["state"], newest(known)["max_attempts"]) == ("sent", 1)
    known.tick(61)
    assert newest(known)["state"] == "unknown"


def test_command_that_waits_for_another_attempt(known: InMemoryServer) -> None:
    """A command that is queued after an attempt becomes unknown: 200."""
    sender = known.begin(WAIT, AGAIN | {"lease": 2})
    known.device_request(POLL)
    known.tick(4)
    assert newest(known)["state"] == "queued"
    known.clock.advance(6)
    answer = sender.answer()
    assert (answer.code, answer.json["state"]) == (200, "unknown")


def test_command_that_ends_in_time(known: InMemoryServer) -> None:
    """A command that ends while it is waited for is answered at once, and is not cancelled."""
    sender = known.begin(WAIT, ONCE)
    known.device_request(POLL)
    known.device_request(RESULT)
    answer = sender.answer()
    assert (answer.code, answer.json["state"]) == (200, "succeeded")
    known.clock.advance(10)
    assert newest(known)["state"] == "succeeded"


@pytest.mark.parametrize("query", ["then=cancel", "wait=0&then=cancel", "wait=5&then=stop", "wait=5&then="])
def test_wrong_query(known: InMemoryServer, query: str) -> None:
    """It needs a wait, and there is no other word; nothing is stored."""
    assert known.ask(f"{SEND}?{query}", ONCE).code == 400
    assert known.device(DEVICE)["queue"] == 0


def test_wait_alone_cancels_nothing(known: InMemoryServer) -> None:
    """Without ``then``, the end of a wait changes nothing."""
    sender = known.begin(f"{SEND}?wait=5", ONCE)
    known.clock.advance(5)
    answer = sender.answer()
    assert (answer.code, answer.json["state"]) == (202, "queued")


def test_server_that_stops(known: InMemoryServer) -> None:
    """A server that stops ends the wait, and cancels the command first."""
    sender = known.begin(WAIT, ONCE)
    known.core.command_queue.drain()
    known.clock.advance(0)
    answer = sender.answer()
    assert (answer.code, answer.json["state"]) == (200, "cancelled")


def change_behind_the_server(server: InMemoryServer) -> None:
    """Another program has changed all commands: the next change of one fails."""
    writer: Any = server.store._writer
    writer.connection.connection.execute("UPDATE command SET version = version + 1")


@pytest.mark.parametrize("line", [WAIT, OPEN])
def test_cancel_that_fails_is_no_refusal(server: InMemoryServer, line: str) -> None:
    """If a command cannot be cancelled when the wait ends, the answer does not say that nothing was stored."""
    server.register(DEVICE, facts={"model": "iDAccess"})
    call = server.begin(line, None if line == OPEN else ONCE)
    change_behind_the_server(server)
    server.clock.advance(10)
    assert call.answer().problem(503)["type"] == "outcome-in-doubt"
    assert newest(server)["state"] == "queued"


@pytest.mark.parametrize("line", [WAIT, f"{SEND}?wait=10", OPEN])
def test_store_that_fails_during_the_wait(server: InMemoryServer, line: str) -> None:
    """If the outcome cannot be read any more, the answer does not say that nothing was stored."""
    server.register(DEVICE, facts={"model": "iDAccess"})
    call = server.begin(line, None if line == OPEN else ONCE)
    server.fail_store()
    server.clock.advance(11)
    problem = call.answer().problem(503)
    assert problem["type"] == "outcome-in-doubt"
    assert "is stored, but its outcome could neither be awaited nor prevented" in problem["detail"]
