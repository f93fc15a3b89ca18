"""A simulated Control iD device, over recorded bytes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import ANY

import pytest

from pushd.simulator.controlid.device import ControlIdDevice
from pushd.simulator.controlid.local_api import LocalApi
from pushd.simulator.faults import Fault, Faults
from pushd.simulator.journal import Journal
from tests.simulator.counterpart import Asked, Counterpart

NUMBER = "4408801109440101"
DOOR = b'{"endpoint":"execute_actions","body":{"actions":[{"action":"door","parameters":"door=1"}]}}'
CREATE = b'{"verb":"POST","endpoint":"create_objects","body":{"object":"users","values":[{"name":"Ana"}]}}'
LOAD = b'{"verb":"POST","endpoint":"load_objects","body":"{\\"object\\":\\"users\\"}"}'
BATCH = (
    b'{"transactions":[{"transactionid":"1",%s,{"transactionid":"2","endpoint":"open_sesame"},'
    b'{"transactionid":"3","endpoint":"load_objects","body":{"object":"users"}}]}' % CREATE[1:]
)


@contextmanager
def running(server: Counterpart, *, base: str = "", **settings: Any) -> Iterator[ControlIdDevice]:
    """A device at work, switched off in the end."""
    pace: dict[str, Any] = {"work": 0.5, "period": 3.0}
    device = ControlIdDevice(
        number=NUMBER,
        line=server.line(f"http://pushd.example:8080{base}"),
        clock=server.clock,
        journal=Journal(clock=server.clock),
        api=LocalApi(serial=NUMBER),
        **pace | settings,
    )
    device.start()
    yield device
    device.stop()


def hand(server: Counterpart, command: bytes) -> Asked:
    """Answer the poll with a command, let the device work, and take its result."""
    server.take("GET", "/push").answer(command)
    server.advance(0.5)
    return server.take("POST", "/result")


def always(*faults: Fault) -> Faults:
    """Faults that strike each time."""
    return Faults(odds=dict.fromkeys(faults, 1.0))


def test_poll(server: Counterpart) -> None:
    """A device polls with its id, and with a uuid of its own making that is new each time."""
    with running(server):
        first = server.take("GET", "/push")
        first.answer()
        server.advance(3)
        second = server.take("GET", "/push")
        assert first.args == {"deviceId": NUMBER, "uuid": ANY}
        assert len({first.args["uuid"], second.args["uuid"], ""}) == 3


def test_period(server: Counterpart) -> None:
    """After an idle answer a device is deaf for its period."""
    with running(server):
        server.take("GET", "/push").answer(b"")
        server.advance(2.9)
        assert server.waiting() == []
        server.advance(0.1)
        assert server.waiting() == ["GET /push"]


def test_base(server: Counterpart) -> None:
    """A device appends to the path that it was given."""
    with running(server, base="/d/secret/controlid/push"):
        server.take("GET", "/d/secret/controlid/push/push").answer(DOOR)
        server.advance(0.5)
        server.take("POST", "/d/secret/controlid/push/result")


def test_timeout(server: Counterpart) -> None:
    """A device hangs up on a poll that is held for longer than it waits, and polls again after its period."""
    with running(server, patience=15.0):
        poll = server.take("GET", "/push")
        server.advance(14.9)
        assert not poll.hung_up()
        server.advance(0.1)
        assert poll.hung_up()
        server.advance(3)
        assert server.take("GET", "/push").args["uuid"] != poll.args["uuid"]


@pytest.mark.parametrize(("code", "body"), [(503, b""), (200, b"<html>"), (200, b"[]"), (200, b"\xff")])
def test_bad_answer(server: Counterpart, code: int, body: bytes) -> None:
    """An answer that is none is asked for again after the period."""
    with running(server):
        server.take("GET", "/push").answer(body, code)
        assert server.waiting() == []
        server.advance(3)
        assert server.waiting() == ["GET /push"]


def test_command(server: Counterpart) -> None:
    """A command is executed, reported under the poll's uuid with its endpoint, and then the device polls at once."""
    with running(server) as device:
        poll = server.take("GET", "/push")
        poll.answer(DOOR)
        server.advance(0.5)
        result = server.take("POST", "/result")
        assert device.api.openings == 1
        assert result.args == poll.args | {"endpoint": "execute_actions"}
        assert result.content_type == "application/json"
        assert json.loads(result.body) == {"response": {"openings": 1}}
        assert server.waiting() == []
        result.answer()
        assert server.take("GET", "/push").args["uuid"] != poll.args["uuid"]


def test_work_takes_time(server: Counterpart) -> None:
    """While it works a device neither polls nor reports."""
    with running(server, work=5.0):
        server.take("GET", "/push").answer(DOOR)
        server.advance(4.9)
        assert server.waiting() == []
        server.advance(0.1)
        assert server.waiting() == ["POST /result"]


def test_create_then_load(server: Counterpart) -> None:
    """A user who was created is there when the users are loaded."""
    with running(server):
        created = hand(server, CREATE)
        assert json.loads(created.body) == {"response": {"ids": [1]}}
        created.answer()
        loaded = hand(server, LOAD)
        assert json.loads(loaded.body) == {"response": {"users": [{"id": 1, "name": "Ana"}]}}


@pytest.mark.parametrize("command", [b'{"endpoint":"open_sesame"}', b"{}", b'{"endpoint":["load_objects"]}'])
def test_unknown_endpoint(server: Counterpart, command: bytes) -> None:
    """An endpoint that the device does not know fails with an error, and with no response."""
    with running(server):
        assert json.loads(hand(server, command).body) == {"error": ANY}


def test_batch(server: Counterpart) -> None:
    """A batch is run in order, goes on after a failure, and its numbers come back as numbers."""
    with running(server):
        result = hand(server, BATCH)
        assert result.args == {"deviceId": NUMBER, "uuid": ANY}
        assert json.loads(result.body) == {
            "transactions_results": [
                {"transactionid": 1, "success": True, "response": '{"ids":[1]}'},
                {"transactionid": 2, "success": False, "error": ANY},
                {"transactionid": 3, "success": True, "response": '{"users":[{"id":1,"name":"Ana"}]}'},
            ]
        }


def test_result_is_retried(server: Counterpart) -> None:
    """A result that is not answered with 200 is sent again after the period, until it is, and the command is run
    once.
    """
    with running(server) as device:
        first = hand(server, DOOR)
        first.answer(code=503)
        server.advance(3)
        second = server.take("POST", "/result")
        assert (second.args, second.body) == (first.args, first.body)
        second.lose()
        server.advance(3)
        third = server.take("POST", "/result")
        server.advance(15)
        assert third.hung_up()
        server.advance(3)
        server.take("POST", "/result").answer()
        assert server.waiting() == ["GET /push"]
        assert device.api.openings == 1


def test_drop_answer(server: Counterpart) -> None:
    """A device whose connection is cut never reads the command, and polls again."""
    with running(server, faults=always(Fault.DROP_ANSWER)) as device:
        server.take("GET", "/push").answer(DOOR)
        server.advance(3)
        assert server.waiting() == ["GET /push"]
        assert device.api.openings == 0


def test_lose_answer(server: Counterpart) -> None:
    """A device may lose a command that it has read; it never runs it, and polls again."""
    with running(server, faults=always(Fault.LOSE_ANSWER)) as device:
        server.take("GET", "/push").answer(DOOR)
        server.advance(3)
        assert server.waiting() == ["GET /push"]
        assert device.api.openings == 0


def test_slow_reader(server: Counterpart) -> None:
    """A slow reader runs a command only once it has read it."""
    with running(server, faults=always(Fault.SLOW_READER)) as device:
        server.take("GET", "/push").answer(DOOR)
        assert device.api.openings == 0
        server.advance(2)
        assert device.api.openings == 1


def test_early_hangup(server: Counterpart) -> None:
    """A device that hangs up early does not wait half of its time."""
    with running(server, faults=always(Fault.EARLY_HANGUP)):
        poll = server.take("GET", "/push")
        server.advance(7.5)
        assert poll.hung_up()


def test_lose_result(server: Counterpart) -> None:
    """A result that is lost is never sent, though the door was opened."""
    with running(server, faults=always(Fault.LOSE_RESULT)) as device:
        server.take("GET", "/push").answer(DOOR)
        server.advance(0.5)
        assert server.waiting() == ["GET /push"]
        assert device.api.openings == 1


def test_late_result(server: Counterpart) -> None:
    """A device whose result is late goes on meanwhile, and sends it once."""
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


def test_late_result_is_forgotten(server: Counterpart) -> None:
    """A device that is switched off does not send a result that is late."""
    with running(server, faults=always(Fault.LATE_RESULT)):
        server.take("GET", "/push").answer(DOOR)
        server.advance(0.5)
    server.advance(60)
    assert server.waiting() == []


def test_lose_receipt(server: Counterpart) -> None:
    """A device that hangs up before it read the answer to its result sends it again."""
    with running(server, faults=always(Fault.LOSE_RECEIPT)):
        first = hand(server, DOOR)
        first.answer(b" ")
        server.advance(3)
        second = server.take("POST", "/result")
        assert (second.args, second.body) == (first.args, first.body)


def test_repeat_result(server: Counterpart) -> None:
    """A result that is repeated is sent again though the server took it."""
    with running(server, faults=always(Fault.REPEAT_RESULT)):
        first = hand(server, DOOR)
        first.answer()
        server.advance(3)
        second = server.take("POST", "/result")
        assert (second.args, second.body) == (first.args, first.body)


def test_die_working(server: Counterpart) -> None:
    """A device that dies while working opened the door, reports nothing, and polls after it restarted."""
    with running(server, faults=always(Fault.DIE_WORKING)) as device:
        server.take("GET", "/push").answer(DOOR)
        server.advance(0.25)
        assert server.waiting() == []
        server.advance(3)
        assert server.waiting() == ["GET /push"]
        assert device.api.openings == 1


def test_slow(server: Counterpart) -> None:
    """A slow device reports some seconds later."""
    with running(server, faults=always(Fault.SLOW)):
        server.take("GET", "/push").answer(DOOR)
        server.advance(5)
        assert server.waiting() == []
        server.advance(20)
        assert server.waiting() == ["POST /result"]


def test_stop_while_polling(server: Counterpart) -> None:
    """A device that is switched off hangs up."""
    with running(server):
        poll = server.take("GET", "/push")
    server.advance(0)
    assert poll.hung_up()


def test_stop_while_reporting(server: Counterpart) -> None:
    """A device that is switched off hangs up while it reports, too, and does not report again."""
    with running(server):
        result = hand(server, DOOR)
    server.advance(60)
    assert result.hung_up()
    assert server.waiting() == []


@pytest.mark.parametrize("moment", ["working", "insisting", "resting"])
def test_stop_while_waiting(server: Counterpart, moment: str) -> None:
    """A device that is switched off while it waits for anything does nothing more."""
    with running(server):
        server.take("GET", "/push").answer(b"" if moment == "resting" else DOOR)
        if moment == "insisting":
            server.advance(0.5)
            server.take("POST", "/result").answer(code=500)
    server.advance(60)
    assert server.waiting() == []


def test_on_and_off(server: Counterpart) -> None:
    """A device may be switched off twice, and on again."""
    with running(server) as device:
        device.stop()
        device.stop()
        device.start()
        assert server.waiting() == ["GET /push"]


def test_strange_command(server: Counterpart) -> None:
    """What cannot be written back is reported as an error."""
    with running(server):
        hand(server, b'{"endpoint":"set_configuration","body":{"general":{"name":"\\ud800"}}}').answer()
        result = hand(server, b'{"endpoint":"get_configuration","body":{"general":[]}}')
        assert json.loads(result.body) == {"error": ANY}
