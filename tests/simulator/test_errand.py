"""One message in work at a simulated Server-Eye container."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pushd.simulator.faults import Fault, Faults
from pushd.simulator.servereye.message_task import Errand
from pushd.simulator.servereye.push_service import PushService
from tests.simulator.counterpart import Counterpart

ACK = "/push/c1/ack/m1"
RESULT = "/push/c1/result/m1"


@contextmanager
def received(
    server: Counterpart, seconds: float = 1.0, fault: Fault | None = None, die: Callable[[], None] | None = None
) -> Iterator[Errand]:
    """An errand whose message has just come, dropped in the end."""
    errand = Errand(
        message_id="m1",
        service=PushService(line=server.line(), container="c1"),
        clock=server.clock,
        faults=Faults(odds={} if fault is None else {fault: 1.0}),
        seconds=seconds,
        body=b'{"success":true}',
        retry=10.0,
        taken=lambda: None,
        die=die,
    )
    errand.receive()
    yield errand
    errand.drop()


def acks(server: Counterpart) -> int:
    """How many acks came since the last time; they are answered."""
    count = server.waiting().count(f"POST {ACK}")
    for _ in range(count):
        server.take("POST", ACK).answer(b'{"success":true,"message":"ok"}')
    return count


def test_acknowledge(server: Counterpart) -> None:
    """A message is acknowledged at once, and reported when the work is done."""
    with received(server):
        assert acks(server) == 1
        server.advance(1)
        assert server.take("POST", RESULT).body == b'{"success":true}'
        assert acks(server) == 0


def test_long_work_is_kept_alive(server: Counterpart) -> None:
    """Forty seconds of work are acknowledged at the start, after 15 and after 30 seconds, and not after that."""
    with received(server, seconds=40):
        heard = {}
        for second in range(60):
            if acks(server):
                heard[second] = server.waiting()
            server.advance(1)
        assert list(heard) == [0, 15, 30]
        assert server.waiting() == [f"POST {RESULT}"]


def test_ack_may_arrive_last(server: Counterpart) -> None:
    """A result does not wait for the ack to be answered."""
    with received(server):
        server.advance(1)
        assert server.waiting() == [f"POST {ACK}", f"POST {RESULT}"]


@pytest.mark.parametrize("code", [400, 503])
def test_ack_fails(server: Counterpart, code: int) -> None:
    """An ack that is not taken does not end the work, and the next one is sent as usual."""
    with received(server, seconds=40):
        server.take("POST", ACK).answer(code=code)
        server.advance(15)
        assert acks(server) == 1


def test_result_is_retried(server: Counterpart) -> None:
    """A result that is not taken is sent again until it is, without working again."""
    with received(server):
        assert acks(server) == 1
        server.advance(1)
        server.take("POST", RESULT).answer(code=503)
        server.advance(9.9)
        assert server.waiting() == []
        server.advance(0.1)
        server.take("POST", RESULT).lose()
        server.advance(10)
        server.take("POST", RESULT).answer()
        server.advance(60)
        assert server.waiting() == []


def test_repeat_while_working(server: Counterpart) -> None:
    """A message that comes again while it is in work is acknowledged again, and reported once."""
    with received(server) as errand:
        assert acks(server) == 1
        errand.receive()
        assert acks(server) == 1
        server.advance(1)
        assert server.waiting() == [f"POST {RESULT}"]


def test_repeat_while_reporting(server: Counterpart) -> None:
    """A message that comes again while its result is on the way changes nothing."""
    with received(server) as errand:
        assert acks(server) == 1
        server.advance(1)
        errand.receive()
        result = server.take("POST", RESULT)
        assert server.waiting() == []
        result.answer(code=500)
        errand.receive()
        assert server.waiting() == []
        server.advance(10)
        assert server.waiting() == [f"POST {RESULT}"]


def test_repeat_when_done(server: Counterpart) -> None:
    """A message that comes again when its result was taken is not worked on again: the result is sent again."""
    with received(server, seconds=20) as errand:
        assert acks(server) == 1
        server.advance(20)
        assert acks(server) == 1
        server.take("POST", RESULT).answer()
        errand.receive()
        assert acks(server) == 1
        server.take("POST", RESULT).answer()
        server.advance(60)
        assert server.waiting() == []


def test_lose_result(server: Counterpart) -> None:
    """A result that is lost is never sent."""
    with received(server, fault=Fault.LOSE_RESULT):
        assert acks(server) == 1
        server.advance(60)
        assert server.waiting() == []


def test_late_ack(server: Counterpart) -> None:
    """An ack that is late may come after the result."""
    with received(server, seconds=0.1, fault=Fault.LATE_ACK):
        server.advance(0.1)
        assert server.waiting() == [f"POST {RESULT}"]
        server.advance(2)
        assert server.waiting() == [f"POST {RESULT}", f"POST {ACK}"]


def test_late_result(server: Counterpart) -> None:
    """A result that is late comes some time after the work was done."""
    with received(server, fault=Fault.LATE_RESULT):
        assert acks(server) == 1
        server.advance(1)
        assert server.waiting() == []
        server.advance(2)
        assert server.waiting() == [f"POST {RESULT}"]


@pytest.mark.parametrize("fault", [Fault.LATE_ACK, Fault.LATE_RESULT])
def test_drop_while_late(server: Counterpart, fault: Fault) -> None:
    """What is late when an errand is dropped is never sent."""
    with received(server, fault=fault):
        acks(server)
        if fault is Fault.LATE_RESULT:
            server.advance(1)
    server.advance(60)
    assert server.waiting() == []


def test_lose_receipt(server: Counterpart) -> None:
    """A container that hangs up before it read the answer to its result sends it again."""
    with received(server, fault=Fault.LOSE_RECEIPT):
        assert acks(server) == 1
        server.advance(1)
        server.take("POST", RESULT).answer(b"{}")
        assert server.waiting() == []
        server.advance(10)
        assert server.waiting() == [f"POST {RESULT}"]


def test_repeat_result(server: Counterpart) -> None:
    """A result that is repeated is sent again though the server took it."""
    with received(server, fault=Fault.REPEAT_RESULT):
        assert acks(server) == 1
        server.advance(1)
        server.take("POST", RESULT).answer()
        server.advance(10)
        assert server.waiting() == [f"POST {RESULT}"]


def test_die(server: Counterpart) -> None:
    """An errand that the container does not survive ends halfway, without a result."""
    deaths: list[float] = []
    with received(server, seconds=40, die=lambda: deaths.append(server.clock.seconds())) as errand:
        begun = server.clock.seconds()
        server.advance(20)
        assert deaths == [begun + 20]
        errand.drop()
        acks(server)
        server.advance(60)
        assert server.waiting() == []


@pytest.mark.parametrize("moment", ["working", "reporting", "insisting", "done"])
def test_drop(server: Counterpart, moment: str) -> None:
    """An errand that is dropped hangs up, and is never heard of again."""
    with received(server):
        if moment != "working":
            server.advance(1)
        if moment in ("insisting", "done"):
            server.take("POST", RESULT).answer(code=503 if moment == "insisting" else 200)
        held = server.waiting()
        assert f"POST {ACK}" in held
    server.advance(60)
    assert server.waiting() == []
