"""A simulated Control iD device, on the bytes that it sends and receives."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import ANY

import pytest
from twisted.logger import capturedLogs

from pushd.dialects.controlid.wire import CommandOutcome
from pushd.simulator.controlid.device import ControlIdDevice, Push, TransactionResult, endpoint_of, execute
from pushd.simulator.controlid.local_api import LocalApi
from pushd.simulator.faults import Fault, Faults
from pushd.simulator.journal import Journal
from tests.simulator.fake_server import FakeRequest, FakeServer

NUMBER = "4408801109440101"
DOOR = b'{"endpoint":"execute_actions","body":{"actions":[{"action":"door","parameters":"door=1"}]}}'
CREATE = b'{"verb":"POST","endpoint":"create_objects","body":{"object":"users","values":[{"name":"Ana"}]}}'
LOAD = b'{"verb":"POST","endpoint":"load_objects","body":"{\\"object\\":\\"users\\"}"}'
BATCH = (
    b'{"transactions":[{"transactionid":"1",%s,{"transactionid":"2","endpoint":"open_sesame"},'
    b'{"transactionid":"3","endpoint":"load_objects","body":{"object":"users"}}]}' % CREATE[1:]
)


@contextmanager
def running(server: FakeServer, *, base: str = "", **settings: Any) -> Iterator[ControlIdDevice]:
    """A device that runs, and is stopped at the end."""
    pace: dict[str, Any] = {"command_duration": 0.5, "period": 3.0}
    device = ControlIdDevice(
        number=NUMBER,
        client=server.client(f"http://pushd.example:8080{base}"),
        clock=server.clock,
        journal=Journal(clock=server.clock),
        api=LocalApi(serial=NUMBER),
        **pace | settings,
    )
    device.start()
    yield device
    device.stop()


def execute_on(server: FakeServer, command: bytes) -> FakeRequest:
    """Answer the poll with a command, and take the result when the device has executed it."""
    server.take("GET", "/push").answer(command)
    server.advance(0.5)
    return server.take("POST", "/result")


def always(*faults: Fault) -> Faults:
    """Faults that always occur."""
    return Faults(probabilities=dict.fromkeys(faults, 1.0))


def test_poll(server: FakeServer) -> None:
    """A device polls with its id, and with a new uuid each time."""
    with running(server):
        first = server.take("GET", "/push")
        first.answer()
        server.advance(3)
        second = server.take("GET", "/push")
        assert first.args == {"deviceId": NUMBER, "uuid": ANY}
        assert len({first.args["uuid"], second.args["uuid"], ""}) == 3


def test_period(server: FakeServer) -> None:
    """After an empty response a device waits for its period before it polls again."""
    with running(server):
        server.take("GET", "/push").answer(b"")
        server.advance(2.9)
        assert server.waiting() == []
        server.advance(0.1)
        assert server.waiting() == ["GET /push"]


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b' {"verb":"GET","body":{}} ', b'{"success":true,"message":""}', b" \n"]
)
def test_idle_answers(server: FakeServer, body: bytes) -> None:
    """A device takes an object without a command as idle: it runs nothing, reports nothing, and rests for a period."""
    with capturedLogs() as logged, running(server):
        for _ in range(3):
            server.take("GET", "/push").answer(body)
            server.advance(2.9)
            assert server.waiting() == []
            server.advance(0.1)
        assert server.waiting() == ["GET /push"]
    assert logged == []


def test_base(server: FakeServer) -> None:
    """The base path precedes the paths of all requests."""
    with running(server, base="/d/secret/controlid/push"):
        server.take("GET", "/d/secret/controlid/push/push").answer(DOOR)
        server.advance(0.5)
        server.take("POST", "/d/secret/controlid/push/result")


def test_timeout(server: FakeServer) -> None:
    """A device closes a poll that is held for longer than its timeout, and polls again after its period."""
    with running(server, timeout=15.0):
        poll = server.take("GET", "/push")
        server.advance(14.9)
        assert not poll.closed()
        server.advance(0.1)
        assert poll.closed()
        server.advance(3)
        assert server.take("GET", "/push").args["uuid"] != poll.args["uuid"]


@pytest.mark.parametrize(("code", "body"), [(503, b""), (200, b"<html>"), (200, b"[]"), (200, b"\xff")])
def test_bad_answer(server: FakeServer, code: int, body: bytes) -> None:
    """After an error or an unreadable response a device polls again after its period."""
    with running(server):
        server.take("GET", "/push").answer(body, code)
        assert server.waiting() == []
        server.advance(3)
        assert server.waiting() == ["GET /push"]


def test_command(server: FakeServer) -> None:
    """A command is executed and reported with the uuid of the poll and its endpoint; then the device polls at once."""
    with running(server) as device:
        poll = server.take("GET", "/push")
        poll.answer(DOOR)
        server.advance(0.5)
        result = server.take("POST", "/result")
        assert device.api.openings == 1
        assert result.args == poll.args | {"endpoint": "execute_actions"}
        assert result.content_type == "application/json"
        assert json.loads(result.body) == {"response": '{"openings":1}'}
        assert server.waiting() == []
        result.answer()
        assert server.take("GET", "/push").args["uuid"] != poll.args["uuid"]


def test_command_takes_time(server: FakeServer) -> None:
    """While it executes a command a device neither polls nor reports."""
    with running(server, command_duration=5.0):
        server.take("GET", "/push").answer(DOOR)
        server.advance(4.9)
        assert server.waiting() == []
        server.advance(0.1)
        assert server.waiting() == ["POST /result"]


def test_create_then_load(server: FakeServer) -> None:
    """A user who was created is among the users that are loaded."""
    with running(server):
        created = execute_on(server, CREATE)
        assert json.loads(created.body) == {"response": '{"ids":[1]}'}
        created.answer()
        loaded = execute_on(server, LOAD)
        assert json.loads(loaded.body) == {"response": '{"users":[{"id":1,"name":"Ana"}]}'}


def test_responses_as_objects(server: FakeServer) -> None:
    """A device reports an object, as in the vendor's example, with the option for it."""
    with running(server, object_responses=True):
        assert json.loads(execute_on(server, CREATE).body) == {"response": {"ids": [1]}}


@pytest.mark.parametrize("command", [b'{"endpoint":"open_sesame"}', b'{"endpoint":["load_objects"]}'])
def test_unknown_endpoint(server: FakeServer, command: bytes) -> None:
    """An unknown endpoint is reported with an error, and without a response."""
    with running(server):
        assert json.loads(execute_on(server, command).body) == {"error": ANY}


def test_batch(server: FakeServer) -> None:
    """A batch is executed in order, continues after a failure, and its numeric ids are reported as numbers."""
    with running(server):
        result = execute_on(server, BATCH)
        assert result.args == {"deviceId": NUMBER, "uuid": ANY}
        assert json.loads(result.body) == {
            "transactions_results": [
                {"transactionid": 1, "success": True, "response": '{"ids":[1]}'},
                {"transactionid": 2, "success": False, "error": ANY},
                {"transactionid": 3, "success": True, "response": '{"users":[{"id":1,"name":"Ana"}]}'},
            ]
        }


def test_result_is_retried(server: FakeServer) -> None:
    """A result is sent again after each period until it is answered with 200, and the command is executed once."""
    with running(server) as device:
        first = execute_on(server, DOOR)
        first.answer(code=503)
        server.advance(3)
        second = server.take("POST", "/result")
        assert (second.args, second.body) == (first.args, first.body)
        second.drop()
        server.advance(3)
        third = server.take("POST", "/result")
        server.advance(15)
        assert third.closed()
        server.advance(3)
        server.take("POST", "/result").answer()
        assert server.waiting() == ["GET /push"]
        assert device.api.openings == 1


def test_drop_answer(server: FakeServer) -> None:
    """A device that closes the connection early never reads the command, and polls again."""
    with running(server, faults=always(Fault.DROP_ANSWER)) as device:
        server.take("GET", "/push").answer(DOOR)
        server.advance(3)
        assert server.waiting() == ["GET /push"]
        assert device.api.openings == 0


def test_lose_answer(server: FakeServer) -> None:
    """A device that loses a command after reading it never executes it, and polls again."""
    with running(server, faults=always(Fault.LOSE_ANSWER)) as device:
        server.take("GET", "/push").answer(DOOR)
        server.advance(3)
        assert server.waiting() == ["GET /push"]
        assert device.api.openings == 0


def test_slow_reader(server: FakeServer) -> None:
    """A slow reader executes a command only after reading it."""
    with running(server, faults=always(Fault.SLOW_READER)) as device:
        server.take("GET", "/push").answer(DOOR)
        assert device.api.openings == 0
        server.advance(2)
        assert device.api.openings == 1


def test_early_hangup(server: FakeServer) -> None:
    """A device that closes its poll early does so within half its timeout."""
    with running(server, faults=always(Fault.EARLY_HANGUP)):
        poll = server.take("GET", "/push")
        server.advance(7.5)
        assert poll.closed()


def test_lose_result(server: FakeServer) -> None:
    """A result that is lost is never sent, although the door was opened."""
    with running(server, faults=always(Fault.LOSE_RESULT)) as device:
        server.take("GET", "/push").answer(DOOR)
        server.advance(0.5)
        assert server.waiting() == ["GET /push"]
        assert device.api.openings == 1


def test_late_result(server: FakeServer) -> None:
    """A device whose result is late continues polling, and sends the result once."""
    with running(server, faults=always(Fault.LATE_RESULT)):
        first = server.take("GET", "/push")
        first.answer(DOOR)
        server.advance(0.5)
        assert server.waiting() == ["GET /push"]
        server.advance(2)
        result = server.take("POST", "/result")
        assert result.args["uuid"] == first.args["uuid"]
        result.answer(code=503)
        server.advance(3)
        assert server.waiting() == ["GET /push"]


def test_late_result_is_forgotten(server: FakeServer) -> None:
    """A device that is stopped does not send a late result."""
    with running(server, faults=always(Fault.LATE_RESULT)):
        server.take("GET", "/push").answer(DOOR)
        server.advance(0.5)
    server.advance(60)
    assert server.waiting() == []


def test_lose_receipt(server: FakeServer) -> None:
    """A device that closes the connection before reading the response to its result sends it again."""
    with running(server, faults=always(Fault.LOSE_RECEIPT)):
        first = execute_on(server, DOOR)
        first.answer(b" ")
        server.advance(3)
        second = server.take("POST", "/result")
        assert (second.args, second.body) == (first.args, first.body)


def test_repeat_result(server: FakeServer) -> None:
    """A result that is repeated is sent again although the server accepted it."""
    with running(server, faults=always(Fault.REPEAT_RESULT)):
        first = execute_on(server, DOOR)
        first.answer()
        server.advance(3)
        second = server.take("POST", "/result")
        assert (second.args, second.body) == (first.args, first.body)


def test_die_working(server: FakeServer) -> None:
    """A device that crashes has executed its command, reports nothing, and polls again after the restart."""
    with running(server, faults=always(Fault.DIE_WORKING)) as device:
        server.take("GET", "/push").answer(DOOR)
        server.advance(0.25)
        assert server.waiting() == []
        server.advance(3)
        assert server.waiting() == ["GET /push"]
        assert device.api.openings == 1


def test_slow(server: FakeServer) -> None:
    """A slow device reports some seconds later."""
    with running(server, faults=always(Fault.SLOW)):
        server.take("GET", "/push").answer(DOOR)
        server.advance(5)
        assert server.waiting() == []
        server.advance(20)
        assert server.waiting() == ["POST /result"]


def test_stop_while_polling(server: FakeServer) -> None:
    """A device that is stopped closes its poll, and does not log that as a failure."""
    with capturedLogs() as logged:
        with running(server):
            poll = server.take("GET", "/push")
        server.advance(0)
    assert poll.closed()
    assert logged == []


def test_stop_while_reporting(server: FakeServer) -> None:
    """A device that is stopped closes the connection of its result, and does not send it again."""
    with running(server):
        result = execute_on(server, DOOR)
    server.advance(60)
    assert result.closed()
    assert server.waiting() == []


@pytest.mark.parametrize("moment", ["working", "retrying", "resting"])
def test_stop_while_waiting(server: FakeServer, moment: str) -> None:
    """A device that is stopped while it waits does nothing more."""
    with running(server):
        server.take("GET", "/push").answer(b"" if moment == "resting" else DOOR)
        if moment == "retrying":
            server.advance(0.5)
            server.take("POST", "/result").answer(code=500)
    server.advance(60)
    assert server.waiting() == []


def test_stop_and_start(server: FakeServer) -> None:
    """A device may be stopped twice, and started again."""
    with running(server) as device:
        device.stop()
        device.stop()
        device.start()
        assert server.waiting() == ["GET /push"]


def test_unwritable_response(server: FakeServer) -> None:
    """A response that cannot be written is reported as an error."""
    with running(server):
        execute_on(server, b'{"endpoint":"set_configuration","body":{"general":{"name":"\\ud800"}}}').answer()
        result = execute_on(server, b'{"endpoint":"get_configuration","body":{"general":[]}}')
        assert json.loads(result.body) == {"error": ANY}


def run(command: Push) -> CommandOutcome:
    """Succeed, unless the endpoint is fail."""
    return CommandOutcome(error="no") if command.get("endpoint") == "fail" else CommandOutcome(response=dict(command))


def reported(push: Push) -> Any:
    """The result that is reported for a command or batch."""
    return json.loads(execute("u1", push, run).body)


def test_result_of_command() -> None:
    """The result of a command has its uuid and endpoint."""
    result = execute("u1", {"endpoint": "go"}, run)
    body = b'{"response":"{\\"endpoint\\":\\"go\\"}"}'
    assert result == TransactionResult(uuid="u1", endpoint="go", body=body)
    assert reported({"endpoint": "fail"}) == {"error": "no"}


def test_result_of_batch() -> None:
    """Each entry of a batch is reported with its transactionid, or with its position if it has none."""
    first = {"transactionid": "9", "endpoint": "go"}
    entries = [first, {"endpoint": "fail"}, {"transactionid": "x"}, 7, {"transactionid": [1]}]
    results = reported({"transactions": entries})["transactions_results"]
    assert [(result["transactionid"], result["success"]) for result in results] == [
        (9, True),
        (2, False),
        ("x", True),
        (4, True),
        (5, True),
    ]
    assert json.loads(results[0]["response"]) == first


@pytest.mark.parametrize("transactions", [None, [], {}, "x"])
def test_empty_batch(transactions: object) -> None:
    """An empty or invalid batch has no results."""
    assert reported({"transactions": transactions}) == {"transactions_results": []}


@pytest.mark.parametrize("push", [{"endpoint": "go"}, {"transactions": [{"transactionid": "1"}]}])
@pytest.mark.parametrize("response", ["\ud800", float("nan")])
def test_unwritable(push: Push, response: object) -> None:
    """A response that cannot be written becomes an error, for a command and for a batch."""
    result = execute("u1", push, lambda _: CommandOutcome(response=[response]))
    assert list(json.loads(result.body)) == ["error"]


@pytest.mark.parametrize(
    ("endpoint", "reported_as"), [("go", "go"), ("", ""), (None, None), (["go"], None), ("\ud800", None)]
)
def test_endpoint(endpoint: object, reported_as: str | None) -> None:
    """An endpoint that is not printable text is not reported."""
    assert endpoint_of({"endpoint": endpoint}) == reported_as
