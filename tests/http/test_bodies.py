"""Tests of :mod:`pushd.http.bodies`: size limits of request bodies, the budgets of senders, and least rates."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from pushd.core.devices.admission import AdmissionMode
from pushd.core.tokens import REFUSAL_DELAY
from pushd.http.bodies import KIB, LARGE, PARSED_AT_ONCE, SMALL, Body, BodyGrant, Budget, Budgets, Sender, at_most
from pushd.model.errors import BodyTooLarge, Unavailable
from pushd.model.token import Role
from tests.connection import request
from tests.in_memory_server import BuildServer, InMemoryServer

CHUNKS = st.lists(st.binary(max_size=9), max_size=20)

READER = "controlid:7"
POLL = request("GET /push?deviceId=7&uuid=a")
RESULT = "POST /result?deviceId=7&uuid=a"
HALF = 2 * SMALL
"""The size of a body of which a half is sent."""


@given(CHUNKS)
def test_body_is_what_arrived(chunks: list[bytes]) -> None:
    """A body that arrives at once is what was sent, however it was cut on its way."""
    body = Body()
    for chunk in chunks:
        body.feed(chunk)
    assert body.content() == b"".join(chunks)


@given(st.integers(0, 60), st.integers(0, 20), CHUNKS)
def test_body_over_its_limit(limit: int, decided_after: int, chunks: list[bytes]) -> None:
    """A body over its limit is counted to its end, and nothing of it is kept."""
    budgets = Budgets()
    body = Body()
    for number, chunk in enumerate(chunks):
        if number == decided_after:
            body.decide(BodyGrant(Sender.OPERATOR, limit), budgets)
        body.feed(chunk)
    assert body.size == sum(map(len, chunks))
    is_limited = decided_after < len(chunks)
    assert body.oversized == (is_limited and body.size > limit)
    assert budgets.used == (body.size if is_limited and not body.oversized else 0)


def test_oversized_content() -> None:
    """The error for a body over its limit says how large it was, and the limit."""
    body = Body(limit=3)
    body.feed(b"four")
    with pytest.raises(BodyTooLarge, match=r"4 bytes; the limit is 3"):
        body.content()


@given(st.integers(0, 100), st.integers(0, 100), st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=30))))
def test_budgets_are_never_exceeded(small: int, large: int, arrivals: list[tuple[int, bytes]]) -> None:
    """All bodies of a sender together never use more than their budgets, and all of it is returned."""
    budgets = Budgets({Sender.OPERATOR: Budget(small * KIB)}, {Sender.OPERATOR: Budget(large * KIB)})
    bodies = [Body() for _ in range(4)]
    for body in bodies:
        body.decide(BodyGrant(Sender.OPERATOR, LARGE), budgets)
    for which, chunk in arrivals:
        bodies[which].feed(chunk * KIB)
        for budget in (budgets.small[Sender.OPERATOR], budgets.large[Sender.OPERATOR]):
            assert 0 <= budget.used <= budget.limit
    for body in bodies:
        body.release()
        body.release()
    assert budgets.used == 0


@pytest.mark.parametrize(("size", "calls"), [(SMALL, 0), (SMALL + 1, 1)])
def test_large_release(size: int, calls: int) -> None:
    """The end of a large body is reported, once, so that its memory can be returned."""
    released: list[None] = []
    body = Body()
    body.decide(BodyGrant(Sender.OPERATOR, LARGE), Budgets(on_large_release=lambda: released.append(None)))
    body.feed(b"x" * size)
    assert released == []
    body.release()
    body.release()
    assert len(released) == calls


def test_body_over_the_budget() -> None:
    """A body that exceeded the budget is unavailable, even if bytes of the budget are free again."""
    budgets, grant = Budgets({Sender.OPERATOR: Budget(5)}), BodyGrant(Sender.OPERATOR, 9)
    first, second = Body(), Body()
    for body in (first, second):
        body.decide(grant, budgets)
    first.feed(b"123")
    second.feed(b"456")
    first.release()
    second.feed(b"7")
    assert budgets.used == 0
    with pytest.raises(Unavailable, match="try again"):
        second.content()


def test_small_bodies_do_not_need_what_large_ones_use(server: InMemoryServer) -> None:
    """While large bodies of devices use up their budget, a small result that arrives in pieces is settled."""
    server.register(READER)
    command = server.put(READER, {"endpoint": "load_objects"})
    server.device_request(POLL)
    server.budgets.large[Sender.UNPROVEN_DEVICE].limit = HALF
    large = request(RESULT, b" " * (HALF + 1))
    begun = server.device_request(large[:-1])
    assert server.budgets.large[Sender.UNPROVEN_DEVICE].used == HALF
    small = request(RESULT, b'{"response":{}}')
    connection = server.device_request(small[:-1])
    connection.send(small[-1:])
    assert connection.answer().code == 200
    assert server.command(command)["state"] == "succeeded"
    begun.hang_up()


def test_result_over_the_budget(server: InMemoryServer) -> None:
    """While the budget is used up, a result is answered with 503: the device keeps it, and nothing is settled."""
    server.register(READER)
    command = server.put(READER, {"endpoint": "load_objects"})
    server.device_request(POLL)
    server.budgets.large[Sender.UNPROVEN_DEVICE].limit = SMALL
    answer = server.device_request(request(RESULT, b" " * HALF)).answer()
    assert (answer.code, answer.body) == (503, b"")
    assert server.command(command)["state"] == "sent"


def test_admin_call_over_the_budget(server: InMemoryServer) -> None:
    """While the budget is used up, a call of the admin API is answered with 503."""
    server.register(READER)
    server.budgets.large[Sender.OPERATOR].limit = SMALL
    answer = server.ask(f"POST /v1/devices/{READER}/commands", {"payload": {"endpoint": "e" * SMALL}})
    assert (answer.code, answer.json["detail"]) == (503, "Too many request bodies are in memory at once; try again.")


def unproven_bodies(server: InMemoryServer) -> Iterator[bytes]:
    """The requests of clients that prove nothing, each with a large body."""
    for line in (
        f"POST /v1/devices/{READER}/commands",
        "POST /v1/devices",
        "PUT /v1/devices",
        "GET /v1/devices",
        "POST /nothing",
    ):
        for header in ([], ["Authorization: Bearer wrong"]):
            yield request(line, b" " * HALF, *header)
    viewer = f"Authorization: Bearer {server.token_of(Role.VIEWER)}"
    yield request(f"POST /v1/devices/{READER}/commands", b" " * HALF, viewer)


def test_bodies_without_a_token(server: InMemoryServer) -> None:
    """Nothing is kept of a body that begins to arrive at the admin port without an operator's token."""
    server.register(READER)
    for data in unproven_bodies(server):
        begun = server.call(data[: -HALF // 2])
        assert server.budgets.used == 0
        begun.send(data[-HALF // 2 :])
        server.clock.advance(REFUSAL_DELAY)
        assert begun.answer().code in (200, 401, 403, 404, 405)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"admission": "blocked"}, RESULT),
        ({"admission": "pending"}, RESULT),
        ({"allow_from": ["10.0.0.0/8"]}, RESULT),
        ({}, RESULT.replace("POST", "PUT")),
        ({}, RESULT.replace("/result", "/other")),
        ({}, RESULT.replace("/result", "/d/unknown/result")),
        ({}, RESULT.replace("deviceId=7", "deviceId=8")),
        ({}, RESULT.replace("deviceId=7", "deviceId=x")),
        ({}, "POST /push/unknown/result/m"),
        ({}, "POST /push/unknown/ack/m"),
        ({}, "POST /1/push"),
    ],
)
def test_bodies_of_refused_devices(build_server: BuildServer, fields: dict[str, Any], line: str) -> None:
    """Nothing is kept of a body that begins to arrive for no route, or from a device that is not served."""
    server = build_server(admission=AdmissionMode.APPROVE)
    server.register(READER)
    server.put(READER, {"endpoint": "load_objects"})
    server.device_request(POLL)
    server.ask(f"PATCH /v1/devices/{READER}", fields)
    begun = server.device_request(request(line, b" " * HALF)[: -HALF // 2])
    assert server.budgets.used == 0
    begun.send(b" " * (HALF // 2))
    server.clock.advance(5)
    assert begun.answer().code in (200, 400, 404, 405)


def test_bodies_where_proofs_are_required(build_server: BuildServer) -> None:
    """With ``--require-proof`` nothing is kept of the body of a device that has no proof configured."""
    server = build_server(require_proof=True)
    server.register(READER)
    begun = server.device_request(request(RESULT, b" " * HALF)[: -HALF // 2])
    assert server.budgets.used == 0
    begun.hang_up()


def test_budget_of_proven_devices(server: InMemoryServer) -> None:
    """Devices that prove their identity have a budget of their own: no client without a proof can use it up."""
    server.register(READER, allow_from=["192.0.2.0/24"])
    server.put(READER, {"endpoint": "load_objects"})
    server.device_request(POLL)
    begun = server.device_request(request(RESULT, b" " * HALF)[:-1])
    assert server.budgets.large[Sender.PROVEN_DEVICE].used == HALF - 1
    begun.hang_up()


def test_result_that_began_before_the_approval(build_server: BuildServer) -> None:
    """A result that began to arrive while its device was pending is answered with 503, not dropped, once it counts."""
    server = build_server(admission=AdmissionMode.APPROVE)
    server.register(READER, admission="pending")
    data = request(RESULT, b'{"response":{}}')
    begun = server.device_request(data[:-1])
    server.ask(f"PATCH /v1/devices/{READER}", {"admission": "approved"})
    begun.send(data[-1:])
    assert begun.answer().code == 503


def test_body_counts_until_it_is_answered(server: InMemoryServer) -> None:
    """A body that arrived in pieces uses the budget until its result is settled."""
    server.register(READER)
    server.put(READER, {"endpoint": "load_objects"})
    server.device_request(POLL)
    server.threads_are_busy = True
    waiting = server.device_request(request(RESULT, b'{"response":{}}'.ljust(HALF)))
    assert server.budgets.used == HALF
    server.run_threads()
    assert waiting.answer().code == 200
    assert server.budgets.used == 0


def test_waiting_request_keeps_no_body(server: InMemoryServer) -> None:
    """A request that waits for the end of its command keeps nothing of its body."""
    server.register(READER)
    body = {"payload": {"endpoint": "load_objects", "body": "x" * HALF}}
    waiting = server.begin(f"POST /v1/devices/{READER}/commands?wait=5", body)
    assert server.budgets.used == 0
    server.clock.advance(5)
    assert waiting.answer().code == 202


def test_client_that_disconnects_in_its_body(server: InMemoryServer) -> None:
    """If a client disconnects in the middle of its body, the budget gets the bytes back."""
    server.register(READER)
    begun = server.device_request(request(RESULT, b"x" * 20)[:-10])
    assert server.budgets.used == 10
    begun.hang_up()
    assert server.budgets.used == 0


def test_head_that_arrives_slowly(server: InMemoryServer) -> None:
    """A head must be whole within 20 s of its first byte, however often a piece of it arrives."""
    connection = server.connect()
    server.clock.advance(50)
    for piece in (b"GE", b"T /push?deviceId=7 HTTP/1.1\r\n", b"Host: a\r\n"):
        connection.send(piece)
        server.clock.advance(6)
    assert not connection.closed_by_server
    server.clock.advance(2)
    assert connection.closed_by_server


def test_second_head_that_arrives_slowly(server: InMemoryServer) -> None:
    """The head of a later request must be whole within 20 s as well."""
    connection = server.device_request(request("GET /push/c/signoff"))
    assert connection.answer().code == 200
    server.clock.advance(50)
    connection.send(b"GET /push/c/sig")
    server.clock.advance(19)
    assert not connection.closed_by_server
    server.clock.advance(1)
    assert connection.closed_by_server


@pytest.mark.parametrize("chunked", [False, True])
def test_body_that_arrives_slowly(server: InMemoryServer, chunked: bool) -> None:
    """A body has a minute and a second for each KiB; one that is slower is closed, and its budget is free again."""
    server.register(READER)
    head = request(RESULT, b"", "Transfer-Encoding: chunked" if chunked else f"Content-Length: {HALF}")
    connection = server.device_request(head + (b"1\r\n \r\n" if chunked else b" "))
    for _ in range(30):  # half a KiB each second, for a minute and a half
        server.clock.advance(1)
        connection.send(b"200\r\n%b\r\n" % (b" " * 512) if chunked else b" " * 512)
    for _ in range(44):
        server.clock.advance(1)
        assert not connection.closed_by_server
        connection.send(b"000" if chunked else b"")
    server.clock.advance(1)
    assert connection.closed_by_server
    connection.hang_up()
    assert server.budgets.used == 0


def test_body_over_a_slow_link(server: InMemoryServer) -> None:
    """A body that arrives at a KiB a second is taken, though it takes minutes; and so is the next request."""
    server.register(READER)
    command = server.put(READER, {"endpoint": "load_objects"})
    server.device_request(POLL)
    data = request(RESULT, b'{"response":{}}'.ljust(200 * KIB))
    connection = server.connect()
    for start in range(0, len(data), KIB):
        connection.send(data[start : start + KIB])
        server.clock.advance(1)
    assert connection.answer().code == 200
    assert server.command(command)["state"] == "succeeded"
    server.clock.advance(30)
    assert not connection.closed_by_server


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


def test_large_bodies_are_parsed_two_at_a_time() -> None:
    """At most two large bodies are parsed at a time; the others follow in order, also after one that fails."""
    begun: list[Deferred[int]] = []

    def in_thread(_work: Callable[[], int]) -> Deferred[int]:
        begun.append(Deferred())
        return begun[-1]

    done: list[object] = []
    parse_in_thread = at_most(PARSED_AT_ONCE, in_thread)
    for number in range(4):
        parse_in_thread(lambda: 0).addErrback(lambda failure: failure.type).addCallback(done.append)
        assert len(begun) == min(number + 1, 2)
    begun[1].errback(LookupError())
    assert (len(begun), done) == (3, [LookupError])
    begun[0].callback(0)
    begun[2].callback(2)
    begun[3].callback(3)
    assert done == [LookupError, 0, 2, 3]
