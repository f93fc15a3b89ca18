"""One message that a simulated Server-Eye container processes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pushd.simulator.faults import Fault, Faults
from pushd.simulator.servereye.client import ServerEyeClient
from pushd.simulator.servereye.message_task import MessageTask
from tests.simulator.fake_server import FakeServer

ACK = "/push/c1/ack/m1"
RESULT = "/push/c1/result/m1"


@contextmanager
def received(
    server: FakeServer, seconds: float = 1.0, fault: Fault | None = None, crash: Callable[[], None] | None = None
) -> Iterator[MessageTask]:
    """A task whose message was just received; it is stopped at the end."""
    task = MessageTask(
        message_id="m1",
        client=ServerEyeClient(http=server.client(), container="c1"),
        clock=server.clock,
        faults=Faults(probabilities={} if fault is None else {fault: 1.0}),
        seconds=seconds,
        body=b'{"success":true}',
        retry_delay=10.0,
        on_accepted=lambda: None,
        crash=crash,
    )
    task.receive()
    yield task
    task.stop()


def acks(server: FakeServer) -> int:
    """Answer the acks since the last call; returns how many there were."""
    count = server.waiting().count(f"POST {ACK}")
    for _ in range(count):
        server.take("POST", ACK).answer(b'{"success":true,"message":"ok"}')
    return count


def test_acknowledge(server: FakeServer) -> None:
    """A message is acknowledged at once, and reported when the work is done."""
    with received(server):
        assert acks(server) == 1
        server.advance(1)
        assert server.take("POST", RESULT).body == b'{"success":true}'
        assert acks(server) == 0


def test_long_work_is_acknowledged(server: FakeServer) -> None:
    """Work of forty seconds is acknowledged at its start, after 15 and after 30 seconds, and not after its end."""
    with received(server, seconds=40):
        acknowledged = {}
        for second in range(60):
            if acks(server):
                acknowledged[second] = server.waiting()
            server.advance(1)
        assert list(acknowledged) == [0, 15, 30]
        assert server.waiting() == [f"POST {RESULT}"]


def test_ack_may_arrive_last(server: FakeServer) -> None:
    """A result does not wait for the response to the ack."""
    with received(server):
        server.advance(1)
        assert server.waiting() == [f"POST {ACK}", f"POST {RESULT}"]


@pytest.mark.parametrize("code", [400, 503])
def test_ack_fails(server: FakeServer, code: int) -> None:
    """A rejected ack does not end the work, and the next one is sent as usual."""
    with received(server, seconds=40):
        server.take("POST", ACK).answer(code=code)
        server.advance(15)
        assert acks(server) == 1


def test_result_is_retried(server: FakeServer) -> None:
    """A result is sent again until it is accepted, without executing the message again."""
    with received(server):
        assert acks(server) == 1
        server.advance(1)
        server.take("POST", RESULT).answer(code=503)
        server.advance(9.9)
        assert server.waiting() == []
        server.advance(0.1)
        server.take("POST", RESULT).drop()
        server.advance(10)
        server.take("POST", RESULT).answer()
        server.advance(60)
        assert server.waiting() == []


def test_redelivery_while_working(server: FakeServer) -> None:
    """A message that is redelivered while it is processed is acknowledged again, and reported once."""
    with received(server) as task:
        assert acks(server) == 1
        task.receive()
        assert acks(server) == 1
        server.advance(1)
        assert server.waiting() == [f"POST {RESULT}"]


def test_redelivery_while_reporting(server: FakeServer) -> None:
    """A message that is redelivered while its result is being sent changes nothing."""
    with received(server) as task:
        assert acks(server) == 1
        server.advance(1)
        task.receive()
        result = server.take("POST", RESULT)
        assert server.waiting() == []
        result.answer(code=500)
        task.receive()
        assert server.waiting() == []
        server.advance(10)
        assert server.waiting() == [f"POST {RESULT}"]


def test_redelivery_when_done(server: FakeServer) -> None:
    """A message that is redelivered after its result was accepted is not executed again: the result is sent again."""
    with received(server, seconds=20) as task:
        assert acks(server) == 1
        server.advance(20)
        assert acks(server) == 1
        server.take("POST", RESULT).answer()
        task.receive()
        assert acks(server) == 1
        server.take("POST", RESULT).answer()
        server.advance(60)
        assert server.waiting() == []


def test_lose_result(server: FakeServer) -> None:
    """A result that is lost is never sent."""
    with received(server, fault=Fault.LOSE_RESULT):
        assert acks(server) == 1
        server.advance(60)
        assert server.waiting() == []


def test_late_ack(server: FakeServer) -> None:
    """An ack that is late may come after the result."""
    with received(server, seconds=0.1, fault=Fault.LATE_ACK):
        server.advance(0.1)
        assert server.waiting() == [f"POST {RESULT}"]
        server.advance(2)
        assert server.waiting() == [f"POST {RESULT}", f"POST {ACK}"]


def test_late_result(server: FakeServer) -> None:
    """A result that is late is sent some time after the work is done."""
    with received(server, fault=Fault.LATE_RESULT):
        assert acks(server) == 1
        server.advance(1)
        assert server.waiting() == []
        server.advance(2)
        assert server.waiting() == [f"POST {RESULT}"]


@pytest.mark.parametrize("fault", [Fault.LATE_ACK, Fault.LATE_RESULT])
def test_stop_while_late(server: FakeServer, fault: Fault) -> None:
    """A late ack or result is never sent if the task is stopped before."""
    with received(server, fault=fault):
        acks(server)
        if fault is Fault.LATE_RESULT:
            server.advance(1)
    server.advance(60)
    assert server.waiting() == []


def test_lose_receipt(server: FakeServer) -> None:
    """A result is sent again if the connection was closed before its response was read."""
    with received(server, fault=Fault.LOSE_RECEIPT):
        assert acks(server) == 1
        server.advance(1)
        server.take("POST", RESULT).answer(b"{}")
        assert server.waiting() == []
        server.advance(10)
        assert server.waiting() == [f"POST {RESULT}"]


def test_repeat_result(server: FakeServer) -> None:
    """A result that is repeated is sent again although the server accepted it."""
    with received(server, fault=Fault.REPEAT_RESULT):
        assert acks(server) == 1
        server.advance(1)
        server.take("POST", RESULT).answer()
        server.advance(10)
        assert server.waiting() == [f"POST {RESULT}"]


def test_crash(server: FakeServer) -> None:
    """A task that crashes the container ends halfway, without a result."""
    crashes: list[float] = []
    with received(server, seconds=40, crash=lambda: crashes.append(server.clock.seconds())) as task:
        started_at = server.clock.seconds()
        server.advance(20)
        assert crashes == [started_at + 20]
        task.stop()
        acks(server)
        server.advance(60)
        assert server.waiting() == []


@pytest.mark.parametrize("moment", ["working", "reporting", "retrying", "done"])
def test_stop(server: FakeServer, moment: str) -> None:
    """An errand that is dropped hangs up, and is never acknowledged of again."""
    with received(server):
        if moment != "working":
            server.advance(1)
        if moment in ("retrying", "done"):
            server.take("POST", RESULT).answer(code=503 if moment == "retrying" else 200)
        held = server.waiting()
        assert f"POST {ACK}" in held
    server.advance(60)
    assert server.waiting() == []
