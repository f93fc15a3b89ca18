"""Tests of facts that a Control iD device says of itself, in its answers to ``system_information``."""

import json
from typing import Any

import pytest

from pushd.dialects.controlid import wire
from tests.connection import request
from tests.in_memory_server import InMemoryServer

ASK = {"endpoint": "system_information"}
LOAD = {"endpoint": "load_objects"}
INFORMATION = {
    "uptime": {"days": 1},
    "network": {"mac": "FC:52:CE:00:00:01", "ip": "192.0.2.20"},
    "serial": "0G0200/005B6D",
    "version": "5.13.2",
}
FACTS = {"firmware": "5.13.2", "serial": "0G0200/005B6D", "mac": "FC:52:CE:00:00:01"}
QUERY = wire.PollQuery(device="7", uuid="a", endpoint=None)


def facts(body: object, payload: dict[str, Any] = ASK) -> dict[str, Any]:
    """The facts in a result with this body, of a command with this payload."""
    return dict(wire.read_result(json.dumps(body).encode(), "application/json", QUERY).facts(payload))


def test_object_or_text() -> None:
    """The response may be an object, or its text, as firmware sends it."""
    assert facts({"response": INFORMATION}) == FACTS
    assert facts({"response": json.dumps(INFORMATION)}) == FACTS


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ({"version": "5.13.2"}, {"firmware": "5.13.2"}),
        ({"version": 5, "serial": None, "network": {"mac": ["x"]}}, {}),
        ({"version": "", "network": "down"}, {}),
        ({"version": "x" * 300}, {"firmware": "x" * 255 + "…"}),
        ({"version": "5\n\x1b[2J13\ud800"}, {"firmware": "5 [2J13?"}),
        ("", {}),
        ("OK", {}),
        ("[" * 100_000, {}),
        ([INFORMATION], {}),
        (None, {}),
    ],
)
def test_whatever_a_device_says(response: object, expected: dict[str, str]) -> None:
    """Only texts are taken, one line each; anything else is left out."""
    assert facts({"response": response}) == expected


def test_other_commands() -> None:
    """The answers to other commands say nothing, whatever they hold."""
    assert facts({"response": INFORMATION}, LOAD) == {}
    assert facts({"response": INFORMATION}, {"transactions": [LOAD]}) == {}


@pytest.mark.parametrize("name", ["transactions_results", "transaction_results"])
@pytest.mark.parametrize("transactionid", [{}, {"transactionid": "b"}, {"transactionid": 2}])
def test_batch(name: str, transactionid: dict[str, object]) -> None:
    """In a batch, the entry for it is found by its transactionid, or by its place."""
    payload = {"transactions": [LOAD, {**ASK, **transactionid}]}
    named = transactionid.get("transactionid", 2)
    entries = [
        {"transactionid": 1, "success": True, "response": json.dumps({"version": "not this"})},
        {"transactionid": named, "success": True, "response": json.dumps(INFORMATION)},
    ]
    assert facts({name: entries}, payload) == FACTS
    assert facts({name: entries[::-1]}, payload) == FACTS


def test_batch_with_a_large_entry() -> None:
    """An entry of a large result is read, unless it is large itself."""
    payload = {"transactions": [LOAD, ASK]}
    large = {"transactionid": 1, "success": True, "response": "x" * 100_000}
    assert facts({"transactions_results": [large, {"transactionid": 2, "response": INFORMATION}]}, payload) == FACTS
    assert facts({"transactions_results": [{**large, "transactionid": 2}]}, payload) == {}
    assert facts({"response": "x" * 100_000}) == {}


def test_lists_of_one() -> None:
    """A single command answered as a batch, and a batch of one answered as a single command."""
    assert facts({"transactions_results": [{"transactionid": 0, "success": True, "response": INFORMATION}]}) == FACTS
    assert facts({"response": INFORMATION}, {"transactions": [ASK]}) == FACTS


def answer(server: InMemoryServer, device: str, body: object, payload: object = ASK) -> None:
    """Send a device the command, and its result to the server."""
    command = server.put(f"controlid:{device}", payload)
    server.device_request(request(f"GET /push?deviceId={device}&uuid={command}"))
    server.device_request(request(f"POST /result?deviceId={device}&uuid={command}", json.dumps(body).encode()))


def test_facts_of_a_device(server: InMemoryServer) -> None:
    """Its answer is merged into the facts of the device; a serial number that follows from the id stays as it is."""
    server.register("controlid:3206485144263533", facts={"model": "iDFlex", "firmware": "4.0"})
    answer(server, "3206485144263533", {"response": INFORMATION})
    known = {"serial": "0G020?/005B6D", "model": "iDFlex", "firmware": "5.13.2", "mac": "FC:52:CE:00:00:01"}
    assert server.device("controlid:3206485144263533")["facts"] == known
    [listed] = server.ask("GET /v1/devices").json["items"]
    assert listed["facts"] == known
    changed = server.ask("PATCH /v1/devices/controlid:3206485144263533", {"facts": {"rack": "B"}}).json
    assert changed["facts"] == known | {"rack": "B"}
    assert server.core.registry.get_or_raise("controlid:3206485144263533").facts["firmware"] == "5.13.2"


def test_a_device_without_a_serial_number_says_it(server: InMemoryServer) -> None:
    """If no serial number follows from the id, it is what the device says; the event shows what is new."""
    server.register("controlid:-7")
    answer(server, "-7", {"response": INFORMATION})
    answer(server, "-7", {"response": {**INFORMATION, "version": "6.0"}})
    answer(server, "-7", {"response": {**INFORMATION, "version": "6.0"}})
    assert server.device("controlid:-7")["facts"] == FACTS | {"firmware": "6.0"}
    events = server.ask("GET /v1/events?type=device.changed").json["items"]
    assert [(event["data"]["fields"], event["data"]["facts"]) for event in events] == [
        (["facts"], FACTS),
        (["facts"], {"firmware": "6.0"}),
    ]


@pytest.mark.parametrize(
    ("body", "payload"), [({"error": "busy", "response": INFORMATION}, ASK), ({"response": INFORMATION}, LOAD)]
)
def test_what_does_not_count(server: InMemoryServer, body: object, payload: object) -> None:
    """A failed command says nothing of the device, and neither does another command."""
    server.register("controlid:-7")
    answer(server, "-7", body, payload)
    assert server.device("controlid:-7")["facts"] == {}
    assert "device.changed" not in server.events("controlid:-7")


def test_as_many_facts_as_it_can_have(server: InMemoryServer) -> None:
    """A device that has as many facts as it can have gets no new ones; those that it has are brought up to date."""
    full = {str(number): 1 for number in range(63)} | {"mac": "old"}
    server.register("controlid:-7", facts=full)
    answer(server, "-7", {"response": INFORMATION})
    assert server.device("controlid:-7")["facts"] == full | {"mac": "FC:52:CE:00:00:01"}
