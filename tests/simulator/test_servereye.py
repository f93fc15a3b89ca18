"""A simulated Server-Eye container, over recorded bytes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import ANY

import pytest
from twisted.internet.defer import Deferred

from pushd.simulator.faults import Fault, Faults
from pushd.simulator.journal import Journal
from pushd.simulator.servereye.device import ServerEyeDevice
from pushd.simulator.servereye.push_service import PushService
from tests.simulator.counterpart import Counterpart

CONTAINER = "0f3b7cbe-9d0c-4a4b-8b53-6f7f6f2f3b1a"
PUSH = f"/push/{CONTAINER}"
SIGN_OFF = f"{PUSH}/signoff"
IDLE = b'{"success":false,"message":"no message"}'
OK = b'{"success":true,"message":"ok"}'


@contextmanager
def running(server: Counterpart, **settings: Any) -> Iterator[ServerEyeDevice]:
    """A container at work, stopped in the end and let go by the server."""
    key = settings.pop("api_key", None)
    device = ServerEyeDevice(
        service=PushService(line=server.line(), container=CONTAINER, api_key=key),
        clock=server.clock,
        journal=Journal(clock=server.clock),
        **{"work": 1.0, "retry": 10.0} | settings,
    )
    device.start()
    yield device
    device.stop()
    server.advance(2)


def message(control: str, data: str = "", message_id: str = "m1") -> bytes:
    """A message as the vendor's service sends it."""
    ids = dict.fromkeys(("rootContainerId", "containerId", "senderId"), CONTAINER)
    told = {**ids, "messageId": message_id, "control": control, "data": data}
    return json.dumps({"success": True, "message": "message", "data": told}).encode()


def result_of(server: Counterpart, control: str, data: str = "", seconds: float = 1.0) -> Any:
    """What a container reports about a message, after so many seconds."""
    server.take("GET", PUSH).answer(message(control, data))
    server.take("POST", f"{PUSH}/ack/m1").answer(OK)
    server.advance(seconds)
    result = server.take("POST", f"{PUSH}/result/m1")
    result.answer(OK)
    return json.loads(result.body)


def always(*faults: Fault) -> Faults:
    """Faults that strike each time."""
    return Faults(odds=dict.fromkeys(faults, 1.0))


def test_poll(server: Counterpart) -> None:
    """A container polls by its id, and again at once when there is nothing."""
    with running(server):
        for _ in range(3):
            poll = server.take("GET", PUSH)
            assert poll.args == {}
            poll.answer(IDLE)
        assert server.waiting() == [f"GET {PUSH}"]


def test_api_key(server: Counterpart) -> None:
    """A container that has an API key sends it with every call."""
    with running(server, api_key="k&y") as device:
        calls = [server.take("GET", PUSH)]
        calls[0].answer(message("REFRESH_AGENT"))
        server.advance(1)
        calls += [server.take("POST", f"{PUSH}/{call}/m1") for call in ("ack", "result")]
        device.stop()
        calls.append(server.take("GET", SIGN_OFF))
        calls[-1].answer(OK)
        assert [call.args for call in calls] == [{"apiKey": "k&y"}] * 4


def test_timeout(server: Counterpart) -> None:
    """A container waits a minute for an answer, hangs up, and polls again some seconds later."""
    with running(server):
        poll = server.take("GET", PUSH)
        server.advance(59.9)
        assert not poll.hung_up()
        server.advance(0.1)
        assert poll.hung_up()
        server.advance(10)
        assert server.waiting() == [f"GET {PUSH}"]


@pytest.mark.parametrize(
    ("code", "body"), [(403, b'{"success":false,"message":"no"}'), (200, b""), (200, b'{"success":true,"data":null}')]
)
def test_bad_answer(server: Counterpart, code: int, body: bytes) -> None:
    """An error, or an answer that is no envelope, makes a container wait before it polls again."""
    with running(server):
        server.take("GET", PUSH).answer(body, code)
        assert server.waiting() == []
        server.advance(10)
        assert server.waiting() == [f"GET {PUSH}"]


def test_message(server: Counterpart) -> None:
    """A message is acknowledged, and the next poll sent, at once; the result comes when the work is done."""
    with running(server):
        server.take("GET", PUSH).answer(message("REFRESH_AGENT"))
        assert sorted(server.waiting()) == [f"GET {PUSH}", f"POST {PUSH}/ack/m1"]
        server.take("POST", f"{PUSH}/ack/m1").answer(OK)
        server.advance(1)
        result = server.take("POST", f"{PUSH}/result/m1")
        assert json.loads(result.body) == {"success": True, "message": "refreshed", "data": {"agents": []}}


def test_several_at_a_time(server: Counterpart) -> None:
    """Messages that come while others are in work are worked on beside them."""
    with running(server):
        for name in ("m1", "m2"):
            server.take("GET", PUSH).answer(message("REMOTE_ACTION", '{"seconds":10}', name))
            server.take("POST", f"{PUSH}/ack/{name}").answer(OK)
        server.advance(10)
        assert sorted(server.waiting()) == [f"GET {PUSH}", f"POST {PUSH}/result/m1", f"POST {PUSH}/result/m2"]


def test_structured_data(server: Counterpart) -> None:
    """Structured data travels as JSON text, and comes back structured."""
    with running(server):
        result = result_of(server, "REMOTE_ACTION", '{"action":"echo","list":[1,{"ü":null}]}')
        assert result == {"success": True, "message": "done", "data": {"action": "echo", "list": [1, {"ü": None}]}}


def test_reported_failure(server: Counterpart) -> None:
    """Work that fails is reported as such, with the reason."""
    with running(server):
        assert result_of(server, "REMOTE_ACTION", '{"fail":"disk full"}') == {"success": False, "message": "disk full"}


def test_long_work(server: Counterpart) -> None:
    """A message that asks for forty seconds of work lives by its acks, and is reported after forty seconds."""
    with running(server):
        server.take("GET", PUSH).answer(message("REMOTE_ACTION", '{"seconds":40}'))
        for pause in (15, 15, 10):
            server.take("POST", f"{PUSH}/ack/m1").answer(OK)
            server.advance(pause)
        assert json.loads(server.take("POST", f"{PUSH}/result/m1").body) == {"success": True, "message": "done"}


def test_unknown_control(server: Counterpart) -> None:
    """A control that the container does not know is neither acknowledged nor reported."""
    with running(server):
        server.take("GET", PUSH).answer(message("MAKE_COFFEE"))
        server.advance(59)
        assert server.waiting() == [f"GET {PUSH}"]


def test_repeat(server: Counterpart) -> None:
    """A message that was run is not run again: its result is reported again."""
    with running(server) as device:
        first = result_of(server, "ADD_OR_UPDATE_AGENT", "a7")
        device.agent.agents.clear()
        assert result_of(server, "ADD_OR_UPDATE_AGENT", "a7", seconds=0) == first
        assert device.agent.agents == set()


def test_memory_is_bounded(server: Counterpart) -> None:
    """A container that has run very many messages has forgotten the first, and would run it again."""
    with running(server, memory=3) as device:
        for number in range(4):
            server.take("GET", PUSH).answer(message("ADD_OR_UPDATE_AGENT", "a7", f"m{number}"))
        device.agent.agents.clear()
        server.take("GET", PUSH).answer(message("ADD_OR_UPDATE_AGENT", "a7", "m1"))
        assert device.agent.agents == set()
        server.take("GET", PUSH).answer(message("ADD_OR_UPDATE_AGENT", "a7", "m0"))
        assert device.agent.agents == {"a7"}


def test_sign_off(server: Counterpart) -> None:
    """A container that is stopped signs off first, closes its poll when that is answered, and only then has gone."""
    with running(server) as device:
        poll = server.take("GET", PUSH)
        gone = device.stop()
        sign_off = server.take("GET", SIGN_OFF)
        assert not poll.hung_up()
        assert not gone.called
        sign_off.answer(OK)
        server.advance(0)
        assert poll.hung_up()
        assert gone.called


def test_sign_off_unanswered(server: Counterpart) -> None:
    """A container waits two seconds for the answer to its sign-off, and goes without it."""
    with running(server) as device:
        poll = server.take("GET", PUSH)
        gone = device.stop()
        server.take("GET", SIGN_OFF)
        server.advance(1.9)
        assert not gone.called
        server.advance(0.1)
        assert poll.hung_up()
        assert gone.called


@pytest.mark.parametrize("body", [IDLE, message("REFRESH_AGENT")])
def test_answer_while_leaving(server: Counterpart, body: bytes) -> None:
    """A poll that is answered while the container leaves does not make it stay."""
    with running(server) as device:
        gone = device.stop()
        server.take("GET", PUSH).answer(body)
        server.take("GET", SIGN_OFF).answer(OK)
        assert server.waiting() == []
        assert gone.called


def test_poll_lost_while_leaving(server: Counterpart) -> None:
    """A poll that ends badly while the container leaves does not make it stay either."""
    with running(server) as device:
        device.stop()
        server.take("GET", PUSH).lose()
        server.take("GET", SIGN_OFF).answer(OK)
        server.advance(60)
        assert server.waiting() == []


def test_stop_while_resting(server: Counterpart) -> None:
    """A container that is stopped while it waits to poll again signs off, too."""
    with running(server) as device:
        server.take("GET", PUSH).answer(code=503)
        gone = device.stop()
        server.take("GET", SIGN_OFF).answer(OK)
        assert gone.called


def test_stop_while_working(server: Counterpart) -> None:
    """A container that is stopped leaves its work, and acknowledges it no more."""
    with running(server) as device:
        server.take("GET", PUSH).answer(message("REMOTE_ACTION", '{"seconds":40}'))
        ack = server.take("POST", f"{PUSH}/ack/m1")
        device.stop()
        server.take("GET", SIGN_OFF).answer(OK)
        server.advance(60)
        assert ack.hung_up()
        assert server.waiting() == []


def test_stop_twice(server: Counterpart) -> None:
    """A container that has gone has nothing to sign off from."""
    with running(server) as device:
        device.stop()
        server.take("GET", SIGN_OFF).answer(OK)
        again: Deferred[None] = device.stop()
        assert again.called
        assert server.waiting() == []


def test_die_working(server: Counterpart) -> None:
    """A container that dies loses all its work and its memory, hangs up, and polls again when it was started again."""
    with running(server, faults=always(Fault.DIE_WORKING)) as device:
        for name in ("m1", "m2"):
            server.take("GET", PUSH).answer(message("ADD_OR_UPDATE_AGENT", "a7", name))
            server.take("POST", f"{PUSH}/ack/{name}").answer(OK)
        poll = server.take("GET", PUSH)
        server.advance(0.5)
        assert poll.hung_up()
        server.advance(10)
        assert server.waiting() == [f"GET {PUSH}"]
        device.agent.agents.clear()
        server.take("GET", PUSH).answer(message("ADD_OR_UPDATE_AGENT", "a7", "m1"))
        assert device.agent.agents == {"a7"}


def test_die_while_resting(server: Counterpart) -> None:
    """A container may die while it waits to poll again."""
    with running(server, faults=always(Fault.DIE_WORKING)):
        server.take("GET", PUSH).answer(message("REFRESH_AGENT"))
        server.take("POST", f"{PUSH}/ack/m1").answer(OK)
        server.take("GET", PUSH).answer(code=503)
        server.advance(10)
        assert server.waiting() == [f"GET {PUSH}"]


def test_drop_answer(server: Counterpart) -> None:
    """A container whose connection is cut never reads the message."""
    with running(server, faults=always(Fault.DROP_ANSWER)):
        server.take("GET", PUSH).answer(message("REFRESH_AGENT"))
        assert server.waiting() == []
        server.advance(10)
        assert server.waiting() == [f"GET {PUSH}"]


def test_lose_answer(server: Counterpart) -> None:
    """A container may lose a message that it has read; that message is neither acknowledged nor run."""
    with running(server, faults=always(Fault.LOSE_ANSWER)) as device:
        server.take("GET", PUSH).answer(message("ADD_OR_UPDATE_AGENT", "a7"))
        assert server.waiting() == []
        assert device.agent.agents == set()
        server.advance(10)
        assert server.waiting() == [f"GET {PUSH}"]


def test_slow_reader(server: Counterpart) -> None:
    """A slow reader runs a message only once it has read it."""
    with running(server, faults=always(Fault.SLOW_READER)) as device:
        server.take("GET", PUSH).answer(message("ADD_OR_UPDATE_AGENT", "a7"))
        assert device.agent.agents == set()
        server.advance(2)
        assert device.agent.agents == {"a7"}


def test_early_hangup(server: Counterpart) -> None:
    """A container that hangs up early does not wait half of its minute."""
    with running(server, faults=always(Fault.EARLY_HANGUP)):
        poll = server.take("GET", PUSH)
        server.advance(30)
        assert poll.hung_up()


def test_slow(server: Counterpart) -> None:
    """A slow container reports some seconds later."""
    with running(server, faults=always(Fault.SLOW)):
        server.take("GET", PUSH).answer(message("REFRESH_AGENT"))
        server.take("POST", f"{PUSH}/ack/m1").answer(OK)
        server.advance(5)
        assert server.waiting() == [f"GET {PUSH}"]
        server.advance(16)
        assert f"POST {PUSH}/result/m1" in server.waiting()


def test_strange_data(server: Counterpart) -> None:
    """What cannot be written back is reported as a failure."""
    with running(server):
        result = result_of(server, "REMOTE_ACTION", '{"action":"echo","it":"\\ud800"}')
        assert result == {"success": False, "message": ANY}
