"""Tests of results that are nested about as deep as Python's JSON reader and writer go."""

import re

import pytest

from tests.integration.server import Server

pytestmark = pytest.mark.slow

DEPTHS = range(960, 1010)
PADDING = "x" * 70_000
"""Makes a body so large that it is parsed in a thread, where the stack is shorter."""


def state(server: Server, command: str) -> bytes:
    """The state of a command; not read as JSON, which Python could not where its stack is deep."""
    found = re.search(rb'"state":"(\w+)"', server.admin.ask(f"GET /v1/commands/{command}").body)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("padding", ["", PADDING], ids=["small", "large"])
def test_batch_result_nested_deep(shared: Server, padding: str) -> None:
    """However deep a batch result is nested, it is taken: it ends its command, and the device sends it no more."""
    device = f"controlid:{900 + bool(padding)}"
    shared.admin.ask("POST /v1/devices", {"id": device})
    number = device.partition(":")[2]
    for depth in DEPTHS:
        command = shared.send(device, {"transactions": [{"endpoint": "a"}]})
        assert shared.devices.ask(f"GET /push?deviceId={number}&uuid={depth}").json["transactions"]
        nested = "[" * depth + "]" * depth
        body = f'{{"transactions_results":[{{"transactionid":1,"success":true,"response":{nested}}}],"x":"{padding}"}}'
        answer = shared.devices.ask(f"POST /result?deviceId={number}&uuid={depth}", body.encode())
        assert (answer.code, depth) == (200, depth)
        assert state(shared, command) in (b"succeeded", b"unknown")
    assert "Traceback" not in shared.log.read_text()


@pytest.mark.parametrize("padding", ["", PADDING], ids=["small", "large"])
def test_error_nested_deep(shared: Server, padding: str) -> None:
    """However deep an error is nested, the result is taken, and fails its command if it can be read."""
    shared.admin.ask("POST /v1/devices", {"id": f"controlid:{902 + bool(padding)}"})
    number = 902 + bool(padding)
    for depth in DEPTHS:
        command = shared.send(f"controlid:{number}", {"endpoint": "a"})
        assert shared.devices.ask(f"GET /push?deviceId={number}&uuid={depth}").json["endpoint"] == "a"
        body = f'{{"error":{"[" * depth + "]" * depth},"x":"{padding}"}}'
        answer = shared.devices.ask(f"POST /result?deviceId={number}&uuid={depth}", body.encode())
        assert (answer.code, depth) == (200, depth)
        assert state(shared, command) in (b"failed", b"unknown")
    assert "Traceback" not in shared.log.read_text()


@pytest.mark.parametrize("padding", ["", PADDING], ids=["small", "large"])
def test_result_of_two_commands_nested_deep(shared: Server, padding: str) -> None:
    """However deep the result of one of two commands in a batch is nested, the other one has its own."""
    number = 904 + bool(padding)
    device = f"controlid:{number}"
    shared.admin.ask("POST /v1/devices", {"id": device, "batch": 2})
    for depth in DEPTHS:
        commands = [shared.send(device, {"endpoint": "a"}) for _ in range(2)]
        assert len(shared.devices.ask(f"GET /push?deviceId={number}&uuid={depth}").json["transactions"]) == 2
        nested = "[" * depth + "]" * depth
        first = f'{{"transactionid":1,"success":true,"response":{nested}}}'
        second = '{"transactionid":2,"success":true,"response":"x"}'
        body = f'{{"transactions_results":[{first},{second}],"x":"{padding}"}}'
        answer = shared.devices.ask(f"POST /result?deviceId={number}&uuid={depth}", body.encode())
        assert (answer.code, depth) == (200, depth)
        states = [state(shared, command) for command in commands]
        assert states in ([b"succeeded", b"succeeded"], [b"unknown", b"unknown"]), depth
    assert "Traceback" not in shared.log.read_text()
