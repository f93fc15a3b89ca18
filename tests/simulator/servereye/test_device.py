"""A simulated Server-Eye container, on the bytes that it sends and receives."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import ANY

import pytest
from twisted.internet.defer import Deferred

from pushd.simulator.faults import Fault, Faults
from pushd.simulator.journal import Journal
from pushd.simulator.servereye.client import ServerEyeClient
from pushd.simulator.servereye.device import ServerEyeDevice
from tests.simulator.fake_server import FakeServer

CONTAINER = "0f3b7cbe-9d0c-4a4b-8b53-6f7f6f2f3b1a"
PUSH = f"/push/{CONTAINER}"
SIGN_OFF = f"{PUSH}/signoff"
IDLE = b'{"success":false,"message":"no message"}'
OK = b'{"success":true,"message":"ok"}'


@contextmanager
def running(server: FakeServer, **settings: Any) -> Iterator[ServerEyeDevice]:
    """A container that runs, and is stopped at the end."""
    key = settings.pop("api_key", None)
    device = ServerEyeDevice(
        client=ServerEyeClient(http=server.client(), container=CONTAINER, api_key=key),
        clock=server.clock,
        journal=Journal(clock=server.clock),
        **{"command_duration": 1.0, "retry_delay": 10.0} | settings,
    )
    device.start()
    yield device
    device.stop()
    server.advance(2)


def message(control: str, data: str = "", message_id: str = "m1") -> bytes:
    """A message as the vendor's service sends it."""
    ids = dict.fromkeys(("rootContainerId", "containerId", "senderId"), CONTAINER)
    data_fields = {**ids, "messageId": message_id, "control": control, "data": data}
    return json.dumps({"success": True, "message": "message", "data": data_fields}).encode()


def result_of(server: FakeServer, control: str, data: str = "", seconds: float = 1.0) -> Any:
    """The result that a container reports for a message, after ``seconds``."""
    server.take("GET", PUSH).answer(message(control, data))
    server.take("POST", f"{PUSH}/ack/m1").answer(OK)
    server.advance(seconds)
    result = server.take("POST", f"{PUSH}/result/m1")
    result.answer(OK)
    return json.loads(result.body)


def always(*faults: Fault) -> Faults:
    """Faults that always occur."""
    return Faults(probabilities=dict.fromkeys(faults, 1.0))


def test_poll(server: FakeServer) -> None:
    """A container polls with its id, and again at once if there is no message."""
    with running(server):
        for _ in range(3):
            poll = server.take("GET", PUSH)
            assert poll.args == {}
            poll.answer(IDLE)
        assert server.waiting() == [f"GET {PUSH}"]


def test_api_key(server: FakeServer) -> None:
    """A container that has an API key sends it with every request."""
    with running(server, api_key="k&y") as device:
        calls = [server.take("GET", PUSH)]
        calls[0].answer(message("REFRESH_AGENT"))
        server.advance(1)
        calls += [server.take("POST", f"{PUSH}/{call}/m1") for call in ("ack", "result")]
        device.stop()
        calls.append(server.take("GET", SIGN_OFF))
        calls[-1].answer(OK)
        assert [call.args for call in calls] == [{"apiKey": "k&y"}] * 4


def test_timeout(server: FakeServer) -> None:
    """A container closes a poll after a minute, and polls again some seconds later."""
    with running(server):
        poll = server.take("GET", PUSH)
        server.advance(59.9)
        assert not poll.closed()
        server.advance(0.1)
        assert poll.closed()
        server.advance(10)
        assert server.waiting() == [f"GET {PUSH}"]


@pytest.mark.parametrize(
    ("code", "body"), [(403, b'{"success":false,"message":"no"}'), (200, b""), (200, b'{"success":true,"data":null}')]
)
def test_bad_answer(server: FakeServer, code: int, body: bytes) -> None:
    """After an error or an invalid response a container waits before it polls again."""
    with running(server):
        server.take("GET", PUSH).answer(body, code)
        assert server.waiting() == []
        server.advance(10)
        assert server.waiting() == [f"GET {PUSH}"]


def test_message(server: FakeServer) -> None:
    """A message is acknowledged and the next poll sent at once; the result follows when the work is done."""
    with running(server):
        server.take("GET", PUSH).answer(message("REFRESH_AGENT"))
        assert sorted(server.waiting()) == [f"GET {PUSH}", f"POST {PUSH}/ack/m1"]
        server.take("POST", f"{PUSH}/ack/m1").answer(OK)
        server.advance(1)
        result = server.take("POST", f"{PUSH}/result/m1")
        assert json.loads(result.body) == {"success": True, "message": "refreshed", "data": {"agents": []}}


def test_several_at_a_time(server: FakeServer) -> None:
    """Several messages are processed at the same time."""
    with running(server):
        for name in ("m1", "m2"):
            server.take("GET", PUSH).answer(message("REMOTE_ACTION", '{"seconds":10}', name))
            server.take("POST", f"{PUSH}/ack/{name}").answer(OK)
        server.advance(10)
        assert sorted(server.waiting()) == [f"GET {PUSH}", f"POST {PUSH}/result/m1", f"POST {PUSH}/result/m2"]


def test_structured_data(server: FakeServer) -> None:
    """Structured data is received as JSON text, and reported structured."""
    with running(server):
        result = result_of(server, "REMOTE_ACTION", '{"action":"echo","list":[1,{"ü":null}]}')
        assert result == {"success": True, "message": "done", "data": {"action": "echo", "list": [1, {"ü": None}]}}


def test_reported_failure(server: FakeServer) -> None:
    """A failure is reported with its reason."""
    with running(server):
        assert result_of(server, "REMOTE_ACTION", '{"fail":"disk full"}') == {"success": False, "message": "disk full"}


def test_long_work(server: FakeServer) -> None:
    """A message that takes forty seconds is acknowledged meanwhile, and reported after forty seconds."""
    with running(server):
        server.take("GET", PUSH).answer(message("REMOTE_ACTION", '{"seconds":40}'))
        for pause in (15, 15, 10):
            server.take("POST", f"{PUSH}/ack/m1").answer(OK)
            server.advance(pause)
        assert json.loads(server.take("POST", f"{PUSH}/result/m1").body) == {"success": True, "message": "done"}


def test_unknown_control(server: FakeServer) -> None:
    """A message with an unknown control is neither acknowledged nor reported."""
    with running(server):
        server.take("GET", PUSH).answer(message("MAKE_COFFEE"))
        server.advance(59)
        assert server.waiting() == [f"GET {PUSH}"]


def test_redelivery(server: FakeServer) -> None:
    """A message that is redelivered is not executed again: its result is reported again."""
    with running(server) as device:
        first = result_of(server, "ADD_OR_UPDATE_AGENT", "a7")
        device.actions.agents.clear()
        assert result_of(server, "ADD_OR_UPDATE_AGENT", "a7", seconds=0) == first
        assert device.actions.agents == set()


def test_memory_is_bounded(server: FakeServer) -> None:
    """A container forgets its oldest messages, and would execute them again."""
    with running(server, memory=3) as device:
        for number in range(4):
            server.take("GET", PUSH).answer(message("ADD_OR_UPDATE_AGENT", "a7", f"m{number}"))
        device.actions.agents.clear()
        server.take("GET", PUSH).answer(message("ADD_OR_UPDATE_AGENT", "a7", "m1"))
        assert device.actions.agents == set()
        server.take("GET", PUSH).answer(message("ADD_OR_UPDATE_AGENT", "a7", "m0"))
        assert device.actions.agents == {"a7"}


def test_sign_off(server: FakeServer) -> None:
    """A container that is stopped signs off, closes its poll when that is answered, and only then has stopped."""
    with running(server) as device:
        poll = server.take("GET", PUSH)
        stopped = device.stop()
        sign_off = server.take("GET", SIGN_OFF)
        assert not poll.closed()
        assert not stopped.called
        sign_off.answer(OK)
        server.advance(0)
        assert poll.closed()
        assert stopped.called


def test_sign_off_unanswered(server: FakeServer) -> None:
    """A container waits two seconds for the response to its sign-off, and then stops without it."""
    with running(server) as device:
        poll = server.take("GET", PUSH)
        stopped = device.stop()
        server.take("GET", SIGN_OFF)
        server.advance(1.9)
        assert not stopped.called
        server.advance(0.1)
        assert poll.closed()
        assert stopped.called


@pytest.mark.parametrize("body", [IDLE, message("REFRESH_AGENT")])
def test_response_while_signing_off(server: FakeServer, body: bytes) -> None:
    """A container ignores the response to its poll while it signs off."""
    with running(server) as device:
        stopped = device.stop()
        server.take("GET", PUSH).answer(body)
        server.take("GET", SIGN_OFF).answer(OK)
        assert server.waiting() == []
        assert stopped.called


def test_poll_lost_while_signing_off(server: FakeServer) -> None:
    """A container does not poll again if its poll fails while it signs off."""
    with running(server) as device:
        device.stop()
        server.take("GET", PUSH).drop()
        server.take("GET", SIGN_OFF).answer(OK)
        server.advance(60)
        assert server.waiting() == []


def test_stop_before_retry(server: FakeServer) -> None:
    """A container that is stopped while it waits to retry also signs off."""
    with running(server) as device:
        server.take("GET", PUSH).answer(code=503)
        stopped = device.stop()
        server.take("GET", SIGN_OFF).answer(OK)
        assert stopped.called


def test_stop_while_working(server: FakeServer) -> None:
    """A container that is stopped drops its tasks, and sends no more acks."""
    with running(server) as device:
        server.take("GET", PUSH).answer(message("REMOTE_ACTION", '{"seconds":40}'))
        ack = server.take("POST", f"{PUSH}/ack/m1")
        device.stop()
        server.take("GET", SIGN_OFF).answer(OK)
        server.advance(60)
        assert ack.closed()
        assert server.waiting() == []


def test_stop_twice(server: FakeServer) -> None:
    """A container that has stopped does not sign off again."""
    with running(server) as device:
        device.stop()
        server.take("GET", SIGN_OFF).answer(OK)
        again: Deferred[None] = device.stop()
        assert again.called
        assert server.waiting() == []


def test_die_working(server: FakeServer) -> None:
    """A container that crashes forgets all messages, closes its poll, and polls again after its restart."""
    with running(server, faults=always(Fault.DIE_WORKING)) as device:
        for name in ("m1", "m2"):
            server.take("GET", PUSH).answer(message("ADD_OR_UPDATE_AGENT", "a7", name))
            server.take("POST", f"{PUSH}/ack/{name}").answer(OK)
        poll = server.take("GET", PUSH)
        server.advance(0.5)
        assert poll.closed()
        server.advance(10)
        assert server.waiting() == [f"GET {PUSH}"]
        device.actions.agents.clear()
        server.take("GET", PUSH).answer(message("ADD_OR_UPDATE_AGENT", "a7", "m1"))
        assert device.actions.agents == {"a7"}


def test_die_before_retry(server: FakeServer) -> None:
    """A container that crashes while it waits to retry polls again after its restart."""
    with running(server, faults=always(Fault.DIE_WORKING)):
        server.take("GET", PUSH).answer(message("REFRESH_AGENT"))
        server.take("POST", f"{PUSH}/ack/m1").answer(OK)
        server.take("GET", PUSH).answer(code=503)
        server.advance(0.5)
        server.advance(10)
        assert server.waiting() == [f"GET {PUSH}"]


def test_drop_answer(server: FakeServer) -> None:
    """A container that closes the connection early never reads the message."""
    with running(server, faults=always(Fault.DROP_ANSWER)):
        server.take("GET", PUSH).answer(message("REFRESH_AGENT"))
        assert server.waiting() == []
        server.advance(10)
        assert server.waiting() == [f"GET {PUSH}"]


def test_lose_answer(server: FakeServer) -> None:
    """A message that is lost after reading is neither acknowledged nor executed."""
    with running(server, faults=always(Fault.LOSE_ANSWER)) as device:
        server.take("GET", PUSH).answer(message("ADD_OR_UPDATE_AGENT", "a7"))
        assert server.waiting() == []
        assert device.actions.agents == set()
        server.advance(10)
        assert server.waiting() == [f"GET {PUSH}"]


def test_slow_reader(server: FakeServer) -> None:
    """A slow reader executes a message only after reading it."""
    with running(server, faults=always(Fault.SLOW_READER)) as device:
        server.take("GET", PUSH).answer(message("ADD_OR_UPDATE_AGENT", "a7"))
        assert device.actions.agents == set()
        server.advance(2)
        assert device.actions.agents == {"a7"}


def test_early_hangup(server: FakeServer) -> None:
    """A container that closes its poll early does so within half a minute."""
    with running(server, faults=always(Fault.EARLY_HANGUP)):
        poll = server.take("GET", PUSH)
        server.advance(30)
        assert poll.closed()


def test_slow(server: FakeServer) -> None:
    """A slow container reports some seconds later."""
    with running(server, faults=always(Fault.SLOW)):
        server.take("GET", PUSH).answer(message("REFRESH_AGENT"))
        server.take("POST", f"{PUSH}/ack/m1").answer(OK)
        server.advance(5)
        assert server.waiting() == [f"GET {PUSH}"]
        server.advance(16)
        assert f"POST {PUSH}/result/m1" in server.waiting()


def test_unwritable_result(server: FakeServer) -> None:
    """A result that cannot be written is reported as a failure."""
    with running(server):
        result = result_of(server, "REMOTE_ACTION", '{"action":"echo","it":"\\ud800"}')
        assert result == {"success": False, "message": ANY}
