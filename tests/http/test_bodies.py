"""Tests of :mod:`pushd.http.bodies`: size limits of request bodies, and the common budget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.http.bodies import LARGE, SMALL, Body, Budget
from pushd.model.errors import BodyTooLarge, Unavailable
from tests.connection import request
from tests.in_memory_server import InMemoryServer

CHUNKS = st.lists(st.binary(max_size=9), max_size=20)

READER = "controlid:7"
POLL = request("GET /push?deviceId=7&uuid=a")


@given(CHUNKS)
def test_body_is_what_arrived(chunks: list[bytes]) -> None:
    """A body within its limit is what was sent, however it was cut on its way."""
    body = Body(limit=SMALL, budget=Budget())
    for chunk in chunks:
        body.feed(chunk)
    assert body.content() == b"".join(chunks)


@given(st.integers(0, 60), CHUNKS)
def test_body_over_its_limit(limit: int, chunks: list[bytes]) -> None:
    """A body over its limit is counted to its end, and nothing of it is kept."""
    budget = Budget()
    body = Body(limit=limit, budget=budget)
    for chunk in chunks:
        body.feed(chunk)
    assert body.size == sum(map(len, chunks))
    assert body.oversized == (body.size > limit)
    assert budget.used == (0 if body.oversized else body.size)


def test_oversized_content() -> None:
    """The error for a body over its limit says how large it was, and the limit."""
    body = Body(limit=3, budget=Budget())
    body.feed(b"four")
    with pytest.raises(BodyTooLarge, match=r"4 bytes; the limit is 3"):
        body.content()


@given(st.integers(0, 100), st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=30))))
def test_budget_is_never_exceeded(limit: int, arrivals: list[tuple[int, bytes]]) -> None:
    """All bodies together never use more than the budget, and all of it is returned."""
    budget = Budget(limit=limit)
    bodies = [Body(limit=LARGE, budget=budget) for _ in range(4)]
    for which, chunk in arrivals:
        bodies[which].feed(chunk)
        assert 0 <= budget.used <= limit
    for body in bodies:
        body.release()
        body.release()
    assert budget.used == 0


def test_body_over_the_budget() -> None:
    """A body that exceeded the budget is unavailable, even if bytes of the budget are free again."""
    budget = Budget(limit=5)
    first, second = Body(limit=9, budget=budget), Body(limit=9, budget=budget)
    first.feed(b"123")
    second.feed(b"456")
    first.release()
    second.feed(b"7")
    assert budget.used == 0
    with pytest.raises(Unavailable, match="try again"):
        second.content()


def test_result_over_the_budget(server: InMemoryServer) -> None:
    """While the budget is used up, a result is answered with 503: the device keeps it, and nothing is settled."""
    server.register(READER)
    command = server.put(READER, {"endpoint": "load_objects"})
    server.device_request(POLL)
    server.budget.limit = 4
    answer = server.device_request(request("POST /result?deviceId=7&uuid=a", b'{"response":{}}')).answer()
    assert (answer.code, answer.body) == (503, b"")
    assert server.command(command)["state"] == "sent"


def test_admin_call_over_the_budget(server: InMemoryServer) -> None:
    """While the budget is used up, a call of the admin API is answered with 503."""
    server.budget.limit = 4
    answer = server.ask("POST /v1/devices", {"id": READER})
    assert (answer.code, answer.json["detail"]) == (503, "Too many request bodies are in memory at once; try again.")


def test_body_counts_until_it_is_answered(server: InMemoryServer) -> None:
    """A body uses the budget until its request is answered."""
    server.register(READER)
    body = {"payload": {"endpoint": "load_objects"}}
    waiting = server.begin(f"POST /v1/devices/{READER}/commands?wait=5", body)
    assert server.budget.used > 0
    server.clock.advance(5)
    assert waiting.answer().code == 202
    assert server.budget.used == 0


@pytest.mark.parametrize("sent", [10, 20])
def test_client_that_disconnects_in_its_body(server: InMemoryServer, sent: int) -> None:
    """If a client disconnects, in the middle of its body or while it waits, the budget gets the bytes back."""
    server.register(READER)
    data = request("GET /push?deviceId=7", b"x" * 20)
    poll = server.device_request(data[: len(data) - 20 + sent])
    assert server.budget.used == sent
    poll.hang_up()
    assert server.budget.used == 0


@pytest.mark.parametrize(("size", "threads"), [(SMALL, 0), (SMALL + 1, 1)])
def test_large_bodies_are_parsed_in_a_thread(server: InMemoryServer, size: int, threads: int) -> None:
    """A result over 64 KiB is parsed in a thread, so that no other request waits for it."""
    server.register(READER)
    command = server.put(READER, {"endpoint": "load_objects"})
    server.device_request(POLL)
    frame = len(b'{"response":""}')
    body = b'{"response":"%s"}' % (b"x" * (size - frame))
    assert server.device_request(request("POST /result?deviceId=7&uuid=a", body)).answer().code == 200
    assert server.off_reactor == threads
    assert server.command(command)["state"] == "succeeded"
